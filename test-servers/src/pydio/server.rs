//! The server without its socket: a call in, an answer out.
//!
//! In: a parsed call with its body read. Out: an answer. Invariant: nothing is done for
//! a caller who is not known, nor written where they may not write. No lock is held
//! while a file is read or written. Deliberately absent: connections and faults, which
//! are `serve`'s. The next action is a line in [`Server::act`] and a file of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::rules::Rules;

use super::answer::Answer;
use super::auth::{self, Tokens};
use super::bin::Later;
use super::call::Call;
use super::faults::Fault;
use super::form::Spool;
use super::index::{Event, Index};
use super::limits::{self, Locks};
use super::log::Log;
use super::options::{Options, Rights, User, Workspace};
use super::place::{Hashes, Place};
use super::quirks::{Quirk, Quirks};
use super::{bin, download, feed, listing, make, moves, names, registry, stat, tracker, upload};

/// Everything that requests share.
pub(super) struct Server {
    pub(super) options: Options,
    pub(super) index: Index,
    pub(super) tokens: Tokens,
    pub(super) locks: Locks,
    pub(super) hashes: Hashes,
    pub(super) spool: Spool,
    pub(super) faults: Rules<Fault>,
    pub(super) log: Log,
    pub(super) later: Later,
    masks: Mutex<Vec<Mask>>,
}

/// A folder that a user does not see in a workspace.
struct Mask {
    user: String,
    slug: String,
    folder: String,
}

/// One call of a known user in a workspace that they may see.
pub(super) struct Ctx<'a> {
    pub(super) server: &'a Server,
    pub(super) call: &'a Call,
    pub(super) user: &'a User,
    pub(super) place: Place,
}

/// The folder beside the workspaces that holds the state.
const STATE: &str = ".pydio-server";

const NO_API: &str = "You are not authorized to access this API.";
const NO_WORKSPACE: &str = "You are not authorized to access this workspace.";
const NO_WRITE: &str = "You have no write permission on this folder";

impl Server {
    /// Opens the state of a folder, or begins it.
    pub(super) fn open(options: Options) -> io::Result<Self> {
        let options = options.completed();
        let state = options.dir.join(STATE);
        fs::create_dir_all(&state)?;
        let server = Self {
            index: Index::open(&state.join("index"), options.quirks)?,
            tokens: Tokens::open(&state.join("tokens"))?,
            locks: Locks::open(&state.join("locks")),
            hashes: Hashes::default(),
            spool: Spool::open(state.join("spool"))?,
            faults: Rules::default(),
            log: Log::default(),
            later: Later::default(),
            masks: Mutex::default(),
            options,
        };
        for (place, _) in server.places() {
            let bin = if place.recycle { &place.bin } else { "/" };
            fs::create_dir_all(place.at(bin))?;
        }
        Ok(server)
    }

    /// Gives everything in a workspace new rows.
    pub(super) fn reindex(&self, slug: &str) {
        for (place, named) in self.places() {
            if named == slug && !place.repo.is_empty() {
                let path = "/".to_owned();
                let tree = place.tree(&path);
                self.index.note(&place.repo, Event::Reindex { path, tree });
            }
        }
    }

    /// All workspaces as their users have them, each once, with their slugs.
    fn places(&self) -> Vec<(Place, &str)> {
        let mut places: Vec<(Place, &str)> = Vec::new();
        for workspace in &self.options.workspaces {
            for user in &self.options.users {
                let place = self.place_of(workspace, user, Rights::ReadWrite);
                if places.iter().all(|(known, _)| known.folder != place.folder) {
                    places.push((place, &workspace.slug));
                }
            }
        }
        places
    }

    /// Who asks; an answer for those whom nobody knows.
    pub(super) fn user(&self, call: &Call) -> Result<&User, Answer> {
        let find = |name: &str| self.options.users.iter().find(|user| user.name == name);
        let password = |name: &str| find(name).map(|user| user.password.clone());
        auth::user(self.options.quirks, call, &self.tokens, password)
            .and_then(|name| find(&name))
            .ok_or_else(|| Answer::unauthorized(NO_API, true))
    }

