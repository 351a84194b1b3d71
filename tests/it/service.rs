//! The service from outside: its unit, and what is asked of the service manager.

use crate::program::{Done, Lab, done, read, write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A lab with a home of its own and a `systemctl` that only notes what it is asked.
struct Home {
    lab: Lab,
    home: PathBuf,
    notes: PathBuf,
}

impl Home {
    fn new() -> Self {
        let lab = Lab::new();
        let home = lab.dir.path().join("home");
        let tools = lab.dir.path().join("bin");
        let notes = lab.dir.path().join("notes");
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {notes}\n[ \"$2\" != show ] || printf \
             'ActiveState=active\\nSubState=running\\nUnitFileState=enabled\\nMainPID=77\\n'\n",
            notes = notes.display()
        );
        write(&tools.join("systemctl"), script);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(tools.join("systemctl"), mode).expect("mode");
        let job = format!(
            r#"[{{"id": "docs", "server": "{}", "directory": "{}"}}]"#,
            lab.remote.display(),
            lab.local.display()
        );
        write(&home.join("my jobs.json"), job);
        Self { lab, home, notes }
    }

    fn service(&self, words: &[&str]) -> Done {
        let tools = self.lab.dir.path().join("bin");
        let mut command = self.lab.bare();
        command
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .env_remove("XDG_CONFIG_HOME");
        done(command.arg("service").args(words))
    }

    fn unit(&self) -> PathBuf {
        self.home.join(".config/systemd/user/pydio-sync.service")
    }
}

#[test]
fn the_unit_is_the_golden_one() {
    let home = Home::new();
    let printed = home.service(&["install", "-f", "my jobs.json", "-z", "auto", "--print"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    let text = printed
        .out
        .replace(env!("CARGO_BIN_EXE_pydio-sync"), "/opt/pydio-sync")
        .replace(&home.lab.dir.path().display().to_string(), "/lab");
    assert_eq!(text, include_str!("golden/pydio-sync.service"));
    assert!(
        !home.unit().exists() && !home.notes.exists(),
        "only printed"
    );
    // Where systemd is, it says whether it understands all of it.
    let unit = home.lab.dir.path().join("pydio-sync.service");
    write(&unit, &printed.out);
    let verify = Command::new("systemd-analyze")
        .args(["--user", "verify", "--man=no"])
        .arg(&unit)
        .env("XDG_RUNTIME_DIR", home.lab.dir.path())
        .output();
    if let Ok(output) = verify {
        let words = String::from_utf8_lossy(&output.stderr);
        let about_it: Vec<_> = words
            .lines()
            .filter(|line| line.contains("pydio-sync.service"))
            .collect();
        assert_eq!(about_it, Vec::<&str>::new());
    }
}

#[test]
fn a_service_is_installed_told_of_and_removed() {
    let home = Home::new();
    let status = home.service(&["status"]);
    assert_eq!((status.code, status.out.as_str()), (0, "not installed\n"));
    let done = home.service(&["install", "-f", "my jobs.json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(read(&home.unit()).contains("--zmq-port 5556"));
    let again = home.service(&["install", "-f", "my jobs.json", "--no-start"]);
    assert_eq!(again.code, 0, "{again:?}");
    let status = home.service(&["status"]);
    assert_eq!(
        status.out,
        "pydio-sync.service: active (running), process 77; enabled\n"
    );
    let status = home.service(&["status", "--json"]);
    assert!(status.out.contains(r#""pid":77"#), "{status:?}");
    assert_eq!(home.service(&["uninstall"]).code, 0);
    assert!(!home.unit().exists());
    let asked = read(&home.notes);
    let asked: Vec<_> = asked
        .lines()
        .filter(|line| !line.contains("show"))
        .collect();
    assert_eq!(
        asked,
        [
            "--user daemon-reload",
            "--user enable pydio-sync.service",
            "--user restart pydio-sync.service",
            "--user daemon-reload",
            "--user enable pydio-sync.service",
            "--user disable --now pydio-sync.service",
            "--user daemon-reload",
        ]
    );
}

#[test]
fn what_is_wrong_or_not_ours_changes_nothing() {
    let home = Home::new();
    let done = home.service(&["install", "-f", "no such file"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(!home.unit().exists());
    write(&home.unit(), "[Service]\n");
    for words in [&["install", "-f", "my jobs.json"][..], &["uninstall"]] {
        let done = home.service(words);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains("not written by this program"), "{done:?}");
    }
    assert_eq!(read(&home.unit()), "[Service]\n");
    assert!(!home.notes.exists(), "nobody was asked");
}
