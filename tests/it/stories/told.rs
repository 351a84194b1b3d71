//! What every story is asked: its words, its plans, its essence.

use crate::program::Lab;
use pydio_sync::journal::fixture;
use pydio_sync::journal::minimize::Condition;
use serde_json::Value;
use std::path::PathBuf;

/// What `explain` says, without what differs from run to run.
pub(super) fn told(lab: &Lab, path: &str) -> String {
    let run = lab.offline(&["explain", path]);
    assert_eq!(run.code, 0, "{run:?}");
    let page = steady(lab, &run.out);
    // The same, told of the journal as such, beside whoever has the job.
    let beside = lab.offline(&["journal", "explain", path]);
    assert_eq!(steady(lab, &beside.out), page);
    page
}

fn steady(lab: &Lab, text: &str) -> String {
    let place = lab.dir.path().display().to_string();
    let id = job(&events(lab));
    let text = text.replace(&place, "PLACE").replace(&id, "JOB");
    let mut lines: Vec<String> = text.lines().map(line).collect();
    // Both sides are looked at at the same time.
    let is_seen =
        |line: &String| line.contains("TIME  local side") || line.contains("TIME  remote side");
    let mut start = 0;
    while start < lines.len() {
        let length = lines[start..]
            .iter()
            .take_while(|line| is_seen(line))
            .count();
        lines[start..start + length].sort();
        start += length.max(1);
    }
    lines.join("\n") + "\n"
}

fn line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_date = bare.len() == 10 && bare.as_bytes()[4] == b'-' && bare.as_bytes()[7] == b'-';
        let is_clock = bare.len() == 8 && bare.as_bytes()[2] == b':';
        let id = bare.get(..16).filter(|id| is_hex(id));
        let shown = if is_date {
            word.replace(bare, "DATE")
        } else if is_clock {
            word.replace(bare, "CLOCK")
        } else if let Some(id) = id {
            word.replace(id, "ENTRY")
        } else {
            word.to_owned()
        };
        words.push(shown);
    }
    let text = words.join(" ").replace("DATE CLOCK UTC", "TIME");
    let text = match text.split_once("  TIME  ") {
        Some((number, rest)) if number.trim().bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("  TIME  {rest}")
        }
        _ => text,
    };
    conflict_names(&somebody(&text))
}

/// Who asked is whoever runs the tests.
fn somebody(text: &str) -> String {
    match (
        text.split_once("TIME  "),
        text.split_once(" (command line)"),
    ) {
        (Some((start, _)), Some((_, rest))) => {
            format!("{start}TIME  SOMEBODY (command line){rest}")
        }
        _ => text.to_owned(),
    }
}

/// Checks that a page of the documentation shows what the program prints.
pub(super) fn documented(page: &str, name: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs").join(page)).expect("a page");
    let (_, after) = text.split_once("```text explain\n").expect("a block");
    let (block, _) = after.split_once("```").expect("its end");
    let shown: Vec<String> = block.lines().map(line).collect();
    let golden = root.join(format!("tests/golden/stories/{name}.txt"));
    let kept = std::fs::read_to_string(golden).expect("a page that is kept");
    let kept = kept
        .replace(" --state-dir PLACE/state", "")
        .replace("JOB", "documents");
    assert_eq!(shown.join("\n") + "\n", kept, "{page}");
}

/// A conflict's name ends with the date and four digits of the content.
fn conflict_names(text: &str) -> String {
    let mut parts = text.split("(conflict ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once(')').expect("a closed bracket");
        let label = inside.split(' ').next().unwrap_or_default();
        shown.push_str(&format!("(conflict {label} DATE HASH){rest}"));
    }
    shown
}

/// Compares with the page that is kept, or with `BLESS` writes it.
pub(super) fn pinned(name: &str, text: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/stories/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{name}: BLESS=1 writes it anew");
}

/// The job's id, as its first session says it.
fn job(events: &[Value]) -> String {
    let ours = events
        .iter()
        .find(|event| event["type"] == "root_configured");
    let id = ours.and_then(|event| event["job"].as_str());
    id.expect("the first session").to_owned()
}

