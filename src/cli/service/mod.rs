//! `service`: the daemon as a systemd user unit.
//!
//! In: a job file. Out: a unit file, and orders to the user's service manager by way
//! of `systemctl`. Invariant: a unit file that somebody else wrote is neither replaced
//! nor removed. Deliberately absent: system-wide units, other service managers. A crash
//! leaves an old unit file or a new one.

mod unit;

use super::args::{Args, Install, Service as Command};
use super::exit::{Exit, Failure};
use super::text::plain;
use super::{jobfile, pair, print, run};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use unit::{MARK, Service};

/// Runs a command about the service.
///
/// # Errors
/// In words, with the exit code.
pub(super) fn run(args: &Args, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Install(install) => self::install(args, install),
        Command::Uninstall => uninstall(args),
        Command::Status => status(args),
    }
}

fn install(args: &Args, install: &Install) -> Result<Exit, Failure> {
    let text = unit_text(args, install)?;
    if install.print {
        print::line(text.trim_end_matches('\n'));
        return Ok(Exit::InSync);
    }
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    run::checked(jobfile::read(&install.file)?, &state_dir)?;
    let place = unit_place()?;
    refuse_foreign(&place)?;
    write(&place, &text).map_err(|error| {
        let message = format!("`{}` cannot be written: {error}", place.display());
        Failure::new(Exit::Internal, message)
    })?;
    print::words(&format!("written: {}", shown(&place)));
    systemctl(&["daemon-reload"])?;
    if install.no_start {
        systemctl(&["enable", UNIT])?;
        print::words("the service starts at the next login");
    } else {
        systemctl(&["enable", UNIT])?;
        // A service that runs takes the new unit; one that does not is started.
        systemctl(&["restart", UNIT])?;
        print::words("the service runs, and starts at each login");
    }
    print::words("  to have it run without a login: loginctl enable-linger");
    Ok(Exit::InSync)
}

fn unit_text(args: &Args, install: &Install) -> Result<String, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        let message = format!("this program's own place is not known: {error}");
        Failure::new(Exit::Internal, message)
    })?;
    let job_file = std::path::absolute(&install.file)
        .map_err(|error| Failure::usage(format!("no usable path: {error}"), "name a file"))?;
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let port = install.zmq_port.to_string();
    let service = Service {
        program: &program,
        job_file: &job_file,
        state_dir: &state_dir,
        port: &port,
    };
    service.text().ok_or_else(|| {
        Failure::usage(
            "a path holds a line break or is not UTF-8, which a unit file cannot hold",
            "choose another place for the program, the job file or the state folder",
        )
    })
}

fn uninstall(args: &Args) -> Result<Exit, Failure> {
    let place = unit_place()?;
    if !place.exists() {
        print::warning(args, "no service is installed");
        return Ok(Exit::InSync);
    }
    refuse_foreign(&place)?;
    systemctl(&["disable", "--now", UNIT])?;
    std::fs::remove_file(&place).map_err(|error| {
        let message = format!("`{}` cannot be removed: {error}", place.display());
        Failure::new(Exit::Internal, message)
    })?;
    systemctl(&["daemon-reload"])?;
    print::words(&format!("stopped and removed: {}", shown(&place)));
    Ok(Exit::InSync)
}

fn status(args: &Args) -> Result<Exit, Failure> {
    let place = unit_place()?;
    let is_installed = place.exists();
    let mut properties = BTreeMap::new();
    if is_installed {
        let shown = systemctl(&["show", UNIT, "--property", PROPERTIES])?;
        let pairs = shown.lines().filter_map(|line| line.split_once('='));
        properties.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let value = |name: &str| properties.get(name).map_or("", String::as_str);
    let process = value("MainPID").parse::<u32>().ok().filter(|id| *id > 0);
    if args.common.json {
        let or_null = |name| Some(value(name)).filter(|value| !value.is_empty());
        print::data(&json!({
            "type": "service", "installed": is_installed, "unit": place.to_str(),
            "active": or_null("ActiveState"), "sub": or_null("SubState"),
            "enabled": or_null("UnitFileState"), "result": or_null("Result"), "pid": process,
        }));
    } else if is_installed {
        let process = process.map_or_else(String::new, |id| format!(", process {id}"));
        print::line(&plain(&format!(
            "{UNIT}: {} ({}){process}; {}",
            value("ActiveState"),
            value("SubState"),
            value("UnitFileState"),
        )));
    } else {
        print::line("not installed");
    }
    Ok(Exit::InSync)
}

/// Asks the user's service manager. Returns what it printed.
fn systemctl(words: &[&str]) -> Result<String, Failure> {
    let mut command = std::process::Command::new("systemctl");
    command.arg("--user").args(words).stdin(Stdio::null());
    let by_hand = format!("run it by hand: systemctl --user {}", words.join(" "));
    let failed = |why: &str| {
        let message = format!("`systemctl --user {}` failed: {why}", words.join(" "));
        Failure::new(Exit::Internal, message).hint(by_hand.clone())
    };
    let output = command
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(failed(&plain(why.lines().next().unwrap_or("no reason"))))
}

/// Where the user's units are.
fn unit_place() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".config"));
    let config = config.or_else(home).ok_or_else(|| {
        Failure::usage(
            "no place for the unit file: HOME is not set",
            "run this as the user whose folders are synced",
        )
    })?;
    Ok(config.join("systemd/user").join(UNIT))
}

fn refuse_foreign(place: &Path) -> Result<(), Failure> {
    match std::fs::read_to_string(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(text) if text.starts_with(MARK) => Ok(()),
        Ok(_) | Err(_) => Err(Failure::usage(
            format!("`{}` was not written by this program", place.display()),
            "move it away first",
        )),
    }
}

fn write(place: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = place.with_extension("new");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, place)
}

fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

const UNIT: &str = "pydio-sync.service";
const PROPERTIES: &str = "ActiveState,SubState,UnitFileState,Result,MainPID";
