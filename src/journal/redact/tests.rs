//! Which equalities pseudonyms keep.

use super::key::Key;
use super::names::{label, name};
use sync_core::spelling::Spelling;

const KEY: Key = Key::new([7; 32]);

fn of(text: &str) -> String {
    let pseudonym = name(&KEY, text);
    assert!(pseudonym.len() <= 255, "{text}");
    assert_eq!(pseudonym, name(&KEY, text), "{text} is repeatable");
    pseudonym
}

#[test]
fn names_are_equal_as_they_were_in_every_sense() {
    let names = [
        "a",
        "A",
        "b",
        "a.txt",
        "A.txt",
        "a.TXT",
        "b.txt",
        "a.c",
        "a.h",
        "é",
        "e\u{301}",
        "É",
        "E\u{301}",
        "straße",
        "STRASSE",
        "日本語",
        "Ωmega",
        "ωmega",
        "naïve.md",
        "nai\u{308}ve.md",
        "NAÏVE.md",
        "x y z.tar.gz",
        ".profile",
        ".Profile",
        "~$a.docx",
        "name.",
        "name",
        "...",
        "a (conflict home 2026-01-01 beef).txt",
        "a (conflict home 2026-01-01 beef 2).txt",
        "A (conflict home 2026-01-01 beef).txt",
        "a (conflict whatever).txt",
        "A (CONFLICT HOME 2026-01-01 BEEF).TXT",
        "A (CONFLICT WHATEVER).TXT",
        "THUMBS.DB",
        "Thumbs.db",
        "RECYCLE_BIN.x",
        "recycle_bin.X",
        "FILM.PYDIO_DL",
        "film.pydio_dl",
        "İ",
        "i\u{307}",
    ];
    for one in names {
        for other in names {
            let (of_one, of_other) = (of(one), of(other));
            assert_eq!(one == other, of_one == of_other, "{one:?} {other:?}");
            let (a, b) = (Spelling::of(one), Spelling::of(other));
            let (x, y) = (Spelling::of(&of_one), Spelling::of(&of_other));
            assert_eq!(
                a.composed == b.composed,
                x.composed == y.composed,
                "{one} {other}"
            );
            assert_eq!(a.folded == b.folded, x.folded == y.folded, "{one} {other}");
        }
    }
}

#[test]
fn what_filters_and_the_engine_look_at_stays() {
    for whole in [
        ".pydio-sync",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        ".pydiosyncignore",
        "~",
        ".",
        "pydio-sync-moving-00000000000004d2",
        "pydio-sync-moving-00000000000004d2-3",
    ] {
        assert_eq!(of(whole), whole);
    }
    for (text, begins, ends) in [
        (".hidden", ".", ""),
        ("~$Letter to Ada.docx", "~$", ".docx"),
        (".~lock.Letter.odt#", ".~lock.", ""),
        ("~WRL0001.tmp", "~", ".tmp"),
        ("recycle_bin.old", "recycle_bin", ""),
        ("film.mp4.pydio_dl", "", ".pydio_dl"),
        ("pydio-sync-moving-home", "pydio-sync-moving-", ""),
        ("Report.PDF", "", ".PDF"),
    ] {
        let found = of(text);
        assert!(
            found.starts_with(begins) && found.ends_with(ends),
            "{text}: {found}"
        );
        assert_ne!(found, text);
    }
    for person in ["john.smith", "Dear Mr. Smith", "x.ada"] {
        let found = of(person).to_lowercase();
        assert!(
            !found.contains("smith") && !found.contains("ada"),
            "{found}"
        );
    }
}

#[test]
fn a_conflict_name_is_made_of_the_pseudonym() {
    for (base, extension) in [
        ("a", ".txt"),
        ("Ünder", ".docx"),
        ("no dot", ""),
        ("x.y", ".z"),
    ] {
        let mark = |label: &str, rest: &str| format!(" (conflict {label} {rest})");
        let plain = of(&format!("{base}{extension}"));
        let copy = of(&format!(
            "{base}{}{extension}",
            mark("My Home", "2026-01-01 beef")
        ));
        let (stem, ending) = match plain.rfind('.') {
            Some(dot) => plain.split_at(dot),
            None => (&*plain, ""),
        };
        let home = label(&KEY, "My Home");
        assert_eq!(
            copy,
            format!("{stem}{}{ending}", mark(&home, "2026-01-01 beef"))
        );
    }
}

#[test]
fn a_conflict_name_of_a_name_that_stays_keeps_it() {
    let home = label(&KEY, "home");
    for (base, extension) in [
        ("pydio-sync-moving-0000000000000005", ""),
        ("pydio-sync-moving-0000000000000005-2", ""),
        ("Thumbs", ".db"),
        ("~", ""),
    ] {
        let marked = |label: &str, times| {
            let mark = format!(" (conflict {label} 2026-01-01 beef)");
            format!("{base}{}{extension}", mark.repeat(times))
        };
        assert_eq!(of(&marked("home", 1)), marked(&home, 1));
        assert_eq!(of(&marked("home", 2)), marked(&home, 2));
    }
}

#[test]
fn another_key_gives_other_pseudonyms() {
    let other = Key::new([8; 32]);
    for text in ["a", "Letters", "é.txt"] {
        assert_ne!(of(text), name(&other, text));
    }
}
