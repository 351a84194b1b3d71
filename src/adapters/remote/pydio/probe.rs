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
    let mut facts = Vec::new();
    let mut say = |is_good: bool, text: String| facts.push(Fact { is_good, text });
    let Some((workspace, limits)) = server.workspace().await? else {
        let all = server.workspaces().await?;
        let names: Vec<String> = all.into_iter().map(|workspace| workspace.slug).collect();
        say(
            false,
            format!(
                "no workspace `{}`; there are: {}",
                place.workspace,
                names.join(", ")
            ),
        );
        return Ok(Report { facts });
    };
    say(
        true,
        format!("workspace `{}` ({})", workspace.label, workspace.id),
    );
    say(
        workspace.is_syncable(),
        format!("storage `{}`", workspace.storage),
    );
    say(
        workspace.is_writable,
        if workspace.is_writable {
            "it may be read and changed".to_owned()
        } else {
            "it may only be read: use the direction `down`".to_owned()
        },
    );
    say(
        workspace.has_feed,
        if workspace.has_feed {
            "it keeps a feed of changes".to_owned()
        } else {
            "it keeps no feed of changes (meta.syncable): every look lists everything".to_owned()
        },
    );
    say(
        true,
        format!("one request takes {} bytes", limits.upload_max),
    );
    let at = match place.folder.as_str() {
        "" => String::new(),
        folder => format!("/{folder}"),
    };
    let found = server.look(&at, true).await?;
    say(
        found == Found::Directory,
        match found {
            Found::Directory => format!("folder `/{}`", at.trim_start_matches('/')),
            _ => format!("no folder `{at}` in the workspace"),
        },
    );
    say(
        !server.is_hashless.get(),
        if server.is_hashless.get() {
            "it computes no hashes (meta.filehasher): files are fetched to be compared".to_owned()
        } else {
            "it computes hashes".to_owned()
        },
    );
    if let Some((used, total)) = server.quota().await? {
        say(used < total, format!("{used} of {total} bytes are used"));
    }
    if found == Found::Directory {
        let document = server.list(&at, Listing::Page(1)).await?;
        let count = document
            .tree
            .page
            .map_or(document.tree.children.len(), |page| page.count);
        say(true, format!("{count} entries in it"));
    }
    if place.link.trust_ssl && place.url.starts_with("https") {
        say(
            false,
            "certificates are not checked (`trust_ssl`)".to_owned(),
        );
    }
    Ok(Report { facts })
}
