//! The real program on temporary folders, for the suites that look from outside.

use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

/// Two folders and a state folder.
pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) local: PathBuf,
    pub(crate) remote: PathBuf,
    pub(crate) state: PathBuf,
}

/// What a run of the program gave.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The object of type `summary`, if there was one.
    pub(crate) summary: Value,
}

/// A program that runs until told otherwise; killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let place = |name: &str| dir.path().join(name);
        let lab = Self {
            local: place("local"),
            remote: place("remote"),
            state: place("state"),
            dir,
        };
        std::fs::create_dir(&lab.local).expect("local");
        std::fs::create_dir(&lab.remote).expect("remote");
        lab
    }

    /// The program with the pair's flags.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.bare();
        command.arg("-s").arg(&self.remote);
        command.arg("-d").arg(&self.local).args(["-z", "0"]);
        command
    }

    /// The program with this lab's state folder and nothing else.
    pub(crate) fn bare(&self) -> Command {
        self.wrapped(&[])
    }

    /// The program behind another one.
    pub(crate) fn wrapped(&self, before: &[&str]) -> Command {
        let mut words = before.iter().chain([&PROGRAM]);
        let mut command = Command::new(words.next().expect("the program at least"));
        command
            .args(words)
            .env("PYDIO_SYNC_STATE_DIR", &self.state)
            .env_remove("PYDIO_SYNC_PASSWORD")
            // Neither the keyring nor the jobs of whoever runs the tests.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn once(&self, flags: &[&str]) -> Done {
        done(self.command().args(["--once", "--json"]).args(flags))
    }

    /// Syncs once and expects that all went well.
    pub(crate) fn synced(&self) -> Done {
        let done = self.once(&[]);
        assert_eq!(done.code, 0, "{done:?}");
        done
    }

    pub(crate) fn offline(&self, words: &[&str]) -> Done {
        done(self.bare().args(words))
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Running {
        let mut command = self.command();
        command
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Running(command.spawn().expect("the program starts"))
    }

    /// Checks that both folders hold the same, and returns it.
    pub(crate) fn equal(&self) -> BTreeMap<String, String> {
        let local = tree(&self.local);
        assert_eq!(local, tree(&self.remote));
        local
    }
}

impl Done {
    /// Whether nothing was done on either side.
    pub(crate) fn is_idle(&self) -> bool {
        let counts = [
            "uploaded",
            "downloaded",
            "created_dirs",
            "moved",
            "deleted_local",
            "deleted_remote",
        ];
        counts.iter().all(|count| self.summary[*count] == 0)
    }
}

impl Running {
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Fails at once where the program ended before it did what is waited for.
    pub(crate) fn goes_on(&mut self) -> bool {
        let ended = self.0.try_wait().expect("a child of ours");
        assert!(ended.is_none(), "it ended early: {ended:?}");
        true
    }

    /// Waits for the end, with a deadline.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.0.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("it ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub(crate) fn done(command: &mut Command) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let out = String::from_utf8(stdout).expect("UTF-8 on stdout");
    let err = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!err.contains("panicked"), "{err}");
    let mut objects = out
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let summary = objects.rfind(|object: &Value| object["type"] == "summary");
    Done {
        code: status.code().unwrap_or(-1),
        out,
        err,
        summary: summary.unwrap_or(Value::Null),
    }
}

/// Looks again and again until a condition holds. Only a hang lasts for ten minutes, also
/// on a disk that is busy with something else.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        pause(10);
    }
    panic!("waited ten minutes: {what}");
}

/// Lets other processes run for a while.
pub(crate) fn pause(millis: u64) {
    std::thread::park_timeout(Duration::from_millis(millis));
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, content).expect("file");
}

/// Writes a file that is old enough for nobody to wait until it has settled.
pub(crate) fn write_long_ago(path: &Path, content: impl AsRef<[u8]>) {
    write(path, content);
    let file = std::fs::File::options().write(true).open(path);
    let then = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    file.expect("file").set_modified(then).expect("its time");
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything in a folder but our own: `path/` for folders, the target for links,
/// size and hash for files.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").as_os_str();
            let name = name.as_bytes().escape_ascii().to_string();
            if name == ".pydio-sync" {
                continue;
            }
            let kind = path.symlink_metadata().expect("a stat").file_type();
            if kind.is_dir() {
                found.insert(format!("{name}/"), String::new());
                open.push(path);
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&path).expect("a link");
                found.insert(name, format!("-> {}", target.display()));
            } else if kind.is_file() {
                let content = std::fs::read(&path).expect("a file");
                let hash = blake3::hash(&content).to_hex();
                found.insert(name, format!("{} bytes {}", content.len(), &hash[..16]));
            } else {
                found.insert(name, format!("{kind:?}"));
            }
        }
    }
    found
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pydio-sync");

/// Checks that a run failed as the user's mistake and said so.
pub(crate) fn refused(done: &Done, parts: &[&str]) {
    assert_eq!(done.code, 2, "{done:?}");
    for part in parts {
        assert!(done.err.contains(part), "`{part}` is not in: {done:?}");
    }
}
