//! The workspaces of a user and the limits of a server.
//!
//! In: the registry as JSON. Out: parsed values. Invariant: one workspace is read as
//! well as many; what is missing gets the careful default. Deliberately absent:
//! everything that only browsers need.

use super::answer::{items, number};
use serde_json::Value;

/// A workspace that a user may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id: a number, or 32 hexadecimal digits.
    pub id: String,
    /// Its name in addresses, also called alias.
    pub slug: String,
    /// Its name for people.
    pub label: String,
    /// Whether its content may be read.
    pub is_readable: bool,
    /// Whether its content may be changed.
    pub is_writable: bool,
    /// Whether it keeps a feed of changes.
    pub has_feed: bool,
    /// Whether each user sees a storage of their own behind one id.
    pub is_per_user: bool,
    /// The kind of storage, as the server calls it.
    pub storage: String,
}

impl Workspace {
    /// Tells whether it is a place for files at all.
    #[must_use]
    pub fn is_syncable(&self) -> bool {
        !self.storage.starts_with("ajxp_") && self.storage != "inbox" && self.is_readable
    }
}

/// What a server allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// The largest body of one upload.
    pub(super) upload_max: u64,
    /// The longest name, in bytes.
    pub(super) name_max: usize,
}

/// Reads the list of workspaces.
pub(super) fn workspaces(value: &Value) -> Vec<Workspace> {
    let list = value.pointer("/repositories/repo").unwrap_or(&Value::Null);
    items(list).into_iter().filter_map(workspace).collect()
}

fn workspace(value: &Value) -> Option<Workspace> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = match value.get("@id")? {
        Value::String(id) => id.clone(),
        other => number(other)?.to_string(),
    };
    let acl = text("@acl");
    Some(Workspace {
        id,
        slug: text("@repositorySlug").to_owned(),
        label: text("label").to_owned(),
        is_readable: acl.contains('r'),
        is_writable: acl.contains('w'),
        has_feed: text("@meta_syncable_REPO_SYNCABLE") == "true",
        is_per_user: text("@userScope") == "true",
        storage: text("@access_type").to_owned(),
    })
}

/// Reads the limits off the list of plugins.
pub(super) fn limits(value: &Value) -> Limits {
    let core = value.pointer("/plugins/ajxpcore").unwrap_or(&Value::Null);
    let property = |plugin: &str, name: &str| -> Option<i64> {
        let plugin = items(core)
            .into_iter()
            .find(|item| item.get("@id").and_then(Value::as_str) == Some(plugin))?;
        let properties = plugin.pointer("/plugin_configs/property")?;
        let property = items(properties)
            .into_iter()
            .find(|item| item.get("@name").and_then(Value::as_str) == Some(name))?;
        // The value is JSON inside a text, and that is sometimes a text again.
        let text = property.get("$")?.as_str()?;
        number(&serde_json::from_str(text).unwrap_or(Value::Null))
    };
    let upload =
        property("core.uploader", "UPLOAD_MAX_SIZE").and_then(|size| u64::try_from(size).ok());
    let name = property("core.ajaxplorer", "NODENAME_MAX_LENGTH")
        .and_then(|size| usize::try_from(size).ok());
    Limits {
        upload_max: upload.filter(|size| *size > 0).unwrap_or(UPLOAD_MAX),
        name_max: name.filter(|size| *size > 0).unwrap_or(NAME_MAX),
    }
}

/// What PHP allows when it is not told otherwise.
const UPLOAD_MAX: u64 = 2 * 1024 * 1024;
const NAME_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_workspace_is_an_object_and_many_are_an_array() {
        let one = json!({"@access_type": "fs", "@id": "2", "@repositorySlug": "sync-test",
            "@meta_syncable_REPO_SYNCABLE": "true", "@acl": "rw", "label": "Sync Test"});
        let single = workspaces(&json!({"repositories": {"repo": one}}));
        let many = workspaces(&json!({"repositories": {"repo": [one, {"@id": "3", "@acl": "r"}]}}));
        assert_eq!(single[0], many[0]);
        assert!(single[0].has_feed && single[0].is_writable && single[0].is_syncable());
        assert!(!many[1].is_writable && !many[1].has_feed);
        assert!(workspaces(&json!({"repositories": []})).is_empty());
    }

    #[test]
    fn limits_are_json_inside_texts_in_arrays_or_objects() {
        let value = json!({"plugins": {"ajxpcore": [
            {"@id": "core.uploader", "plugin_configs": {"property": [{"@name": "UPLOAD_MAX_SIZE", "$": "67108864"}]}},
            {"@id": "core.ajaxplorer", "plugin_configs": {"property": {"@name": "NODENAME_MAX_LENGTH", "$": "\"100\""}}}]}});
        assert_eq!(
            limits(&value),
            Limits {
                upload_max: 67_108_864,
                name_max: 100
            }
        );
        assert_eq!(
            limits(&json!({})),
            Limits {
                upload_max: UPLOAD_MAX,
                name_max: NAME_MAX
            }
        );
    }
}
