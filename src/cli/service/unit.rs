//! The text of the systemd user unit.
//!
//! In: absolute paths, a port. Out: a unit file. Invariant: what it forbids is nothing
//! that syncing needs; watched by the golden test, and by `systemd-analyze verify`
//! where that is. Deliberately absent, with reasons in `src/decisions/0025`: every
//! directive that needs a mount or user namespace, and `UMask`.

use std::path::Path;

/// What the service runs with.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) program: &'a Path,
    pub(super) job_file: &'a Path,
    pub(super) state_dir: &'a Path,
    /// As `-z` takes it.
    pub(super) port: &'a str,
}

impl Service<'_> {
    /// Returns the whole unit file; nothing when a path is not UTF-8 or holds what a
    /// unit file cannot.
    pub(super) fn text(&self) -> Option<String> {
        let path = |path: &Path| path.to_str().and_then(word);
        let program = path(self.program)?;
        let job_file = path(self.job_file)?;
        let state_dir = path(self.state_dir)?;
        let port = word(self.port)?;
        Some(format!(
            "{MARK}
[Unit]
Description=Keeps folders in sync (pydio-sync)
Documentation=man:pydio-sync(1)
# Five failed starts in five minutes are enough.
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} --file {job_file} --state-dir {state_dir} --zmq-port {port}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=60
Restart=on-failure
RestartSec=10
# A mistake in the job file and a damaged journal need a person.
RestartPreventExitStatus=2 7
# The first signal lets running work end; what is cut off resumes at the next start.
TimeoutStopSec=60
{HARDENING}
[Install]
WantedBy=default.target
"
        ))
    }
}

/// Quotes a word of a command line for systemd, which expands `%` and `$`.
fn word(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) {
        return None;
    }
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "-_./:+@,=".contains(c);
    if !text.is_empty() && text.chars().all(is_simple) {
        return Some(text.to_owned());
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// The first line, by which a unit of ours is known.
pub(super) const MARK: &str = "# Written by `pydio-sync service install`; it is replaced by the \
                               next one.";

/// What a user's service manager can enforce without a namespace.
const HARDENING: &str = "
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources @setuid @aio
SystemCallErrorNumber=EPERM
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reaches_the_program_as_it_is() {
        for (text, quoted) in [
            ("/usr/bin/pydio-sync", Some("/usr/bin/pydio-sync")),
            ("/my jobs/50%.json", Some("\"/my jobs/50%%.json\"")),
            ("/a\"b\\c$d", Some("\"/a\\\"b\\\\c$$d\"")),
            ("", Some("\"\"")),
            ("/a\nExecStart=/bin/false", None),
        ] {
            assert_eq!(word(text).as_deref(), quoted, "{text}");
        }
    }
}
