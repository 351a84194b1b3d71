//! One job of a job file.
//!
//! In: a JSON object. Out: a [`JobConfig`], or the first mistake. Invariant: a key that
//! is not known is a mistake, never passed over. Deliberately absent:
//! whether the places exist (`pair`). A new key is a line in [`KEYS`] and in [`read`].

use super::fault::Fault;
use super::fields::{Fields, pointer};
use crate::adapters::rooted::{Filter, FilterRules};
use crate::cli::config::{DAY_MS, JobConfig, POLL_INTERVAL_MS, TRASH_DAYS};
use journal_format::value::{Brakes, Direction, Mode, Policy, Solve, TEXT_BYTES_MAX};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every key a job may have, beside those that begin with [`HIDE`].
const KEYS: [&str; 28] = [
    "__type__",
    "active",
    "ca_file",
    "direction",
    "directory",
    "filters",
    "frequency",
    "id",
    "label",
    "limit_down",
    "limit_up",
    "max_delete",
    "mode",
    "monitor",
    "password",
    "poll_interval",
    "poolsize",
    "proxy",
    "remote_folder",
    "server",
    "server_configs",
    "solve",
    "start_time",
    "timeout",
    "trash_days",
    "trust_ssl",
    "user",
    "workspace",
];

/// Reads a job; `key` is its id where jobs stand under their ids.
pub(super) fn read(at: &str, key: Option<&str>, value: &Value) -> Result<JobConfig, Fault> {
    let fields = Fields::of(at, value)?;
    fields.only(&KEYS, HIDE)?;
    fields.choice("__type__", &[("JobConfig", ())])?;
    let id = id(&fields, key)?;
    let server = fields.text("server")?.ok_or_else(|| {
        fields.missing("server", "the remote folder, as `file:///path` or a path")
    })?;
    if !server.contains("://") && !Path::new(server).is_absolute() {
        return Err(fields.wrong("server", "a path that begins with `/`, or a URL, is wanted"));
    }
    let direction = fields
        .choice("direction", &DIRECTIONS)?
        .unwrap_or(Direction::Bi);
    Ok(JobConfig {
        id,
        label: label(&fields)?,
        server: server.to_owned(),
        workspace: fields
            .text("workspace")?
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        directory: directory(&fields)?,
        remote_folder: fields.text("remote_folder")?.unwrap_or("/").to_owned(),
        policy: Policy {
            direction,
            mode: mode(&fields, direction)?,
            solve: fields.choice("solve", &SOLVES)?.unwrap_or(Solve::Both),
            brakes: brakes(&fields)?,
        },
        filter: filter(at, &fields)?,
        poll_interval_ms: fields
            .whole("poll_interval", 1..=86_400, "seconds")?
            .map_or(POLL_INTERVAL_MS, |seconds| seconds * 1000),
        trash_ms: fields
            .whole("trash_days", 0..=36_500, "days")?
            .unwrap_or(TRASH_DAYS)
            * DAY_MS,
        is_active: fields.flag("active")?.unwrap_or(true),
        is_manual: is_manual(at, &fields)?,
        without_effect: without_effect(&fields)?,
    })
}

fn id(fields: &Fields<'_>, key: Option<&str>) -> Result<Option<String>, Fault> {
    let id = fields.text("id")?;
    let wanted = "1 to 200 bytes without control characters are wanted";
    if let (Some(key), Some(id)) = (key, id)
        && key != id
    {
        let wanted = format!("the job stands under `{key}`; write the same, or leave `id` out");
        return Err(fields.wrong("id", &wanted));
    }
    match id.or(key) {
        Some(id) if id.is_empty() || id.len() > ID_BYTES_MAX || id.contains(char::is_control) => {
            Err(fields.wrong("id", wanted))
        }
        id => Ok(id.map(str::to_owned)),
    }
}

/// The label becomes a part of file names.
fn label(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let label = fields.text("label")?.filter(|label| !label.is_empty());
    let is_wrong = |label: &str| {
        label.len() > LABEL_BYTES_MAX || label.contains(|c: char| c.is_control() || c == '/')
    };
    match label {
        Some(label) if is_wrong(label) => Err(fields.wrong(
            "label",
            "up to 100 bytes without `/` and control characters are wanted",
        )),
        label => Ok(label.map(str::to_owned)),
    }
}

fn directory(fields: &Fields<'_>) -> Result<PathBuf, Fault> {
    let directory = fields
        .text("directory")?
        .ok_or_else(|| fields.missing("directory", "the local folder, as a path"))?;
    if Path::new(directory).is_absolute() {
        Ok(PathBuf::from(directory))
    } else {
        Err(fields.wrong(
            "directory",
            "a path that begins with `/` is wanted, since a job file works from anywhere",
        ))
    }
}