/// The journal's events.
pub(super) fn events(lab: &Lab) -> Vec<Value> {
    let printed = lab.offline(&["journal", "cat", "--json"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    let lines = printed.out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Checks that replaying plans what was started, and ends with nothing to do; and that it
/// does so for whoever gets the journal without its names.
pub(super) fn truthful(lab: &Lab) {
    planned(lab);
    pseudonymous(lab);
}

/// Checks that a redacted export is planned for as the journal is, and names nothing.
fn pseudonymous(lab: &Lab) {
    let file = lab.dir.path().join("redacted.pydiojournal");
    let name = file.to_str().expect("UTF-8");
    let known = events(lab);
    let job = job(&known);
    let exported = lab.offline(&["journal", "export", "--redact", &job, name]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let bytes = std::fs::read(&file).expect("a file");
    for event in known {
        let paths = ["path", "local", "remote"].map(|key| event[key].as_str().unwrap_or_default());
        for part in paths.iter().flat_map(|path| path.split(['/', '.'])) {
            let is_there = bytes
                .windows(part.len().max(1))
                .any(|it| it == part.as_bytes());
            assert!(part.len() < LONG || !is_there, "`{part}` is in the file");
        }
    }
    let plans = |words: &[&str]| -> Vec<Value> {
        let replayed = lab.offline(&[&["journal", "replay", "--json"], words].concat());
        assert_eq!(replayed.code, 0, "{replayed:?}");
        let lines = replayed.out.lines();
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let plans = lines.filter(|line| line["type"] == "plan");
        let essence =
            |plan: Value| ["seq", "count", "by", "held", "brake"].map(|it| plan[it].clone());
        plans
            .map(|plan| Value::from(essence(plan).to_vec()))
            .collect()
    };
    assert_eq!(plans(&[name]), plans(&[]));
    std::fs::remove_file(&file).expect("removed");
}

/// Shorter names may be in any file by chance.
const LONG: usize = 4;

fn planned(lab: &Lab) {
    let replayed = lab.offline(&["journal", "replay", "--json"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    let lines: Vec<Value> = replayed
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let plans: Vec<&Value> = lines.iter().filter(|line| line["type"] == "plan").collect();
    let last = plans.last().expect("a plan");
    assert_eq!(last["count"], 0, "{last}");
    for event in events(lab)
        .iter()
        .filter(|event| event["type"] == "operation_started")
    {
        let seq = event["seq"].as_u64().expect("a number");
        let case = event["case"].as_str().expect("a letter");
        let known = plans.iter().rfind(|plan| plan["seq"].as_u64() < Some(seq));
        let known = known.unwrap_or_else(|| panic!("no plan before {event}"));
        let rules = known["by"].as_object().expect("counts");
        let is_planned = rules.keys().any(|rule| rule.starts_with(case));
        assert!(is_planned, "{event} was not planned: {known}");
    }
}

/// With `BLESS_JOURNALS`, keeps the journal and its essence for the corpus.
fn keep(lab: &Lab, name: &str, condition: &str) {
    if std::env::var_os("BLESS_JOURNALS").is_none() {
        return;
    }
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let whole = corpus.join(format!("{name}.pydiojournal"));
    let essence = corpus.join(format!("{name}.jsonl"));
    std::fs::remove_file(&whole).ok();
    std::fs::remove_file(&essence).ok();
    let text = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let id = lab.offline(&["jobs", "list", "--json"]);
    let id: Value = serde_json::from_str(id.out.lines().next().expect("a job")).expect("JSON");
    let id = id["job"].as_str().expect("an id");
    let exported = lab.offline(&["journal", "export", id, &text(&whole)]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let words = [
        "journal",
        "minimize",
        "--keep",
        condition,
        "--fixture",
        &text(&essence),
    ];
    let made = lab.offline(&words);
    assert_eq!(made.code, 0, "{made:?}");
}

/// Makes the journal small, and checks that what is left still shows the condition.
pub(super) fn small(lab: &Lab, name: &str, condition: &str, most: usize) {
    keep(lab, name, condition);
    let place = |name: &str| lab.dir.path().join(name);
    let (file, text) = (place("small.pydiojournal"), place("small.jsonl"));
    let words = [
        "journal",
        "minimize",
        "--keep",
        condition,
        "--out",
        file.to_str().expect("UTF-8"),
        "--fixture",
        text.to_str().expect("UTF-8"),
    ];
    let made = lab.offline(&words);
    assert_eq!(made.code, 0, "{made:?}");
    let written = std::fs::read_to_string(&text).expect("a fixture");
    let (head, records) = fixture::read(&written).expect("a fixture");
    assert_eq!(head.expect("a head").keep, condition);
    assert!(records.len() <= most, "{written}");
    let condition = Condition::parse(condition).expect("a condition");
    assert!(condition.shows_in(&records), "{written}");
    let again = lab.offline(&["journal", "replay", file.to_str().expect("UTF-8")]);
    assert_eq!(again.code, 0, "{again:?}");
    std::fs::remove_file(&file).expect("removed");
    std::fs::remove_file(&text).expect("removed");
}
