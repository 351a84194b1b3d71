//! One job of a job file.
//!
//! In: a JSON object. Out: a [`JobConfig`], or the first mistake. Invariant: a key that
//! is not known is a mistake, never passed over. Deliberately absent:
//! whether the places exist (`pair`). A new key is a line in [`KEYS`] and in [`read`].

use super::fault::Fault;
use super::fields::{Fields, pointer};
use crate::adapters::remote::Link;
use crate::adapters::rooted::Filter;
use crate::adapters::secret::Secret;
use crate::cli::config::{DAY_MS, Given, JobConfig, POLL_INTERVAL_MS, TRASH_DAYS, default_rules};
use crate::daemon::supervisor::Frequency;
use journal_format::value::{Brakes, Direction, Mode, Policy, Solve, TEXT_BYTES_MAX};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every key a job may have, beside those that begin with [`HIDE`].
const KEYS: [&str; 31] = [
    "__type__",
    "active",
    "ca_file",
    "client_cert",
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
    "recheck",
    "remote_folder",
    "requests_max",
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
        fields.missing(
            "server",
            "a URL like `https://host/pydio`, or a folder's path",
        )
    })?;
    if !server.contains("://") && !Path::new(server).is_absolute() {
        return Err(fields.wrong("server", "a path that begins with `/`, or a URL, is wanted"));
    }
    let direction = fields
        .choice("direction", &DIRECTIONS)?
        .unwrap_or(Direction::Bi);
    Ok(JobConfig {
        at: Some(at.to_owned()),
        place: None,
        id,
        label: label(&fields)?,
        server: server.to_owned(),
        workspace: given(&fields, "workspace")?.map(str::to_owned),
        directory: directory(&fields)?,
        remote_folder: fields.text("remote_folder")?.unwrap_or("/").to_owned(),
        user: given(&fields, "user")?.map(str::to_owned),
        password: given(&fields, "password")?.map(|text| Given::JobFile(Secret::new(text))),
        link: link(&fields)?,
        policy: Policy {
            direction,
            mode: mode(&fields, direction)?,
            solve: fields.choice("solve", &SOLVES)?.unwrap_or(Solve::Both),
            brakes: brakes(&fields)?,
        },
        filter: filter(at, &fields, server)?,
        poll_interval_ms: fields
            .whole("poll_interval", 1..=86_400, "seconds")?
            .map_or(POLL_INTERVAL_MS, |seconds| seconds * 1000),
        trash_ms: fields
            .whole("trash_days", 0..=36_500, "days")?
            .unwrap_or(TRASH_DAYS)
            * DAY_MS,
        is_active: fields.flag("active")?.unwrap_or(true),
        frequency: frequency(at, &fields)?,
        server_keys: server_keys(&fields),
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
fn filter(at: &str, fields: &Fields<'_>, server: &str) -> Result<Filter, Fault> {
    let mut rules = default_rules(server);
    if let Some(value) = fields.get("filters") {
        let at = pointer(at, "filters");
        let filters = Fields::of(&at, value)?;
        filters.only(&["includes", "excludes"], "")?;
        rules.includes = filters.texts("includes")?.unwrap_or_default();
        if let Some(excludes) = filters.texts("excludes")? {
            rules.excludes = excludes;
            rules.defaults = false;
            rules.hidden = false;
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

/// A job that does not monitor runs when told, as with the old client.
fn frequency(at: &str, fields: &Fields<'_>) -> Result<Frequency, Fault> {
    let words = [("auto", 'a'), ("manual", 'm'), ("time", 't')];
    let word = fields.choice("frequency", &words)?;
    let time = match fields.get("start_time") {
        None => None,
        Some(value) => {
            let at = pointer(at, "start_time");
            let time = Fields::of(&at, value)?;
            time.only(&["h", "m"], "")?;
            let part = |key, max, unit| {
                let part = time.whole(key, 0..=max, unit)?.unwrap_or(0);
                Ok(u8::try_from(part).unwrap_or(0))
            };
            Some((part("h", 23, "hours")?, part("m", 59, "minutes")?))
        }
    };
    match (word, time) {
        (Some('t'), Some((hour, minute))) => Ok(Frequency::Daily { hour, minute }),
        (Some('t'), None) => Err(fields.wrong(
            "frequency",
            "the time of day is missing: add \"start_time\": {\"h\": 3, \"m\": 0}",
        )),
        (Some('m'), _) => Ok(Frequency::Manual),
        _ if fields.flag("monitor")? == Some(false) => Ok(Frequency::Manual),
        _ => Ok(Frequency::Auto),
    }
}

/// A text that says something.
fn given<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<&'a str>, Fault> {
    Ok(fields.text(key)?.filter(|text| !text.is_empty()))
}

/// How a server is reached.
fn link(fields: &Fields<'_>) -> Result<Link, Fault> {
    let default = Link::default();
    let limit = |key| {
        let limit = fields.whole(key, 0..=i64::MAX, "bytes a second, 0 for no limit")?;
        Ok(limit.unwrap_or(0).unsigned_abs())
    };
    let file = |key| {
        let path = given(fields, key)?.map(PathBuf::from);
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(fields.wrong(key, "a path that begins with `/` is wanted"));
        }
        Ok(path)
    };
    Ok(Link {
        trust_ssl: fields.flag("trust_ssl")?.unwrap_or(default.trust_ssl),
        ca_file: file("ca_file")?,
        client_cert: file("client_cert")?,
        proxy: proxy(fields)?,
        timeout: fields
            .whole("timeout", 1..=86_400, "seconds")?
            .map_or(default.timeout, |seconds| {
                Duration::from_secs(seconds.unsigned_abs())
            }),
        recheck: fields
            .whole("recheck", 5..=86_400, "seconds")?
            .map_or(default.recheck, |seconds| {
                Duration::from_secs(seconds.unsigned_abs())
            }),
        poolsize: fields
            .whole("poolsize", 1..=64, "transfers at once")?
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(default.poolsize),
        limit_up: limit("limit_up")?,
        limit_down: limit("limit_down")?,
        requests_max: fields
            .whole(
                "requests_max",
                0..=1_000_000,
                "requests a second, 0 for no limit",
            )?
            .map_or(0, i64::unsigned_abs),
    })
}

/// A proxy's URL may hold a password, so no message shows it.
fn proxy(fields: &Fields<'_>) -> Result<Option<Secret>, Fault> {
    let Some(text) = given(fields, "proxy")? else {
        return Ok(None);
    };
    let url = url::Url::parse(text).ok();
    let is_right =
        url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_right {
        Ok(Some(Secret::new(text)))
    } else {
        Err(fields.wrong("proxy", "a URL like `http://host:3128` is wanted"))
    }
}

/// The given keys whose author may expect something of them, and which some kind of
/// remote does not need.
fn server_keys(fields: &Fields<'_>) -> Vec<&'static str> {
    let keys = [
        "user",
        "password",
        "ca_file",
        "client_cert",
        "proxy",
        "limit_up",
        "limit_down",
        "requests_max",
        "recheck",
    ];
    let says_something = |value: &Value| value.as_str() != Some("") && value.as_i64() != Some(0);
    keys.into_iter()
        .filter(|key| fields.get(key).is_some_and(says_something))
        .collect()
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
