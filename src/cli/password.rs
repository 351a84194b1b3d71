//! Where a password comes from.
//!
//! In: what the user gave, the environment, the stores, a person at a terminal. Out: a
//! [`Secret`], or how to give one. Invariants: the first of those that has one wins;
//! all is read before any job starts; nothing here is ever printed. Deliberately
//! absent: whether the server takes it. A new source is a step in [`Passwords::find`].

use super::args::Args;
use super::config::Given;
use super::exit::Failure;
use super::print;
use crate::adapters::credentials::{Account, Credentials};
use crate::adapters::remote::RemotePlace;
use crate::adapters::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// Looks for passwords, each account's once.
pub(super) struct Passwords {
    stores: Credentials,
    found: Vec<(Account, Secret)>,
    given: Vec<(Account, Secret)>,
}

impl Passwords {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            stores: Credentials::new(state_dir),
            found: Vec::new(),
            given: Vec::new(),
        }
    }

    /// Finds the password of a job; a folder needs none. Blocks, and may ask.
    ///
    /// # Errors
    /// A server job has none, or the named file cannot be read.
    pub(super) fn of_job(
        &mut self,
        given: Option<&Given>,
        place: &RemotePlace,
    ) -> Result<Option<Secret>, Failure> {
        match account(place) {
            None => Ok(None),
            // Nobody's place may be open to all; a password for it is a token.
            Some(account) if account.user.is_empty() => self.token(given, &account),
            Some(account) => self.find(given, &account).map(Some),
        }
    }

    /// Finds the token for a place that is nobody's, if there is one. Never asks.
    fn token(
        &mut self,
        given: Option<&Given>,
        account: &Account,
    ) -> Result<Option<Secret>, Failure> {
        if let Some(secret) = explicit(given)? {
            return Ok(Some(secret));
        }
        if let Some(Given::JobFile(secret)) = given {
            return Ok(Some(secret.clone()));
        }
        let found = self.stores.find(account);
        Ok(found.secret.map(|(secret, _)| secret))
    }

    /// Finds the password of an account: `-p`, the environment, the named file, the
    /// job file, the stores, a prompt.
    ///
    /// # Errors
    /// There is none, or the named file cannot be read.
    pub(super) fn find(
        &mut self,
        given: Option<&Given>,
        account: &Account,
    ) -> Result<Secret, Failure> {
        if let Some(secret) = explicit(given)? {
            return Ok(self.shared(account, &secret));
        }
        if let Some(Given::JobFile(secret)) = given {
            return Ok(self.shared(account, secret));
        }
        if let Some((_, secret)) = self.found.iter().find(|(known, _)| known == account) {
            return Ok(secret.clone());
        }
        let found = self.stores.find(account);
        let secret = match found.secret {
            Some((secret, kept)) => {
                tracing::info!(user = %account.user, "the password is from {kept}");
                Some(secret)
            }
            None => prompt(account)?,
        };
        let Some(secret) = secret else {
            let mut message = format!(
                "no password is known for `{}` at `{}`",
                account.user, account.server
            );
            for trouble in found.troubles {
                message = format!("{message}; {trouble}");
            }
            return Err(Failure::usage(
                message,
                format!(
                    "keep it with `pydio-sync login -s {} -u {}`, set `{VARIABLE}`, or name a file \
                     of your own with `--password-file`",
                    account.server, account.user
                ),
            ));
        };
        self.found.push((account.clone(), secret.clone()));
        Ok(secret)
    }

    /// Returns the copy of a password that all jobs of an account share, so that they
    /// share what the server says of it, and no other account does.
    fn shared(&mut self, account: &Account, secret: &Secret) -> Secret {
        let is_same = |(whose, known): &&(Account, Secret)| {
            whose == account && known.expose() == secret.expose()
        };
        if let Some((_, known)) = self.given.iter().find(is_same) {
            return known.clone();
        }
        let own = Secret::new(secret.expose());
        self.given.push((account.clone(), own.clone()));
        own
    }
}

/// Whose password a remote needs.
pub(super) fn account(place: &RemotePlace) -> Option<Account> {
    match place {
        RemotePlace::Folder(_) => None,
        RemotePlace::Pydio(server) | RemotePlace::Webdav(server) => Some(Account {
            server: server.url.clone(),
            user: server.user.clone(),
        }),
    }
}

/// The password that was given for this very call.
///
/// # Errors
/// The named file cannot be read.
pub(super) fn explicit(given: Option<&Given>) -> Result<Option<Secret>, Failure> {
    if let Some(Given::Flag(secret)) = given {
        return Ok(Some(secret.clone()));
    }
    if let Some(secret) = from_environment() {
        return Ok(Some(secret));
    }
    match given {
        Some(Given::File(path)) => from_file(path).map(Some),
        _ => Ok(None),
    }
}

/// Asks at the terminal, if there is one and somebody can answer.
///
/// # Errors
/// The terminal broke off.
pub(super) fn prompt(account: &Account) -> Result<Option<Secret>, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let text = match account.user.as_str() {
        "" => format!(
            "Token for {} (a password needs `-u NAME`): ",
            account.server
        ),
        user => format!("Password of {user} at {}: ", account.server),
    };
    let text = super::text::plain(&text);
    let hidden = Hidden::new();
    let answer = rpassword::prompt_password(text);
    drop(hidden);
    match answer {
        Ok(password) => Ok(Some(Secret::new(password)).filter(|secret| !secret.is_empty())),
        Err(error) => Err(Failure::usage(
            format!("no password was given: {error}"),
            format!("set `{VARIABLE}`, or name a file with `--password-file`"),
        )),
    }
}

/// Keeps the terminal from showing what is typed, from before the prompt on: who answers
/// at once is not to be read either.
struct Hidden {
    terminal: std::fs::File,
    was: Termios,
}

impl Hidden {
    fn new() -> Option<Self> {
        let terminal = std::fs::File::open("/dev/tty").ok()?;
        let was = tcgetattr(&terminal).ok()?;
        let mut silent = was.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
        Some(Self { terminal, was })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        tcsetattr(&self.terminal, OptionalActions::Now, &self.was).ok();
    }
}

/// Says that a password on the command line is no secret.
pub(super) fn warn(args: &Args) {
    print::warning(
        args,
        "`-p` shows the password to other users of this machine; better are `pydio-sync login`, \
         the variable `PYDIO_SYNC_PASSWORD`, and a file of your own that `--password-file` names",
    );
}

fn from_environment() -> Option<Secret> {
    let value = std::env::var(VARIABLE).ok()?;
    Some(Secret::new(value)).filter(|secret| !secret.is_empty())
}

/// The first line of a file; `-` is standard input.
fn from_file(path: &Path) -> Result<Secret, Failure> {
    let unreadable = |why: String| {
        Failure::usage(
            format!("the password file `{}` {why}", path.display()),
            "name a file whose first line is the password",
        )
    };
    let opened: std::io::Result<Box<dyn Read>> = if path == Path::new("-") {
        Ok(Box::new(std::io::stdin()))
    } else {
        std::fs::File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    opened
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("is not UTF-8".to_owned()))?;
    let secret = Secret::new(text.lines().next().unwrap_or_default());
    if secret.is_empty() {
        return Err(unreadable("begins with an empty line".to_owned()));
    }
    Ok(secret)
}

const VARIABLE: &str = "PYDIO_SYNC_PASSWORD";
const FILE_BYTES_MAX: u64 = 64 * 1024;
