//! Which folder a text means: paths and URLs, and the job that each of them gets.

use crate::program::{Lab, done, read, write_long_ago};
use std::fs;
use std::path::Path;

/// Syncs once with a remote written like that; returns exit code and words.
fn synced_with(lab: &Lab, remote: &str) -> (i32, String) {
    let mut command = lab.bare();
    command.args(["--once", "-z", "0", "-s", remote, "-d"]);
    let done = done(command.arg(&lab.local));
    (done.code, done.err)
}

fn jobs(lab: &Lab) -> usize {
    fs::read_dir(lab.state.join("jobs")).map_or(0, Iterator::count)
}

#[test]
fn a_url_of_a_folder_is_decoded() {
    let lab = Lab::new();
    let root = lab.dir.path().to_str().expect("text").to_owned();
    write_long_ago(&lab.local.join("f"), "content");
    for (number, (folder, text)) in [
        ("a b", "a%20b"),
        ("a%20b", "a%2520b"),
        ("ü#?", "%c3%BC%23%3F"),
        ("odd?#+", "odd?#+"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = Path::new(&root).join(folder);
        fs::create_dir(&place).expect("a folder");
        let (code, words) = synced_with(&lab, &format!("file://{root}/{text}"));
        assert_eq!(code, 0, "{text}: {words}");
        assert_eq!(read(&place.join("f")), "content", "{text}");
        // The path itself is the same pair.
        let (code, words) = synced_with(&lab, place.to_str().expect("text"));
        assert_eq!(code, 0, "{text}: {words}");
        assert_eq!(jobs(&lab), number + 1, "{text}");
        fs::remove_dir_all(&lab.local).expect("a folder");
        fs::create_dir(&lab.local).expect("a folder");
        write_long_ago(&lab.local.join("f"), "content");
    }
}

#[test]
fn what_no_url_of_a_folder_can_hold_is_told() {
    let lab = Lab::new();
    for (text, told) in [
        ("file:///tmp/100%", "`%`"),
        ("file:///tmp/a%2", "`%2`"),
        ("file:///tmp/a%zzb", "`%zz`"),
        ("file:///tmp/a%é", "`%é`"),
        ("file:///tmp/a%00b", "`%00`"),
    ] {
        let (code, words) = synced_with(&lab, text);
        assert_eq!(code, 2, "{text}: {words}");
        assert!(words.contains(told) && words.contains("%25"), "{words}");
    }
    assert_eq!(jobs(&lab), 0);
}
