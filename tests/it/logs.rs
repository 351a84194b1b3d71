//! Logs from outside: where they go, what they say, what they never hold.

use crate::program::{Lab, done, read, write};
use serde_json::Value;

#[test]
fn each_line_of_an_operation_says_which_one_and_none_holds_the_password() {
    let lab = Lab::new();
    write(&lab.local.join("d/a\nb"), "a");
    let log = lab.dir.path().join("log");
    let flags = [
        "--once",
        "--json",
        "-vvv",
        "--log-format",
        "json",
        "--log-file",
    ];
    let mut command = lab.command();
    command.args(["-u", "me", "-p", "s3cret"]);
    let run = done(command.args(flags).arg(&log));
    assert_eq!(run.code, 0, "{run:?}");
    let text = read(&log);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(!run.err.contains(r#""level""#), "{run:?}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let of_operations: Vec<&Value> = lines
        .iter()
        .filter(|line| line["spans"][1]["name"] == "operation")
        .collect();
    assert_eq!(of_operations.len(), 2, "{text}");
    for line in of_operations {
        let spans = &line["spans"];
        assert_eq!(spans[0]["name"], "job", "{line}");
        assert!(spans[0]["job"].is_string(), "{line}");
        assert!(
            spans[1]["op"].is_u64() && spans[1]["case"].is_string(),
            "{line}"
        );
    }
    assert!(
        text.contains(r#"\"d/a\\nb\""#),
        "a name cannot break a line: {text}"
    );
}

#[test]
fn logs_go_to_stderr_when_the_file_cannot_be_opened() {
    let lab = Lab::new();
    let run = done(
        lab.command()
            .args(["--once", "--log-file"])
            .arg(lab.dir.path()),
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("the log file cannot be opened"), "{run:?}");
    assert!(!run.out.contains("log file"), "{run:?}");
}
