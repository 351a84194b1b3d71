//! Plans beside one another: under other choices, and of another release.

use crate::program::{Lab, write_long_ago};
use serde_json::{Value, json};

#[test]
fn other_choices_are_told_with_what_their_letters_mean() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    write_long_ago(&lab.local.join("other.txt"), "other");
    lab.synced();
    std::fs::remove_file(lab.remote.join("a.txt")).expect("gone");
    lab.synced();
    let what_if = |words: &[&str]| lab.offline(&[&["journal", "what-if"], words].concat());
    let up = what_if(&["--direction", "up"]).out;
    assert!(
        up.starts_with("from here on nothing would be otherwise; earlier none more would have been deleted, and 1 fewer\n"),
        "{up}"
    );
    assert!(up.contains("had it been so from the beginning"), "{up}");
    assert!(up.contains("\nV2: the job syncs one way"), "{up}");
    let braked = what_if(&["--max-delete", "0"]).out;
    assert!(braked.contains("held back (H1) instead of D2"), "{braked}");
    assert!(
        braked.contains("the job would have halted after event "),
        "{braked}"
    );
    let told = what_if(&["--max-delete", "0", "--json"]).out;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let halts = told["would_halt"].as_array().expect("a list");
    assert_eq!(halts.len(), 1, "{told}");
    assert_eq!(
        [&halts[0]["reason"], &halts[0]["side"], &halts[0]["count"]],
        [&json!("too_many_deletions"), &json!("local"), &json!(1)]
    );
    assert_eq!(
        (&told["history_spared"], &told["spared"]),
        (&json!(1), &json!(0))
    );
    let only = what_if(&["--include", "*.md"]).out;
    assert!(
        only.starts_with("with this filter 1 file would no longer be synced"),
        "{only}"
    );
}

#[test]
fn a_choice_that_is_none_is_refused_with_what_would_be_one() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    lab.synced();
    for (words, told) in [
        (&[][..], "--conflict both|manual|local|remote"),
        (&["--mode", "mirror"], "the job syncs both ways"),
        (
            &["--mode", "safe", "--direction", "bi"],
            "the job syncs both ways",
        ),
        (&["--max-delete", "many"], "--max-delete many is no limit"),
    ] {
        let done = lab.offline(&[&["journal", "what-if"], words].concat());
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{done:?}");
        assert!(done.err.contains(told), "{done:?}");
    }
    let mirror = [
        "journal",
        "what-if",
        "--mode",
        "mirror",
        "--direction",
        "up",
    ];
    assert_eq!(lab.offline(&mirror).code, 0);
}

#[test]
fn a_journal_as_text_is_compared_like_any_other() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    lab.synced();
    let place = |name: &str| {
        let path = lab.dir.path().join(name);
        path.to_str().expect("text").to_owned()
    };
    let (events, fixture) = (place("events"), place("fixture"));
    let told = lab.offline(&["journal", "cat", "--json"]);
    std::fs::write(&events, told.out).expect("written");
    let keep = [
        "journal",
        "minimize",
        "--keep",
        "operation:upload",
        "--fixture",
        &fixture,
    ];
    assert_eq!(lab.offline(&keep).code, 0);
    for text in [&events, &fixture] {
        let plans = lab.offline(&["journal", "replay", text, "--json"]);
        let old = place("plans");
        std::fs::write(&old, &plans.out).expect("written");
        for new in [text, &old] {
            let compared = lab.offline(&["journal", "compare", &old, new]);
            assert_eq!(compared.code, 0, "{compared:?}");
            assert!(compared.err.contains("0 of "), "{compared:?}");
        }
    }
}

#[test]
fn an_output_that_breaks_off_is_not_compared() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    lab.synced();
    let whole = lab.offline(&["journal", "replay", "--json"]).out;
    let end = whole.trim_end().rfind('\n').expect("several lines");
    let file = lab.dir.path().join("old.plans");
    let name = file.to_str().expect("UTF-8");
    for (text, code) in [(whole.as_str(), 0), (&whole[..=end], 2)] {
        std::fs::write(&file, text).expect("written");
        let done = lab.offline(&["journal", "compare", name]);
        assert_eq!(done.code, code, "{done:?}");
    }
}

#[test]
fn a_plan_line_tells_old_names_and_what_becomes_of_the_other_version() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a.txt"), "one");
    write_long_ago(&lab.local.join("c.txt"), "one");
    lab.synced();
    std::fs::rename(lab.local.join("a.txt"), lab.local.join("b.txt")).expect("renamed");
    write_long_ago(&lab.local.join("c.txt"), "mine and longer");
    write_long_ago(&lab.remote.join("c.txt"), "theirs");
    lab.synced();
    let plans = lab.offline(&["journal", "replay", "--json"]).out;
    assert!(
        plans.contains("M1 move remote b.txt from a.txt ["),
        "{plans}"
    );
    assert!(
        plans.contains("C1 download c.txt, old version to c (conflict "),
        "{plans}"
    );
}
