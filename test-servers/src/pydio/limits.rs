//! Quota, the check before an upload, and locks.
//!
//! In: calls of a workspace that has the plugin. Out: JSON, nothing, or a refusal.
//! Invariant: a workspace without the plugin answers nothing. The usage is walked anew
//! each time, as a real server does, so a quota costs a walk per upload. Locks are kept
//! on disk. Deliberately absent: quotas of users.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::Answer;
use super::names;
use super::server::Ctx;

/// What a refused write of a locked file is told.
pub(super) const LOCKED: &str = "This file is locked by another user, it is probably currently \
                                 being edited, you are not allowed to modify it.";

/// Who locked what: `<repo>:<node>` to a user.
pub(super) struct Locks {
    path: PathBuf,
    owners: Mutex<BTreeMap<String, String>>,
}

impl Locks {
    /// Opens the locks kept at a path; unreadable ones are none.
    pub(super) fn open(path: &Path) -> Self {
        let owners = fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            path: path.to_owned(),
            owners: Mutex::new(owners),
        }
    }

    /// Who has locked a node.
    pub(super) fn owner(&self, repo: &str, node: &str) -> Option<String> {
        self.lock().get(&key(repo, node)).cloned()
    }

    fn set(&self, repo: &str, node: &str, owner: Option<&str>) {
        let mut owners = self.lock();
        match owner {
            Some(owner) => owners.insert(key(repo, node), owner.to_owned()),
            None => owners.remove(&key(repo, node)),
        };
        if let Ok(bytes) = serde_json::to_vec(&*owners) {
            // Without it a restart forgets the locks.
            drop(fs::write(&self.path, bytes));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(repo: &str, node: &str) -> String {
    format!("{repo}:{node}")
}

/// Why so many more bytes do not fit, if they do not.
pub(super) fn too_much(quota: u64, usage: u64, more: u64) -> Option<String> {
    let shown = if quota.is_multiple_of(MIB) {
        format!("{} MB", quota / MIB)
    } else {
        format!("{} KB", quota / 1024)
    };
    (usage.saturating_add(more) >= quota)
        .then(|| format!("You are exceeding your quota ({shown})!"))
}

/// Answers `monitor_quota`.
pub(super) fn monitor(ctx: &Ctx<'_>) -> Answer {
    match ctx.place.quota {
        Some(quota) => Answer::new(
            "application/json; charset=UTF-8",
            format!("{{\"USAGE\":{},\"TOTAL\":{quota}}}", ctx.place.usage()),
        ),
        None => Answer::empty(),
    }
}

/// Answers `apply_check_hook`: the size counts only in the body.
pub(super) fn check_hook(ctx: &Ctx<'_>) -> Answer {
    let size = ctx
        .call
        .params
        .get("hook_arg")
        .and_then(|size| size.parse().ok());
    match (ctx.call.segment(), size) {
        ("before_create", Some(size)) => match ctx.room_for(size) {
            Ok(()) => Answer::empty(),
            Err(text) => Answer::error(&text),
        },
        _ => Answer::empty(),
    }
}

/// Answers `sl_lock`.
pub(super) fn lock(ctx: &Ctx<'_>) -> Answer {
    if !ctx.place.locks {
        return Answer::empty();
    }
    let node = ctx.call.node(ctx.quirks());
    if let Some(hidden) = names::hidden(&node) {
        return Answer::error(&format!("{hidden} Forbidden"));
    }
    if let Some(error) = ctx.locked(&node) {
        return Answer::error(error);
    }
    let owner = (!ctx.call.params.has("unlock")).then_some(ctx.place.user.as_str());
    ctx.server.locks.set(&ctx.place.repo, &node, owner);
    Answer::tree("<reload_instruction object=\"data\" node=\"\" file=\"\"/>")
}

const MIB: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::too_much;

    #[test]
    fn what_reaches_the_quota_exactly_does_not_fit() {
        assert_eq!(too_much(1024, 1000, 23), None);
        assert!(too_much(1024, 1000, 24).is_some());
        let text = too_much(1024 * 1024, 0, u64::MAX);
        assert_eq!(
            text.as_deref(),
            Some("You are exceeding your quota (1 MB)!")
        );
    }
}
