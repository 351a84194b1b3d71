//! Journals without their beginning, and numbers of events that there are not.

use crate::program::{Lab, write_long_ago};
use pydio_sync::journal::{PortableReader, PortableWriter};
use serde_json::Value;

/// A lab that synced twice, and its journal from the second session on.
fn tail() -> (Lab, String) {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    let status = lab.offline(&["status", "--json"]);
    let status: Value =
        serde_json::from_str(status.out.lines().next().expect("a line")).expect("JSON");
    write_long_ago(&lab.local.join("a.txt"), "two and longer");
    lab.synced();
    let file = lab.dir.path().join("tail.pydiojournal");
    let file = file.to_str().expect("UTF-8").to_owned();
    let job = status["job"].as_str().expect("an id");
    let from = (status["seq"].as_u64().expect("a number") + 1).to_string();
    let done = lab.offline(&["journal", "export", job, &file, "--from", &from]);
    assert_eq!(done.code, 0, "{done:?}");
    (lab, file)
}

/// The same file as a writer leaves it that does not know the state before it.
fn without_state(lab: &Lab, file: &str) -> String {
    let bytes = std::fs::read(file).expect("read");
    let mut reader = PortableReader::open(&bytes[..]).expect("a header");
    assert!(reader.state().expect("whole").is_some());
    let mut writer = PortableWriter::begin(Vec::new(), reader.header()).expect("begun");
    for read in reader {
        let stored = read.expect("a record");
        let done = writer.record(stored.record.seq, &stored.bytes);
        done.expect("written");
    }
    let path = lab.dir.path().join("bare.pydiojournal");
    std::fs::write(&path, writer.finish().expect("finished")).expect("write");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_journal_from_the_middle_says_what_the_whole_one_says() {
    let (lab, tail) = tail();
    let ask = |words: &[&str]| {
        let done = lab.offline(&[&["journal"], words].concat());
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done.out
    };
    let end = |out: String| out.lines().last().expect("an end").to_owned();
    let hidden = lab.dir.path().join("hidden.pydiojournal");
    let hidden = hidden.to_str().expect("UTF-8");
    ask(&["export", &tail, hidden, "--redact"]);
    assert_eq!(ask(&["tree", &tail]), ask(&["tree"]));
    assert_eq!(end(ask(&["replay", &tail])), end(ask(&["replay"])));
    assert_eq!(
        end(ask(&["replay", &tail, "--step"])),
        end(ask(&["replay"]))
    );
    ask(&["what-if", &tail, "--direction", "up"]);
    for path in ["a.txt", "other.txt"] {
        let told = ask(&["explain", &tail, path]);
        assert!(told.starts_with(&format!("`{path}` is in sync")), "{told}");
    }
    let small = lab.dir.path().join("small.pydiojournal");
    let small = small.to_str().expect("UTF-8");
    let keep = "operation:upload:a.txt";
    let fixture = lab.offline(&["journal", "minimize", &tail, "--keep", keep]);
    assert_eq!(fixture.code, 2, "{fixture:?}");
    assert!(fixture.err.contains("`--out FILE`"), "{fixture:?}");
    ask(&["minimize", &tail, "--keep", keep, "--out", small]);
    let plans = ask(&["replay", small]);
    assert!(plans.contains("U1 upload a.txt"), "{plans}");
    assert!(ask(&["cat", small]).lines().count() < ask(&["cat", &tail]).lines().count());
    for file in [&tail, hidden, small] {
        let done = lab.offline(&["journal", "verify", file]);
        assert_eq!(done.code, 0, "{file}: {done:?}");
    }

    let bytes = std::fs::read(hidden).expect("read");
    // What stands for a name of one letter may be that letter.
    for name in ["other", lab.local.to_str().expect("UTF-8")] {
        let is_there = bytes.windows(name.len()).any(|it| it == name.as_bytes());
        assert!(!is_there, "`{name}` is in a redacted file");
    }
    let shape = |out: String| -> Vec<String> {
        let sizes = out.lines().map(|line| line[..12].to_owned());
        let mut sizes: Vec<String> = sizes.collect();
        sizes.sort();
        sizes
    };
    assert_eq!(shape(ask(&["tree", hidden])), shape(ask(&["tree"])));
}

#[test]
fn a_journal_from_the_middle_is_imported_with_its_state() {
    let (lab, tail) = tail();
    let bare = without_state(&lab, &tail);
    let job = lab.offline(&["journal", "stat", "--json"]);
    let job: Value = serde_json::from_str(job.out.trim()).expect("JSON");
    let job = job["job"].as_str().expect("an id").to_owned();
    let tree = lab.offline(&["journal", "tree"]).out;
    std::fs::remove_dir_all(lab.state.join("jobs")).expect("lost");
    let refused = lab.offline(&["journal", "import", &bare]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains("the state before it is not in it"),
        "{refused:?}"
    );
    let imported = lab.offline(&["journal", "import", &tail]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!(lab.offline(&["journal", "tree", &job]).out, tree);
    assert_eq!(lab.offline(&["journal", "verify", &job]).code, 0);
    std::fs::remove_file(lab.remote.join("other.txt")).expect("deleted meanwhile");
    let careful = lab.once(&[]);
    assert_eq!(careful.code, 5, "nothing is deleted unasked: {careful:?}");
    assert_eq!(lab.offline(&["approve", &job]).code, 0);
    lab.synced();
    assert_eq!(lab.equal().len(), 1);
    assert_eq!(lab.offline(&["journal", "verify", &job]).code, 0);
}

#[test]
fn a_state_that_no_fold_gave_is_refused() {
    let (lab, tail) = tail();
    let bytes = std::fs::read(&tail).expect("read");
    let mut reader = PortableReader::open(&bytes[..]).expect("a header");
    let mut state = reader.state().expect("whole").expect("a state");
    let middle = state.len() / 2;
    state[middle] ^= 1;
    let mut writer = PortableWriter::begin(Vec::new(), reader.header()).expect("begun");
    writer.state(&state).expect("written");
    for read in reader {
        let stored = read.expect("a record");
        let done = writer.record(stored.record.seq, &stored.bytes);
        done.expect("written");
    }
    std::fs::write(&tail, writer.finish().expect("finished")).expect("write");
    for words in [
        &["tree", &*tail][..],
        &["replay", &tail],
        &["explain", &tail, "a.txt"],
        &["import", &tail, "--job", "fresh"],
    ] {
        let done = lab.offline(&[&["journal"], words].concat());
        assert_eq!((done.code, &*done.out), (7, ""), "{words:?}: {done:?}");
        assert!(done.err.contains("cannot be used"), "{done:?}");
    }
    assert_eq!(lab.offline(&["journal", "cat", &tail]).code, 0);
}

#[test]
fn what_follows_from_all_events_is_not_told_of_some() {
    let (lab, tail) = tail();
    let tail = without_state(&lab, &tail);
    for words in [
        &["tree"][..],
        &["replay"],
        &["replay", "--step"],
        &["replay", "--path", "a.txt"],
        &["what-if", "--direction", "up"],
        &["minimize", "--keep", "rule:U1"],
    ] {
        let done = lab.offline(&[&["journal"], words, &[&tail]].concat());
        assert_eq!(
            (done.code, done.out.as_str()),
            (2, ""),
            "{words:?}: {done:?}"
        );
        assert!(
            done.err.contains("what was before is not in it"),
            "{done:?}"
        );
    }
    for (path, told) in [
        ("a.txt", "uploaded"),
        ("other.txt", "since then it says nothing"),
    ] {
        let done = lab.offline(&["journal", "explain", &tail, path]);
        assert_eq!(done.code, 0, "{done:?}");
        let first = format!("how `{path}` stands cannot be told: this journal begins at event ");
        assert!(
            done.out.starts_with(&first) && done.out.contains(told),
            "{done:?}"
        );
    }
}

#[test]
fn an_event_that_there_is_not_is_no_empty_answer() {
    let (lab, _) = tail();
    for words in [
        &["journal", "tree", "--at", "99999"][..],
        &["journal", "replay", "--until", "99999"],
        &["journal", "cat", "--from", "99999"],
        &["undo", "99999"],
    ] {
        let done = lab.offline(words);
        assert_eq!(done.code, 2, "{words:?}: {done:?}");
        assert!(done.err.contains("this journal ends at event "), "{done:?}");
    }
    let backwards = lab.offline(&["journal", "cat", "--from", "9", "--to", "3"]);
    assert_eq!(backwards.code, 2, "{backwards:?}");
    let nothing = lab.offline(&["journal", "tree", "--path", "nosuch"]);
    assert!(
        nothing.err.contains("nothing was at `nosuch`"),
        "{nothing:?}"
    );
}

#[test]
fn steps_say_what_the_whole_replay_says() {
    let (lab, _) = tail();
    let lines = |words: &[&str]| -> Vec<Value> {
        let done = lab.offline(&[&["journal", "replay", "--json"], words].concat());
        assert_eq!(done.code, 0, "{done:?}");
        let lines = done.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let whole = lines(&[]);
    // Nobody is asked where nobody can answer.
    let steps = lines(&["--step"]);
    let of_path = lines(&["--path", "a.txt"]);
    assert_eq!(steps.last(), whole.last());
    let plans = whole.iter().filter(|line| line["type"] == "plan");
    for plan in plans {
        let step = steps
            .iter()
            .find(|step| step["seq"] == plan["seq"])
            .expect("a step");
        for field in ["hash", "steps"] {
            assert_eq!(step["plan"][field], plan[field], "{step}");
        }
    }
    let done = |step: &&Value| step["event"]["type"] == "operation_succeeded";
    let uploads: Vec<&Value> = of_path.iter().filter(done).collect();
    assert_eq!(uploads.len(), 2, "{of_path:?}");
    for step in uploads {
        let text = step["text"].as_str().expect("a sentence");
        assert!(text.starts_with("uploaded, "), "{text}");
    }
    let until = steps[steps.len() / 2]["seq"].to_string();
    let half = lines(&["--step", "--until", &until]);
    assert_eq!(half.last().expect("an end")["seq"].to_string(), until);
}

#[test]
fn steps_plan_where_the_replay_does_and_are_data() {
    let lab = Lab::new();
    for number in 0..100 {
        write_long_ago(&lab.local.join(format!("f{number}")), "content");
    }
    lab.synced();
    let done = lab.offline(&["journal", "replay", "--json", "--step"]);
    assert_eq!(done.code, 0, "{done:?}");
    let lines = done.out.lines();
    let steps: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|step: &Value| step["type"] == "step")
        .collect();
    // While much differs, one plan stands for a quarter of it.
    let much: Vec<&Value> = steps
        .iter()
        .skip_while(|step| step["trees"].as_array().is_none_or(Vec::is_empty))
        .take(90)
        .collect();
    let plans = much.iter().filter(|step| step["plan"].is_object()).count();
    assert!((1..80).contains(&plans), "{plans} plans");
    assert!(steps.last().expect("steps")["plan"].is_object());
    for kind in ["operation_started", "operation_succeeded"] {
        let mut of_kind = steps.iter().filter(|step| step["event"]["type"] == kind);
        assert!(of_kind.all(|step| step["case"] == "U1"), "{kind}");
    }
    let row = &steps.last().expect("steps")["trees"][0];
    for tree in ["local", "remote", "synced"] {
        assert_eq!(row[tree]["kind"], "file", "{row}");
        assert_eq!(row[tree]["size"], 7, "{row}");
    }
}
