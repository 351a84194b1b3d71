//! Journals without their beginning, and numbers of events that there are not.

use crate::program::{Lab, write_long_ago};
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

#[test]
fn what_follows_from_all_events_is_not_told_of_some() {
    let (lab, tail) = tail();
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
