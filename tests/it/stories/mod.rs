//! Ten stories: what happened to a file, as a person lives it and as `explain` tells it.
//!
//! Each runs the real program on real folders. What `explain` says is pinned in
//! `tests/golden/stories`, with names of machines, times, numbers and ids replaced;
//! `BLESS=1 cargo test --test it stories` writes the pages anew. Each journal is then
//! replayed (what was started was planned), made small (what is left still shows it).

mod offered;
mod told;

use crate::program::{Lab, Running, done, read, until, write_long_ago};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use told::{documented, events, pinned, small, told, truthful};

#[test]
fn a_file_deleted_by_a_colleague_and_edited_here_lives_on() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("report.txt"), "first");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    fs::remove_file(lab.remote.join("report.txt")).expect("gone");
    write_long_ago(&lab.local.join("report.txt"), "second and longer");
    lab.synced();
    assert_eq!(read(&lab.remote.join("report.txt")), "second and longer");
    pinned("deleted-there-edited-here", &told(&lab, "report.txt"));
    truthful(&lab);
    small(&lab, "edited-against-deleted", "rule:E1", 12);
}

#[test]
fn a_folder_moved_on_both_sides_is_where_the_remote_put_it() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("plans/a.txt"), "plan");
    lab.synced();
    fs::rename(lab.local.join("plans"), lab.local.join("mine")).expect("renamed");
    fs::rename(lab.remote.join("plans"), lab.remote.join("theirs")).expect("renamed");
    lab.synced();
    assert!(lab.equal().contains_key("theirs/a.txt"));
    pinned("folder-moved-on-both-sides", &told(&lab, "plans/a.txt"));
    pinned("folder-moved-on-both-sides-itself", &told(&lab, "mine"));
    truthful(&lab);
    small(&lab, "moved-on-both-sides", "rule:C2", 10);
}

#[test]
fn a_disk_that_is_not_there_deletes_nothing() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    lab.synced();
    let away = lab.dir.path().join("away");
    fs::rename(&lab.remote, &away).expect("unmounted");
    assert_eq!(lab.once(&[]).code, 5);
    // Both sides are looked at at once: which is told first is settled by two runs.
    write_long_ago(&lab.local.join("a.txt"), "two and longer");
    assert_eq!(lab.once(&[]).code, 5);
    pinned("disk-unmounted", &told(&lab, "a.txt"));
    small(&lab, "disk-unmounted", "halt", 3);
    fs::rename(&away, &lab.remote).expect("mounted");
    lab.synced();
    pinned("disk-mounted-again", &told(&lab, "a.txt"));
    truthful(&lab);
}

#[test]
fn a_changed_filter_deletes_nothing() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("run.log"), "lines");
    write_long_ago(&lab.local.join("a.txt"), "text");
    let jobs = lab.dir.path().join("jobs.json");
    let once = |excludes: &[&str]| {
        let job = json!([{
            "id": "docs", "directory": lab.local, "server": lab.remote,
            "filters": {"includes": ["*"], "excludes": excludes},
        }]);
        fs::write(&jobs, job.to_string()).expect("job file");
        let run = done(lab.bare().arg("-f").arg(&jobs).args(["--once", "--json"]));
        assert_eq!(run.code, 0, "{run:?}");
    };
    once(&[]);
    once(&["*.log"]);
    assert!(lab.remote.join("run.log").exists());
    pinned("filter-changed", &told(&lab, "run.log"));
    truthful(&lab);
    small(&lab, "filter-changed", "operation:upload:run.log", 4);
    let asked = lab.offline(&["journal", "what-if", "docs", "--exclude", "*.txt"]);
    assert_eq!(
        asked.out.lines().next(),
        Some("with this filter 1 file would no longer be synced, none would be deleted"),
        "{asked:?}"
    );
}

#[test]
fn an_upload_interrupted_by_a_crash_is_taken_up_again() {
    let lab = Lab::new();
    lab.synced();
    let staging = lab.remote.join(".pydio-sync/staging");
    let is_writing = || fs::read_dir(&staging).is_ok_and(|mut entries| entries.next().is_some());
    let content = vec![7_u8; 64 << 20];
    // The kill may come too late; then the next file is tried.
    let name = (0..20).map(|n| format!("video-{n}.bin")).find(|name| {
        write_long_ago(&lab.local.join(name), &content);
        let mut command = lab.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running(command.spawn().expect("the program starts"));
        until("it writes", || {
            is_writing() || lab.remote.join(name).exists()
        });
        running.signal("-KILL");
        running.end();
        lab.synced();
        let told = lab.offline(&["explain", name]).out;
        told.contains("how it ended is not known")
    });
    let name = name.expect("one of twenty kills came in time");
    pinned(
        "upload-interrupted",
        &told(&lab, &name).replace(&name, "video.bin"),
    );
    lab.equal();
    truthful(&lab);
    small(
        &lab,
        "upload-interrupted",
        &format!("operation:upload:{name}"),
        6,
    );
}