fn mode(fields: &Fields<'_>, direction: Direction) -> Result<Mode, Fault> {
    let modes = [("safe", Mode::Safe), ("mirror", Mode::Mirror)];
    match fields.choice("mode", &modes)?.unwrap_or(Mode::Safe) {
        Mode::Mirror if direction == Direction::Bi => Err(fields.wrong(
            "mode",
            "a mirror has one direction; set `direction` to \"up\" or \"down\"",
        )),
        mode => Ok(mode),
    }
}

/// `max_delete`: a number of entries, or a share like `"30%"`; the one that is given
/// holds alone.
fn brakes(fields: &Fields<'_>) -> Result<Brakes, Fault> {
    let brakes = Brakes::default();
    let Some(value) = fields.get("max_delete") else {
        return Ok(brakes);
    };
    let share = value
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|number| number.trim().parse().ok())
        .filter(|percent: &u8| *percent <= 100);
    match (value.as_u64(), share) {
        (Some(deletions_max), _) => Ok(Brakes {
            deletions_max,
            deletions_percent_max: 100,
            ..brakes
        }),
        (None, Some(deletions_percent_max)) => Ok(Brakes {
            deletions_max: u64::MAX,
            deletions_percent_max,
            ..brakes
        }),
        (None, None) => Err(fields.wrong(
            "max_delete",
            "a number of entries, or a share like \"30%\", is wanted",
        )),
    }
}

/// A list of excludes is the whole list, as it was for the old client: the default
/// ones hold only where none is given.
fn filter(at: &str, fields: &Fields<'_>) -> Result<Filter, Fault> {
    let mut rules = FilterRules::default();
    if let Some(value) = fields.get("filters") {
        let at = pointer(at, "filters");
        let filters = Fields::of(&at, value)?;
        filters.only(&["includes", "excludes"], "")?;
        rules.includes = filters.texts("includes")?.unwrap_or_default();
        if let Some(excludes) = filters.texts("excludes")? {
            rules.excludes = excludes;
            rules.defaults = false;
        }
    }
    Filter::new(&rules).map_err(|error| {
        let list = if rules.includes.contains(&error.pattern) {
            "includes"
        } else {
            "excludes"
        };
        Fault::at(
            pointer(&pointer(at, "filters"), list),
            format!("{error}; `*`, `?`, `[a-z]`, `{{a,b}}` and `**` are understood"),
        )
    })
}

fn is_manual(at: &str, fields: &Fields<'_>) -> Result<bool, Fault> {
    let words = [("auto", false), ("manual", true), ("time", false)];
    let is_manual = fields.choice("frequency", &words)?;
    if let Some(value) = fields.get("start_time") {
        let at = pointer(at, "start_time");
        let time = Fields::of(&at, value)?;
        time.only(&["h", "m"], "")?;
        time.whole("h", 0..=23, "hours")?;
        time.whole("m", 0..=59, "minutes")?;
    }
    if fields.text("frequency")? == Some("time") {
        return Err(fields.wrong(
            "frequency",
            "this release does not wait for a time of day; use \"auto\", or start it with `--once` \
             from a timer",
        ));
    }
    Ok(is_manual.unwrap_or(false) || fields.flag("monitor")? == Some(false))
}

/// Checks the keys that mean something for servers only, and lists those whose
/// author may expect something of them.
fn without_effect(fields: &Fields<'_>) -> Result<Vec<&'static str>, Fault> {
    let mut given = Vec::new();
    for key in ["user", "password", "ca_file", "proxy"] {
        if fields.text(key)?.is_some_and(|text| !text.is_empty()) {
            given.push(key);
        }
    }
    for key in ["limit_up", "limit_down"] {
        let limit = fields.whole(key, 0..=i64::MAX, "bytes a second, 0 for no limit")?;
        if limit.is_some_and(|limit| limit > 0) {
            given.push(key);
        }
    }
    fields.flag("trust_ssl")?;
    fields.whole("timeout", 1..=86_400, "seconds")?;
    fields.whole("poolsize", 1..=64, "transfers at once")?;
    Ok(given)
}

const DIRECTIONS: [(&str, Direction); 3] = [
    ("bi", Direction::Bi),
    ("up", Direction::Up),
    ("down", Direction::Down),
];
const SOLVES: [(&str, Solve); 4] = [
    ("both", Solve::Both),
    ("manual", Solve::Manual),
    ("local", Solve::Local),
    ("remote", Solve::Remote),
];
/// What only told the old client's windows which buttons to show.
const HIDE: &str = "hide_";
const ID_BYTES_MAX: usize = 200;
const LABEL_BYTES_MAX: usize = 100;
const _: () = assert!(ID_BYTES_MAX <= TEXT_BYTES_MAX, "an id is journaled");
