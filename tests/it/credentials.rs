//! Passwords from outside: where they are looked for, kept, and never shown.

use crate::program::{Done, Lab, done, write};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

const ACCOUNT: [&str; 4] = ["-s", "https://h.invalid/p/", "-u", "ada"];
const SECRET: &str = "hunter2 ünd more";

fn login(lab: &Lab, secret: &str) -> Done {
    let file = lab.dir.path().join("secret");
    write(&file, format!("{secret}\nnot this\n"));
    let mut command = lab.bare();
    command.arg("login").args(ACCOUNT).arg("--unchecked");
    done(command.arg("--password-file").arg(file))
}

/// Whether a job of that account has a password, as far as the program can tell
/// without a server.
fn knows_a_password(lab: &Lab) -> bool {
    let mut command = lab.bare();
    command
        .args(ACCOUNT)
        .args(["-w", "ws", "-d"])
        .arg(&lab.local);
    let done = done(command.args(["--once", "-z", "0"]));
    match (done.code, done.err.contains("no password is known")) {
        (2, true) => false,
        (6, false) => true,
        _ => panic!("{done:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("there").permissions().mode() & 0o777
}

#[test]
fn a_password_is_kept_until_logout_in_a_file_of_its_owners() {
    let lab = Lab::new();
    assert!(!knows_a_password(&lab));
    let kept = login(&lab, SECRET);
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(kept.err.contains("credentials.json"), "{kept:?}");
    assert!(kept.err.contains("unchecked"), "{kept:?}");
    let file = lab.state.join("credentials.json");
    assert_eq!((mode(&file), mode(&lab.state)), (0o600, 0o700));
    assert!(knows_a_password(&lab), "the URL is known without its slash");
    let gone = lab.offline(&["logout", "-s", "https://h.invalid/p", "-u", "ada"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(gone.err.contains("removed from the file"), "{gone:?}");
    assert!(!knows_a_password(&lab));
    let again = lab.offline(&["logout", "-s", "https://h.invalid/p", "-u", "ada"]);
    assert!(again.err.contains("no password"), "{again:?}");
}

#[test]
fn each_source_of_a_password_is_understood_and_no_output_shows_one() {
    let lab = Lab::new();
    let file = lab.dir.path().join("secret");
    write(&file, format!("{SECRET}\n"));
    let run = |flags: &[&str], variable: Option<&str>, input: Stdio| {
        let mut command = lab.bare();
        command
            .args(ACCOUNT)
            .args(["-w", "ws", "-d"])
            .arg(&lab.local);
        command.args(["--once", "-z", "0", "-vv"]).args(flags);
        if let Some(secret) = variable {
            command.env("PYDIO_SYNC_PASSWORD", secret);
        }
        done(command.stdin(input))
    };
    let path = file.display().to_string();
    let input = || Stdio::from(fs::File::open(&file).expect("the file"));
    let table = [
        run(&["-p", SECRET], None, Stdio::null()),
        run(&[], Some(SECRET), Stdio::null()),
        run(&["--password-file", &path], None, Stdio::null()),
        run(&["--password-file", "-"], None, input()),
    ];
    for (place, done) in table.iter().enumerate() {
        assert_eq!(done.code, 6, "{place}: {done:?}");
        assert!(!done.err.contains("hunter2") && !done.out.contains("hunter2"));
        let warnings = done
            .err
            .matches("shows the password to other users")
            .count();
        assert_eq!(warnings, usize::from(place == 0), "{done:?}");
    }
    let empty = run(&["--password-file", "/dev/null"], None, Stdio::null());
    assert_eq!(empty.code, 2, "{empty:?}");
    assert!(empty.err.contains("begins with an empty line"), "{empty:?}");
}

#[test]
fn a_file_of_passwords_that_others_can_read_is_not_used_and_that_is_said() {
    let lab = Lab::new();
    assert_eq!(login(&lab, SECRET).code, 0);
    let file = lab.state.join("credentials.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    assert!(!knows_a_password(&lab));
    let doctor = lab.offline(&["doctor", "--json"]);
    assert_eq!(doctor.code, 2, "{doctor:?}");
    assert!(doctor.out.contains("chmod 600"), "{doctor:?}");
    assert!(!doctor.out.contains("hunter2"), "{doctor:?}");
}

#[test]
fn a_password_leaves_its_job_file_and_everything_else_stays() {
    let lab = Lab::new();
    let file = lab.dir.path().join("jobs.json");
    let text = |password: &str| {
        format!(
            "[\n  {{\t\"server\" : \"https://h.invalid/p\", \"user\": \"ada\",{password}\n    \
             \"workspace\": \"ws\", \"directory\": {}, \"hide_up_dir\": \"false\" }}\n]\n\n",
            json!(lab.local)
        )
    };
    let with = text(&format!(" \"password\": {},", json!(SECRET)));
    fs::write(&file, &with).expect("the job file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
    let run = |flags: &[&str]| {
        let mut command = lab.bare();
        done(
            command
                .arg("-f")
                .arg(&file)
                .args(["--once", "-z", "0"])
                .args(flags),
        )
    };
    run(&["--dry-run"]);
    assert_eq!(fs::read_to_string(&file).expect("there"), with);
    let moved = run(&[]);
    assert_eq!(moved.code, 6, "{moved:?}");
    assert!(moved.err.contains("was moved to the file"), "{moved:?}");
    assert!(moved.err.contains("others could read it"), "{moved:?}");
    assert!(!moved.err.contains("hunter2"), "{moved:?}");
    let rest = fs::read_to_string(&file).expect("there");
    assert_eq!(
        rest.split_whitespace().collect::<String>(),
        text("").split_whitespace().collect::<String>()
    );
    assert!(
        rest.starts_with("[\n  {\t\"server\" : ") && rest.ends_with("}\n]\n\n"),
        "{rest}"
    );
    assert_eq!(mode(&file), 0o640);
    assert!(knows_a_password(&lab));
    assert_eq!(run(&[]).err.matches("was moved").count(), 0);
}

#[test]
fn which_account_follows_from_the_jobs_or_is_asked_for() {
    let lab = Lab::new();
    let asked = lab.offline(&["logout"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.err.contains("-s URL -u NAME"), "{asked:?}");
    let add = |workspace: &str, directory: &str, user: &str| {
        let directory = lab.dir.path().join(directory).display().to_string();
        let words = ["jobs", "add", "-s", "https://h.invalid/p", "-d", &directory];
        let added = lab.offline(&[&words[..], &["-w", workspace, "-u", user]].concat());
        assert_eq!(added.code, 0, "{added:?}");
        assert!(added.err.contains("pydio-sync login -s"), "{added:?}");
    };
    add("one", "l1", "ada");
    add("two", "l2", "ada");
    assert_eq!(lab.offline(&["logout"]).code, 0);
    add("one", "l3", "bob");
    let several = lab.offline(&["logout"]);
    assert_eq!(several.code, 2, "{several:?}");
    assert!(several.err.contains("-u bob"), "{several:?}");
    assert_eq!(lab.offline(&["logout", "-u", "bob"]).code, 0);
}