    /// Answers a call of a known user. `race` is the fault of that name.
    pub(super) fn answer(&self, call: &Call, user: &User, race: bool) -> Answer {
        let place = match self.place(call, user) {
            Ok(place) => place,
            Err(answer) => return answer,
        };
        if let Some(answer) =
            registry::keystore(self.options.quirks, call, &self.tokens, &user.name)
        {
            return answer;
        }
        let ctx = Ctx {
            server: self,
            call,
            user,
            place,
        };
        Self::act(&ctx, race)
    }

    fn act(ctx: &Ctx<'_>, race: bool) -> Answer {
        let writing = match ctx.call.action.as_str() {
            "mkdir" => make::mkdir,
            "mkfile" => make::mkfile,
            "upload" => upload::upload,
            "rename" => moves::rename,
            "move" => moves::move_nodes,
            "copy" => moves::copy,
            "delete" => bin::delete,
            "restore" => bin::restore,
            "sl_lock" => limits::lock,
            "lsync" => tracker::lsync,
            "index" => tracker::index,
            "resync_storage" => tracker::resync,
            _ => return Self::look(ctx, race),
        };
        if ctx.place.writable {
            writing(ctx)
        } else {
            Answer::forbidden(NO_WRITE)
        }
    }

    fn look(ctx: &Ctx<'_>, race: bool) -> Answer {
        match ctx.call.action.as_str() {
            "state" => registry::state(ctx),
            "stat" => stat::stat(ctx, false),
            "stat_hash" => stat::stat(ctx, true),
            "ls" => listing::ls(ctx),
            "download" => download::download(ctx),
            "changes" if !ctx.place.repo.is_empty() => feed::changes(ctx, race),
            "monitor_quota" => limits::monitor(ctx),
            "apply_check_hook" => limits::check_hook(ctx),
            "get_content" => Answer::new("text/plain;charset=UTF-8", ""),
            action if ctx.quirks().has(Quirk::UnknownIsError) => Answer::error(&format!(
                "Could not find action {action}, please check your configuration"
            )),
            _ => Answer::empty(),
        }
    }

    /// The workspace that a call names, as its user has it.
    fn place(&self, call: &Call, user: &User) -> Result<Place, Answer> {
        let named = call.workspace.as_str();
        let known = &self.options.workspaces;
        if matches!(named, "dashboard" | "ajxp_user") {
            return Ok(Self::nowhere(user));
        }
        let workspace = match named {
            "pydio" => {
                let first = known
                    .iter()
                    .find(|workspace| user.rights(workspace).is_some());
                first.ok_or_else(|| Answer::error("No active repository found for user!"))?
            }
            "" | "settings" => return Err(Answer::unauthorized(NO_WORKSPACE, false)),
            _ => known
                .iter()
                .find(|workspace| workspace.slug == named || workspace.id == named)
                .ok_or_else(|| {
                    let text = format!("Cannot find repository with ID {named}");
                    if self.options.quirks.has(Quirk::UnknownIsError) {
                        Answer::error(&text)
                    } else {
                        Answer::text(text)
                    }
                })?,
        };
        let rights = user
            .rights(workspace)
            .ok_or_else(|| Answer::unauthorized(NO_WORKSPACE, false))?;
        let masked = self.masked(&user.name, &workspace.slug);
        Ok(Place {
            masked,
            ..self.place_of(workspace, user, rights)
        })
    }

    /// Hides a folder of a workspace from a user, or shows it again.
    pub(super) fn mask(&self, user: &str, slug: &str, folder: &str, is_hidden: bool) {
        let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        masks.retain(|mask| (&*mask.user, &*mask.slug, &*mask.folder) != (user, slug, folder));
        if is_hidden {
            masks.push(Mask {
                user: user.to_owned(),
                slug: slug.to_owned(),
                folder: folder.to_owned(),
            });
        }
    }

