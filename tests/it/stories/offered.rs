//! What `explain` offers works when it is pasted, and nothing is offered that cannot.

use crate::program::{Done, Lab, PROGRAM, done, read, write_long_ago};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn explained(lab: &Lab, path: &str) -> Value {
    let told = lab.offline(&["explain", path, "--json"]);
    serde_json::from_str(&told.out).expect("an object")
}

/// What a line offers: its end, from the program's name on.
fn command(line: &Value) -> &str {
    let line = line.as_str().expect("a line");
    let at = line.find("pydio-sync ").expect("a command");
    &line[at..]
}

/// Runs a line as a person who copies it into a shell, without this test's settings.
fn pasted(command: &str) -> Done {
    let place = Path::new(PROGRAM).parent().expect("its folder");
    let mut shell = Command::new("bash");
    let place = place.to_str().expect("UTF-8");
    shell.args(["-c", &format!("PATH='{place}':$PATH; {command}")]);
    done(shell.env_remove("PYDIO_SYNC_STATE_DIR"))
}

#[test]
fn each_choice_of_a_conflict_is_a_command_of_its_own() {
    let name = "my \u{1b}[31mdraft';x";
    for (keep, kept) in [("both", "theirs"), ("remote", "theirs"), ("local", "mine")] {
        let lab = Lab::new();
        write_long_ago(&lab.local.join(name), "mine");
        write_long_ago(&lab.remote.join(name), "theirs");
        assert_eq!(lab.once(&["--conflict", "manual"]).code, 3);
        let told = explained(&lab, name);
        let lines = told["advice"].as_array().expect("lines");
        let wanted = format!("--keep {keep} ");
        let mut choices = lines.iter().filter(|line| command(line).contains(&wanted));
        let run = pasted(command(choices.next().expect("a choice")));
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(lab.once(&["--conflict", "manual"]).code, 0);
        assert_eq!(read(&lab.remote.join(name)), kept, "{keep}");
    }
}

#[test]
fn a_folder_that_was_deleted_comes_back_by_what_is_offered() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("Photos/one.jpg"), "one");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    fs::remove_dir_all(lab.remote.join("Photos")).expect("gone");
    lab.synced();
    assert!(!lab.local.join("Photos").exists());
    let told = explained(&lab, "Photos");
    let run = pasted(&format!("{} --yes", command(&told["advice"][0])));
    // All of this was one second: what came before is meant as well, and is left.
    assert!([0, 4].contains(&run.code), "{run:?}");
    assert_eq!(read(&lab.local.join("Photos/one.jpg")), "one");
}

#[test]
fn what_the_trash_lost_is_not_offered() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    fs::remove_file(lab.remote.join("a.txt")).expect("gone");
    lab.synced();
    assert_eq!(explained(&lab, "a.txt")["trash"][0]["path"], "a.txt");
    let trash = lab.local.join(".pydio-sync/trash");
    for entry in fs::read_dir(&trash).expect("the trash") {
        fs::remove_file(entry.expect("an entry").path()).expect("emptied");
    }
    let told = explained(&lab, "a.txt");
    assert_eq!(told["trash"], serde_json::json!([]), "{told}");
    let advice = told["advice"][0].as_str().expect("a line");
    assert!(advice.contains("not there any more"), "{advice}");
}

#[test]
fn a_journal_from_elsewhere_offers_no_command() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    fs::remove_file(lab.remote.join("a.txt")).expect("gone");
    lab.synced();
    let file = lab.dir.path().join("mine.pydiojournal");
    let name = file.to_str().expect("UTF-8");
    let job = explained(&lab, "a.txt")["job"].clone();
    let job = job.as_str().expect("an id");
    assert_eq!(lab.offline(&["journal", "export", job, name]).code, 0);
    let told = lab.offline(&["journal", "explain", name, "a.txt"]);
    assert!(told.out.starts_with("`a.txt` was deleted"), "{told:?}");
    assert!(!told.out.contains("pydio-sync "), "{told:?}");
}
