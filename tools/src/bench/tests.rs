//! The parts of the benchmark that can be wrong without anybody noticing.

use super::load;
use super::process::{Sample, run};
use super::report::{Figure, Outcome, ceiling, lines, median_of};
use super::trees::{fill, same, write};
use std::fs;
use std::process::Command;
use std::time::Duration;
use test_servers::pydio::{Options, PydioServer, Workspace};

fn runs(who: &str, millis: &[u64]) -> Outcome {
    let sample = |millis: &u64| Sample {
        wall: Duration::from_millis(*millis),
        peak_bytes: None,
    };
    Outcome::new(who, Figure::Runs(millis.iter().map(sample).collect()))
}

#[test]
fn medians_ratios_and_ceilings_are_of_the_same_runs() {
    let mut outcomes = vec![
        runs("pydio-sync", &[400, 200, 300]),
        runs("cp -r", &[600, 900, 100]),
    ];
    assert_eq!(
        median_of(&outcomes, "cp -r"),
        Some(Duration::from_millis(600))
    );
    ceiling(&mut outcomes, Some(Duration::from_millis(299)), "limit");
    let text = lines("row", outcomes);
    let expect = "\
| row | pydio-sync | 0.30 s | 0.20 s to 0.40 s |  | 1.00 | ceiling 0.30 s (limit): EXCEEDED |
| row | cp -r | 0.60 s | 0.10 s to 0.90 s |  | 2.00 |  |
";
    assert_eq!(text, expect);
}

#[test]
fn a_failure_is_a_line_of_the_table() {
    let failed = Outcome::new("unison", Figure::Failed("no | way".to_owned()));
    assert_eq!(
        lines("row", vec![failed]),
        "| row | unison | failed: no / way |  |  |  |  |\n"
    );
}

#[test]
fn trees_of_one_seed_are_equal_and_differences_are_seen() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let sides = ["one", "other"].map(|name| root.path().join(name));
    for side in &sides {
        fill(side, 7, 250, 20).expect("a tree");
    }
    let [one, other] = &sides;
    let names = ["dir-0000/file-00.dat", "dir-0002/file-49.dat"];
    for name in names {
        let bytes = |side: &std::path::Path| fs::read(side.join(name)).expect("a file");
        assert_eq!(bytes(one), bytes(other));
        assert_eq!(bytes(one).len(), 20);
    }
    assert_ne!(
        fs::read(one.join(names[0])).ok(),
        fs::read(one.join(names[1])).ok()
    );
    fs::create_dir(other.join(".pydio-sync")).expect("a folder");
    same(one, other).expect("nothing differs");
    write(&other.join(names[1]), 7, 0, 21).expect("a file");
    assert!(same(one, other).is_err());
    fs::remove_file(other.join(names[1])).expect("a file");
    assert!(same(one, other).is_err());
    assert!(same(other, one).is_err());
}

#[test]
fn a_run_tells_its_end_its_words_and_its_memory() {
    let logs = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("sh");
    command.args(["-c", "echo data; echo why >&2; exit 5"]);
    let ran = run(&mut command, logs.path()).expect("it runs");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), "data\n"));
    assert!(ran.sample.peak_bytes.is_some_and(|bytes| bytes > 100_000));
    let error = ran.expect(&[0]).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("ended with 5: why"));
}

#[test]
fn the_load_generator_carries_a_tree_to_a_server_and_back() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let sides = ["from", "served", "back"].map(|name| root.path().join(name));
    let [from, served, back] = &sides;
    fill(from, 3, 150, 5000).expect("a tree");
    fs::create_dir(back).expect("a folder");
    let options = Options::new(served).workspace(Workspace::new("1", "sync").without_bin());
    let server = PydioServer::start(options).expect("a server");
    load::upload(server.port(), from).expect("an upload");
    same(from, &server.folder("sync")).expect("nothing differs");
    load::download(server.port(), from, back).expect("a download");
    same(from, back).expect("nothing differs");
    assert_eq!(server.log().total(), 1 + 150 + 150);
}