    fn masked(&self, user: &str, slug: &str) -> Vec<String> {
        let masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        let own = masks
            .iter()
            .filter(|mask| mask.user == user && mask.slug == slug);
        own.map(|mask| mask.folder.clone()).collect()
    }

    /// A workspace as a user has it.
    pub(super) fn place_of(&self, workspace: &Workspace, user: &User, rights: Rights) -> Place {
        let mut folder = self.options.dir.join(&workspace.slug);
        let mut repo = workspace.id.clone();
        if workspace.per_user {
            folder.push(&user.name);
            repo = format!("{repo}-{}", user.name);
        }
        Place {
            quirks: self.options.quirks,
            folder,
            repo: if workspace.syncable {
                repo
            } else {
                String::new()
            },
            id: workspace.id.clone(),
            user: user.name.clone(),
            recycle: workspace.recycle,
            bin: workspace.bin.clone(),
            writable: rights == Rights::ReadWrite,
            quota: workspace.quota,
            locks: workspace.locks,
            masked: Vec::new(),
        }
    }

    /// A workspace without files.
    fn nowhere(user: &User) -> Place {
        Place {
            quirks: Quirks::none(),
            folder: PathBuf::from("/nonexistent"),
            repo: String::new(),
            id: "ajxp_user".to_owned(),
            user: user.name.clone(),
            recycle: false,
            bin: names::BIN.to_owned(),
            writable: false,
            quota: None,
            locks: false,
            masked: Vec::new(),
        }
    }
}

impl Ctx<'_> {
    pub(super) const fn quirks(&self) -> Quirks {
        self.server.options.quirks
    }

    /// Tells the index.
    pub(super) fn note(&self, event: Event) {
        if !self.place.repo.is_empty() {
            self.server.index.note(&self.place.repo, event);
        }
    }

    /// The answer to a path with a name that the server does not serve.
    pub(super) fn refuse_name(&self, path: &str) -> Option<Answer> {
        if let Some(name) = names::hidden(path) {
            let mut answer = Answer::error(&format!("{name} Forbidden"));
            if self.quirks().has(Quirk::StatusFromCode) {
                answer.status = 411;
            }
            return Some(answer);
        }
        path.split('/')
            .any(|name| names::refused(self.quirks(), name))
            .then(|| Answer::error(&format!("{path} contains forbidden characters")))
    }

    /// Why a write to a node is refused: someone else has locked it.
    pub(super) fn locked(&self, node: &str) -> Option<&'static str> {
        let owner = self.server.locks.owner(&self.place.repo, node)?;
        (owner != self.place.user).then_some(limits::LOCKED)
    }

    /// The marks of a lock for listings.
    pub(super) fn lock_marks(&self, node: &str) -> String {
        match self.server.locks.owner(&self.place.repo, node) {
            Some(owner) => listing::lock_attributes(&owner, &self.place.user),
            None => String::new(),
        }
    }

    /// Whether so many more bytes fit.
    ///
    /// # Errors
    /// The text of the refusal.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), String> {
        let Some(quota) = self.place.quota else {
            return Ok(());
        };
        limits::too_much(quota, self.place.usage(), bytes).map_or(Ok(()), Err)
    }

    /// The nodes that a call selects.
    pub(super) fn selection(&self) -> Vec<String> {
        self.call.selection(self.quirks())
    }

    /// The same without `nodes[]`, which a binding of the URL overrides.
    pub(super) fn selection_from_body(&self) -> Vec<String> {
        self.call.selection_of(self.quirks(), false)
    }

    /// How a message shows where a node lies, without telling where the folder really is.
    pub(super) fn shown_path(&self, node: &str) -> String {
        let workspace = self.place.folder.file_name().unwrap_or_default();
        Path::new("/srv/pydio/data")
            .join(workspace)
            .display()
            .to_string()
            + node
    }
}

/// The usual text for what cannot be written.
pub(super) fn not_writeable(kind: &str, name: &str) -> String {
    format!(
        "The {kind} {name} is not writeable. There might be a permission problem, please check with your administrator."
    )
}
