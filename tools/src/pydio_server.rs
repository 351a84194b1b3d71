//! Serves a folder as a Pydio server does.
//!
//! In: a folder, a port, users, workspaces and quirks by name. Out: how to sync with it,
//! then answers until a signal. Invariant: loopback only. The server itself is in
//! `test-servers`; what is not there cannot be asked for here.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::serving::{ended, until_signal};
use test_servers::pydio::{Options, PydioServer, Quirk, Quirks, User, Workspace};

/// What to serve.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder: one folder a workspace in it, and the server's state.
    #[arg(long, required_unless_present = "list_quirks")]
    dir: Option<PathBuf>,
    /// The port on the loopback.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A path below which it answers, such as `/pydio`.
    #[arg(long, default_value = "")]
    base: String,
    /// Users as NAME:PASSWORD; one `alice:secret` if there is none.
    #[arg(long = "user", value_name = "NAME:PASSWORD")]
    users: Vec<String>,
    /// Workspaces by slug; one `sync` if there is none.
    #[arg(long = "workspace", value_name = "SLUG")]
    workspaces: Vec<String>,
    /// `6.4`, `8.2`, `none`, `all`, the name of a quirk, or `without-` and its name; the
    /// first version is 6.4, and each one changes what those before it made.
    #[arg(long = "quirk", value_name = "NAME")]
    quirks: Vec<String>,
    /// What each request costs.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// The largest file of one upload request.
    #[arg(long, value_name = "BYTES")]
    upload_max: Option<u64>,
    /// Prints the names of the quirks and ends.
    #[arg(long)]
    list_quirks: bool,
}

/// Serves until a signal.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    if args.list_quirks {
        for quirk in Quirk::ALL {
            println!("{:24} {}", quirk.name(), quirk.what());
        }
        return ExitCode::SUCCESS;
    }
    let served = options(args)
        .and_then(|options| PydioServer::start(options).map_err(|error| error.to_string()))
        .and_then(|server| {
            let waited = until_signal(&how_to(&server), &server.log(), || {});
            waited.map_err(|error| error.to_string())
        });
    ended("pydio-server", served)
}

fn options(args: &Args) -> Result<Options, String> {
    let Some(dir) = &args.dir else {
        return Err("--dir is needed".to_owned());
    };
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut quirks = Quirks::v6_4();
    for name in &args.quirks {
        quirks = quirks
            .apply(name)
            .map_err(|name| format!("no quirk is called {name}; see --list-quirks"))?;
    }
    let mut options = Options::new(dir)
        .port(args.port)
        .base(&args.base)
        .quirks(quirks)
        .latency(Duration::from_millis(args.latency));
    if let Some(bytes) = args.upload_max {
        options = options.upload_max(bytes, bytes.saturating_mul(2));
    }
    for user in &args.users {
        let Some((name, password)) = user.split_once(':') else {
            return Err(format!("{user}: a user is NAME:PASSWORD"));
        };
        options = options.user(User::new(name, password));
    }
    for (at, slug) in args.workspaces.iter().enumerate() {
        if slug.is_empty() || slug.starts_with('.') || slug.contains('/') {
            return Err(format!("{slug}: not the name of a folder"));
        }
        options = options.workspace(Workspace::new(&(at + 1).to_string(), slug));
    }
    Ok(options)
}

fn how_to(server: &PydioServer) -> String {
    let (url, mut users) = (server.url(), server.users());
    let (user, password) = users.next().unwrap_or_default();
    let workspace = server.workspaces().next().unwrap_or_default();
    format!(
        "URL        {url}\nuser       {user}\npassword   {password}\nworkspace  {workspace}\n\
         files      {}\n\nTo sync with it:\n  \
         pydio-sync -s {url} -w {workspace} -u {user} -p {password} -d DIR\n\n\
         Ends with Ctrl-C.\n",
        server.folder(workspace).display()
    )
}