#[test]
fn a_clock_that_is_wrong_decides_nothing() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    lab.synced();
    let file = lab.remote.join("a.txt");
    fs::write(&file, "two, by a client from 1971").expect("written");
    let wrong = SystemTime::UNIX_EPOCH + Duration::from_secs(31_536_000);
    let open = fs::File::options().write(true).open(&file).expect("file");
    open.set_modified(wrong).expect("its time");
    lab.synced();
    assert_eq!(read(&lab.local.join("a.txt")), "two, by a client from 1971");
    pinned("clock-wrong", &told(&lab, "a.txt"));
    truthful(&lab);
    small(&lab, "clock-wrong", "rule:D1", 6);
}

#[test]
fn a_file_that_became_a_folder_is_one_on_both_sides() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("notes"), "a file");
    write_long_ago(&lab.local.join("other.txt"), "other");
    write_long_ago(&lab.local.join("third.txt"), "third");
    lab.synced();
    fs::remove_file(lab.local.join("notes")).expect("gone");
    write_long_ago(&lab.local.join("notes/today.txt"), "inside");
    lab.synced();
    assert!(lab.equal().contains_key("notes/today.txt"));
    pinned("file-became-folder", &told(&lab, "notes"));
    truthful(&lab);
    small(
        &lab,
        "file-became-folder",
        "operation:make_directory:notes",
        8,
    );
}

#[test]
fn a_conflict_keeps_both_versions() {
    let lab = Lab::new();
    lab.synced();
    write_long_ago(&lab.local.join("draft.txt"), "mine and longer");
    write_long_ago(&lab.remote.join("draft.txt"), "theirs");
    lab.synced();
    assert_eq!(lab.equal().len(), 2);
    pinned("conflict-on-both-sides", &told(&lab, "draft.txt"));
    truthful(&lab);
    small(&lab, "created-on-both-sides", "conflict:draft.txt", 8);
}

#[test]
fn a_file_deleted_by_mistake_comes_back_from_the_trash() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("letters/draft.txt"), "dear");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    fs::remove_file(lab.remote.join("letters/draft.txt")).expect("gone");
    lab.synced();
    pinned("deleted-by-mistake", &told(&lab, "letters/draft.txt"));
    documented("my-file-is-gone.md", "deleted-by-mistake");
    let whole = lab.offline(&["explain", "letters/draft.txt", "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&whole.out).expect("an object");
    let command = whole["trash"][0]["command"].as_str().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(lab.offline(&words).code, 0, "{command}");
    lab.synced();
    assert_eq!(read(&lab.remote.join("letters/draft.txt")), "dear");
    pinned(
        "deleted-by-mistake-and-back",
        &told(&lab, "letters/draft.txt"),
    );
    truthful(&lab);
    small(
        &lab,
        "deleted-by-mistake",
        "operation:remove:letters/draft.txt",
        9,
    );
}

#[test]
fn a_mass_deletion_waits_for_a_person() {
    let lab = Lab::new();
    for n in 0..30 {
        write_long_ago(
            &lab.local.join(format!("photo-{n:02}.jpg")),
            format!("picture {n}"),
        );
    }
    lab.synced();
    for n in 0..25 {
        fs::remove_file(lab.remote.join(format!("photo-{n:02}.jpg"))).expect("gone");
    }
    assert_eq!(lab.once(&[]).code, 5);
    pinned("mass-deletion-halted", &told(&lab, "photo-03.jpg"));
    let held = lab.offline(&["journal", "what-if", "--max-delete", "100"]);
    assert!(held.out.contains("25 more would be deleted"), "{held:?}");
    assert_eq!(lab.offline(&["approve"]).code, 0);
    lab.synced();
    pinned("mass-deletion-approved", &told(&lab, "photo-03.jpg"));
    truthful(&lab);
    assert!(
        events(&lab)
            .iter()
            .any(|event| event["type"] == "halt_approved")
    );
    small(&lab, "mass-deletion", "halt", 90);
    assert!(!Path::new(&lab.local).join("photo-03.jpg").exists());
}
