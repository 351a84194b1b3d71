//! The job file that the program keeps, and `doctor`, from outside.

use crate::program::{Done, Lab, done, read, write};
use serde_json::Value;
use std::fs;

fn lines(done: &Done) -> Vec<Value> {
    let lines = done.out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn folder(lab: &Lab, name: &str) -> String {
    let path = lab.dir.path().join(name);
    fs::create_dir_all(&path).expect("a folder");
    path.display().to_string()
}

#[test]
fn jobs_that_are_added_run_without_flags_until_they_are_removed() {
    let lab = Lab::new();
    let add = |local: &str, remote: &str, more: &[&str]| {
        let (local, remote) = (folder(&lab, local), folder(&lab, remote));
        let words = ["jobs", "add", "-d", &local, "-s", &remote];
        lab.offline(&[&words[..], more].concat())
    };
    let first = add("l1", "r1", &["--id", "one", "--label", "One", "-dir", "up"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(add("l2", "r2", &[]).code, 0);
    for (local, remote, more, part) in [
        ("l1", "r3", &[][..], "meet"),
        ("l4", "r4", &["--id", "one"], "already"),
        ("l4", "l4", &[], "lie in one another"),
        ("l4", "r4", &["-w", "ws"], "no workspace"),
    ] {
        let refused = add(local, remote, more);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(part), "{part}: {refused:?}");
    }
    write(&lab.dir.path().join("l1/a"), "a");
    write(&lab.dir.path().join("r1/b"), "b");
    write(&lab.dir.path().join("l2/c"), "c");
    let run = done(lab.bare().args(["--once", "--json", "-z", "0"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.out.matches(r#""type":"summary""#).count(), 2, "{run:?}");
    assert_eq!(read(&lab.dir.path().join("r1/a")), "a");
    assert_eq!(read(&lab.dir.path().join("r2/c")), "c");
    assert!(!lab.dir.path().join("l1/b").exists(), "`up` went down");
    let listed = lines(&lab.offline(&["jobs", "list", "--json"]));
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0]["job"], "one");
    assert_eq!(listed[0]["configured"], true);
    let removed = lab.offline(&["jobs", "remove", "One"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let listed = lines(&lab.offline(&["jobs", "list", "--json"]));
    let one = listed
        .iter()
        .find(|job| job["job"] == "one")
        .expect("its journal is here");
    assert_eq!(one["configured"], false);
    let nobody = lab.offline(&["jobs", "remove", "One"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    let file = lab.dir.path().join("config/pydio-sync/jobs.json");
    let jobs: Value = serde_json::from_str(&read(&file)).expect("JSON");
    assert_eq!(jobs.as_array().map(Vec::len), Some(1));
}

#[test]
fn no_id_that_the_program_gives_is_taken_for_a_flag() {
    let lab = Lab::new();
    for (local, remote) in [
        ("日本語", folder(&lab, "r1")),
        ("l2", "webdav://[::1]:1/dav".to_owned()),
    ] {
        let local = folder(&lab, local);
        let words = ["jobs", "add", "-d", &local, "-s", &remote, "-u", "u"];
        let added = lab.offline(&words);
        assert_eq!(added.code, 0, "{added:?}");
    }
    let listed = lines(&lab.offline(&["jobs", "list", "--json"]));
    assert_eq!(listed.len(), 2, "{listed:?}");
    for job in &listed {
        let id = job["job"].as_str().expect("an id");
        assert!(id.starts_with("job-"), "{id}");
        let removed = lab.offline(&["jobs", "remove", id]);
        assert_eq!(removed.code, 0, "{removed:?}");
    }
}

#[test]
fn a_job_is_put_into_a_file_of_the_old_shape_and_taken_out_again_unchanged() {
    let lab = Lab::new();
    let file = lab.dir.path().join("configs.json");
    let (one, other) = (folder(&lab, "r1"), folder(&lab, "r2"));
    let (here, there) = (folder(&lab, "l1"), folder(&lab, "l2"));
    let old = format!(
        "{{ \"one\":{{\"__type__\":\"JobConfig\",\n\n\"server\":\"{one}\",\"directory\":\"{here}\"}}}}"
    );
    fs::write(&file, &old).expect("the job file");
    let path = file.display().to_string();
    let add = [
        "jobs", "add", "-f", &path, "-s", &other, "-d", &there, "--id", "two",
    ];
    let added = lab.offline(&add);
    assert_eq!(added.code, 0, "{added:?}");
    let jobs: Value = serde_json::from_str(&read(&file)).expect("JSON");
    assert_eq!(jobs["two"]["server"], other.as_str());
    assert_eq!(lab.offline(&["jobs", "remove", "two", "-f", &path]).code, 0);
    assert_eq!(read(&file), old);
}

#[test]
fn doctor_has_a_line_and_a_way_out_for_each_thing() {
    let lab = Lab::new();
    let (local, remote) = (folder(&lab, "l1"), folder(&lab, "r1"));
    assert_eq!(
        lab.offline(&["jobs", "add", "-s", &remote, "-d", &local])
            .code,
        0
    );
    let well = lab.offline(&["doctor", "--json"]);
    assert_eq!(well.code, 0, "{well:?}");
    let findings = lines(&well);
    for what in [
        "job file",
        "state folder",
        "passwords",
        "inotify",
        "ports",
        "local folder",
        "remote folder",
    ] {
        let finding = findings.iter().find(|finding| finding["what"] == what);
        assert!(
            finding.is_some_and(|finding| finding["state"] != "fail"),
            "{what}: {well:?}"
        );
    }
    assert!(!lab.state.exists(), "doctor wrote something");
    fs::remove_dir(&remote).expect("a folder");
    let ill = lab.offline(&["doctor"]);
    assert_eq!(ill.code, 2, "{ill:?}");
    let failed: Vec<&str> = ill
        .out
        .lines()
        .filter(|line| line.starts_with("fail"))
        .collect();
    assert_eq!(failed.len(), 1, "{ill:?}");
    assert!(
        failed[0].contains("remote folder") && failed[0].contains("r1"),
        "{ill:?}"
    );
    let file = lab.dir.path().join("config/pydio-sync/jobs.json");
    fs::write(&file, "[{]").expect("the job file");
    let broken = lab.offline(&["doctor"]);
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.out.contains("fail  job file"), "{broken:?}");
}

#[test]
fn doctor_looks_at_jobs_that_ran_without_a_job_file() {
    let lab = Lab::new();
    lab.synced();
    assert_eq!(lab.offline(&["doctor"]).code, 0);
    fs::rename(&lab.remote, lab.dir.path().join("away")).expect("rename");
    let ill = lab.offline(&["doctor"]);
    let place = lab.remote.display().to_string();
    let told = |line: &str| line.starts_with("fail  remote folder") && line.contains(&place);
    assert_eq!(ill.code, 2, "{ill:?}");
    assert!(ill.out.lines().any(told), "{ill:?}");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let lab = Lab::new();
    let file = lab.dir.path().join("jobs.json");
    fs::write(
        &file,
        "[\n {\n  \"server\": \"/r\",\n  \"directory\": \"/l\",\n  \"tiemout\": 3\n }\n]",
    )
    .expect("the job file");
    let path = file.display().to_string();
    let told = lab.offline(&["jobs", "check", &path]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(
        told.err
            .contains("jobs.json: /0/tiemout (line 5): unknown key; did you mean `timeout`?"),
        "{told:?}"
    );
}
