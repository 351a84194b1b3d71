//! What operations produce in the feed, row by row.

use super::*;

fn facts(content: &str) -> Facts {
    Facts {
        size: content.len() as u64,
        md5: content.to_owned(),
        mtime: 1,
    }
}

fn create(path: &str) -> Event {
    Event::Create {
        path: path.to_owned(),
        facts: facts("1"),
    }
}

fn content(path: &str, text: &str) -> Event {
    Event::Content {
        path: path.to_owned(),
        facts: facts(text),
    }
}

fn delete(path: &str) -> Event {
    Event::Delete {
        path: path.to_owned(),
    }
}

fn rename(from: &str, to: &str, folder: bool) -> Event {
    Event::Move {
        from: from.to_owned(),
        to: to.to_owned(),
        tree: vec![(to.to_owned(), facts("1"))],
        folder,
    }
}

/// `id kind source>target` for what the last event produced.
fn after(quirks: Quirks, before: &[Event], last: Event) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("index");
    let index = Index::open(&path, quirks).expect("a new index");
    for event in before {
        index.note("1", event.clone());
    }
    let since = index.last_seq();
    index.note("1", last);
    let show = |index: &Index| -> Vec<String> {
        let (read, _) = index.read("1", since);
        read.iter()
            .map(|(c, _)| format!("{} {} {}>{}", c.id, c.kind, c.source, c.target))
            .collect()
    };
    let shown = show(&index);
    drop(index);
    let again = Index::open(&path, quirks).expect("the same index");
    assert_eq!(shown, show(&again), "a restart changes nothing");
    shown
}

#[test]
fn operations_write_the_rows_that_the_triggers_write() {
    let six = Quirks::v6_4();
    let foo = [
        create("/foo"),
        create("/foo/x"),
        create("/foobar"),
        create("/b"),
    ];
    let case = [create("/Abc"), create("/abc"), create("/abç"), create("/z")];
    let table: [(&str, &[Event], Event, &[&str]); 11] = [
        ("new", &[], create("/a"), &["1 create NULL>/a"]),
        ("overwrite", &foo, content("/b", "2"), &["4 content /b>/b"]),
        (
            "the same within a second",
            &foo,
            content("/b", "1"),
            &["4 content /b>/b", "5 create NULL>/b"],
        ),
        (
            "a folder with what is below it",
            &foo,
            rename("/foo", "/new", true),
            &["1 path /foo>/new", "2 path /foo/x>/new/x"],
        ),
        ("a file", &foo, rename("/b", "/c", false), &["4 path /b>/c"]),
        (
            "deletes by prefix",
            &foo,
            delete("/foo"),
            &[
                "1 delete /foo>NULL",
                "2 delete /foo/x>NULL",
                "3 delete /foobar>NULL",
            ],
        ),
        ("unknown", &foo, content("/n", "1"), &["5 create NULL>/n"]),
        (
            "renamed unknown",
            &foo,
            rename("/n", "/m", false),
            &["5 create NULL>/m"],
        ),
        (
            "case and accents",
            &case,
            content("/abc", "2"),
            &[
                "1 content /Abc>/Abc",
                "2 content /abc>/abc",
                "3 content /abç>/abç",
            ],
        ),
        (
            "case only",
            &case[3..],
            rename("/z", "/Z", false),
            &["1 content /z>/Z"],
        ),
        ("beyond U+FFFF", &foo, create("/😀"), &[]),
    ];
    for (what, before, last, expected) in table {
        assert_eq!(after(six, before, last), expected, "{what}");
    }
}

#[test]
fn without_its_quirk_each_lie_is_gone() {
    let none = Quirks::none();
    let foo = [
        create("/foo"),
        create("/foo/x"),
        create("/foobar"),
        create("/Foo"),
    ];
    let table: [(Event, &[&str]); 5] = [
        (
            delete("/foo"),
            &["1 delete /foo>NULL", "2 delete /foo/x>NULL"],
        ),
        (content("/foo", "2"), &["1 content /foo>/foo"]),
        (content("/foobar", "1"), &["3 content /foobar>/foobar"]),
        (rename("/Foo", "/FOO", false), &["4 path /Foo>/FOO"]),
        (create("/😀"), &["5 create NULL>/😀"]),
    ];
    for (last, expected) in table {
        assert_eq!(after(none, &foo, last), expected);
    }
    let sqlite = none.with(Quirk::Sqlite);
    assert!(after(sqlite, &foo, rename("/foo", "/new", true)).is_empty());
}

#[test]
fn a_rollback_brings_both_tables_back_and_numbers_are_given_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = Index::open(&dir.path().join("index"), Quirks::v6_4()).expect("an index");
    for event in [create("/a"), create("/b"), rename("/a", "/c", false)] {
        index.note("1", event);
    }
    index.roll_back(2).expect("a shorter index");
    assert_eq!(index.last_seq(), 2);
    index.note("1", create("/d"));
    let (read, last) = index.read("1", 2);
    assert_eq!(last, 3);
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].0.id, read[0].0.target.as_str()), (3, "/d"));
    index.roll_back(0).expect("an empty index");
    assert_eq!(index.last_seq(), 0);
}

#[test]
fn deferred_events_are_seen_by_the_second_look_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let quirks = Quirks::none().with(Quirk::DeferredEvents);
    let index = Index::open(&dir.path().join("index"), quirks).expect("an index");
    index.note("1", create("/a"));
    assert_eq!(index.read("1", 0).0.len(), 0);
    assert_eq!(index.read("1", 0).0.len(), 1);
}
