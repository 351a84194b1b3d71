//! What a person wants to know of a server before a job is made.
//!
//! In: a place. Out: its workspaces, and facts good and bad. Invariant: asks only.
//! Deliberately absent: advice on what to do with it (the command line).

use super::Found;
use super::server::{Listing, Server};
use super::workspace::Workspace;
use crate::adapters::remote::ServerPlace;
use crate::adapters::secret::Secret;
use crate::ports::PortResult;

/// What was found out about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which one asks.
    pub facts: Vec<Fact>,
    /// Whether the folder is there.
    pub is_there: bool,
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Whether syncing works with it.
    pub is_good: bool,
    /// What it is, in words.
    pub text: String,
}

/// Lists the workspaces that a user may enter; `place.workspace` does not matter.
///
/// # Errors
/// `Auth` when user and password are refused; else as the network fails.
pub async fn workspaces(
    place: &ServerPlace,
    password: Secret,
    client: &str,
) -> PortResult<Vec<Workspace>> {
    Server::new(place, password, client)?.workspaces().await
}

/// Looks at a server, a workspace and a folder.
///
/// # Errors
/// Nothing can be found out: address, network, credentials.
pub async fn probe(place: &ServerPlace, password: Secret, client: &str) -> PortResult<Report> {
    let server = Server::new(place, password, client)?;
    let mut report = Report {
        facts: Vec::new(),
        is_there: false,
    };
    let Some((workspace, limits)) = server.workspace().await? else {
        let all = server.workspaces().await?;
        let names: Vec<String> = all.into_iter().map(|workspace| workspace.slug).collect();
        let names = names.join(", ");
        report.bad(format!(
            "no workspace `{}`; there are: {names}",
            place.workspace
        ));
        return Ok(report);
    };
    report.of_workspace(&workspace);
    report.good(format!("one request takes {} bytes", limits.upload_max));
    let at = match place.folder.as_str() {
        "" => String::new(),
        folder => format!("/{folder}"),
    };
    report.of_folder(&server, &at).await?;
    if let Some((used, total)) = server.quota().await? {
        report.say(used < total, format!("{used} of {total} bytes are used"));
    }
    if place.link.trust_ssl && place.url.starts_with("https") {
        report.bad("certificates are not checked (`trust_ssl`)".to_owned());
    }
    Ok(report)
}

impl Report {
    fn say(&mut self, is_good: bool, text: String) {
        self.facts.push(Fact { is_good, text });
    }

    fn good(&mut self, text: String) {
        self.say(true, text);
    }

    fn bad(&mut self, text: String) {
        self.say(false, text);
    }

    fn of_workspace(&mut self, workspace: &Workspace) {
        self.good(format!(
            "workspace `{}` ({})",
            workspace.label, workspace.id
        ));
        let storage = format!("storage `{}`", workspace.storage);
        self.say(workspace.is_syncable(), storage);
        let (can, cannot) = (
            "it may be read and changed",
            "it may only be read: use the direction `down`",
        );
        let text = if workspace.is_writable { can } else { cannot };
        self.good(text.to_owned());
        let (can, cannot) = (
            "it keeps a feed of changes",
            "it keeps no feed of changes (meta.syncable): every look lists everything",
        );
        let text = if workspace.has_feed { can } else { cannot };
        self.say(workspace.has_feed, text.to_owned());
    }

    async fn of_folder(&mut self, server: &Server, at: &str) -> PortResult<()> {
        if server.look(at, true).await? != Found::Directory {
            self.bad(format!("no folder `{at}` in the workspace"));
            return Ok(());
        }
        self.is_there = true;
        let document = server.list(at, Listing::Page(1)).await?;
        let tree = document.tree;
        let count = tree.page.map_or(tree.children.len(), |page| page.count);
        self.good(format!(
            "folder `/{}` with {count} entries",
            at.trim_start_matches('/')
        ));
        let (can, cannot) = (
            "it computes hashes",
            "it computes no hashes (meta.filehasher): files are fetched to be compared",
        );
        let is_hashing = !server.is_hashless.get();
        let text = if is_hashing { can } else { cannot };
        self.say(is_hashing, text.to_owned());
        Ok(())
    }
}
