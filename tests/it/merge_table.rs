//! The merge table with two clients of one server, end to end.
//!
//! A case is a line: its name, what both begin with, what the first client does, what the
//! second one does, and what both hold in the end. The first one syncs first, so that to
//! the second one its work is the remote's. `a=1` writes, `-a` removes, `a>b` moves;
//! `a~` is the conflict copy of `a`. A name with a star needs a server that tells what was
//! moved; on others everything survives, but not at that name. Not here, because nginx has
//! no word for it: a swap of two files of one size and second, which only reading them
//! would show. A server joins by a way to sync a client with it.

use crate::program::{Done, Lab, write};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

const TABLE: [&str; 32] = [
    "edit by remote | f=1 | f=22 | | f=22",
    "edit by local | f=1 | | f=22 | f=22",
    "edit of the same size | f=1 | f=2 | | f=2",
    "both create | k=0 | a=1 | b=2 | k=0 a=1 b=2",
    "delete by remote | f=1 k=0 | -f | | k=0",
    "delete by local | f=1 k=0 | | -f | k=0",
    "same edit | f=1 | f=22 | f=22 | f=22",
    "same create | k=0 | f=22 | f=22 | k=0 f=22",
    "both delete | f=1 k=0 | -f | -f | k=0",
    "edit against edit | f=1 | f=22 | f=333 | f=22 f~=333",
    "edits of one size | f=1 | f=2 | f=3 | f=2 f~=3",
    "create against create | k=0 | f.txt=22 | f.txt=333 | k=0 f.txt=22 f~.txt=333",
    "edit against delete | f=1 | -f | f=22 | f=22",
    "delete against edit | f=1 | f=22 | -f | f=22",
    "edit in a deleted tree | t/a=1 t/b=2 t/c/d=3 | -t | t/a=11 | t/a=11",
    "delete of an edited tree | t/a=1 t/b=2 t/c/d=3 | t/c/n=4 | -t | t/c/n=4",
    "file to folder | f=1 | -f f/x=22 | f=333 | f/x=22 f~=333",
    "folder to file | d/x=1 | d/x=22 | -d d=333 | d/x=22 d~=333",
    "move against edit | a=1 k=0 | a=22 | a>b | k=0 b=22",
    "edit against move* | a=1 | a>b | a=22 | b=22",
    "move against delete | a=1 k=0 | -a | a>b | k=0 b=1",
    "delete against move* | a=1 k=0 | a>b | -a | k=0 b=1",
    "move against move* | a=1 | a>c | a>b | c=1",
    "move against create | a=1 | x=22 | a>x | x=22 x~=1",
    "moves to one place* | a=1 b=2 | b>x | a>x | x=2 x~=1",
    "move into a deleted folder | D/o=1 f=2 | -D | f>D/f | D/f=2",
    "folders moved into each other* | A/x=1 B/y=2 | B>A/B | A>B/A | A/x=1 A/B/y=2",
    "swap | a=1 b=22 | | a>t b>a t>b | a=22 b=1",
    "inverted folders | A/B/x=1 A/y=2 | | A/B>T A>T/A T>B | B/A/y=2 B/x=1",
    "renamed in case only | f=1 | | f>F | F=1",
    "moved folder with changes | A/e=1 A/d=2 A/k=0 | A/e=11 A/n=3 -A/d | A>B | B/e=11 B/k=0 B/n=3",
    "written anew with the same content | f=1 | | f=1 | f=1",
];

/// One line of [`TABLE`].
struct Case {
    name: &'static str,
    /// Whether the server has to tell moves.
    wants_ids: bool,
    columns: [&'static str; 4],
}

fn cases() -> impl Iterator<Item = Case> {
    TABLE.iter().map(|line| {
        let mut parts = line.split('|').map(str::trim);
        let mut next = || parts.next().expect("five columns");
        let name = next();
        Case {
            name: name.trim_end_matches('*'),
            wants_ids: name.ends_with('*'),
            columns: [next(), next(), next(), next()],
        }
    })
}

impl Case {
    /// No two cases share content, so nothing is taken for a copy of something else.
    fn content(&self, value: &str) -> String {
        format!("{}: {value}", self.name)
    }

    /// Does what a column says in this case's own folder.
    fn act(&self, root: &Path, column: usize) {
        let at = |name: &str| root.join(self.name).join(name);
        for word in self.columns[column].split_whitespace() {
            if let Some((name, value)) = word.split_once('=') {
                write_at(&at(name), &self.content(value), column);
            } else if let Some((from, to)) = word.split_once('>') {
                fs::create_dir_all(at(to).parent().expect("a parent")).expect("folders");
                fs::rename(at(from), at(to)).expect("rename");
            } else {
                let name = at(word.strip_prefix('-').expect("an act"));
                if name.is_dir() {
                    fs::remove_dir_all(name).expect("remove");
                } else {
                    fs::remove_file(name).expect("remove");
                }
            }
        }
    }

    /// What the last column says.
    fn expected(&self) -> BTreeMap<String, String> {
        let words = self.columns[3].split_whitespace();
        let pairs = words.filter_map(|word| word.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), self.content(value)))
            .collect()
    }
}

/// Writes a file that is old enough for nobody to wait, and newer than what was there.
fn write_at(path: &Path, text: &str, column: usize) {
    write(path, text);
    let file = fs::File::options().write(true).open(path).expect("file");
    let then = 1_600_000_000 + 1000 * column as u64;
    let then = std::time::UNIX_EPOCH + Duration::from_secs(then);
    file.set_modified(then).expect("its time");
}

/// The files of a folder with their content, conflict copies by their short name.
fn files(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("below");
            let name = name.to_str().expect("UTF-8").to_owned();
            let short = match (name.find(" (conflict "), name.rfind(')')) {
                (Some(from), Some(to)) => format!("{}~{}", &name[..from], &name[to + 1..]),
                _ => name,
            };
            let text = fs::read_to_string(&path).expect("text");
            found.insert(short, text);
        }
    }
    found
}

/// How much of the table a server can hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Every line.
    Whole,
    /// Lines with a star but for the names.
    ButMoves,
    /// All but the names: what one client did may be seen too late by the other one.
    Contents,
}

/// Plays the table with two clients; `sync` syncs one, and again if need be.
pub(crate) fn holds(server: &str, how: Holds, mut sync: impl FnMut(&Lab) -> Done) {
    let (one, two) = (Lab::new(), Lab::new());
    for case in cases() {
        case.act(&one.local, 0);
    }
    sync(&one);
    sync(&two);
    if how == Holds::Contents {
        sync(&two);
    }
    for case in cases() {
        let begun = files(&two.local.join(case.name));
        assert_eq!(
            begun,
            files(&one.local.join(case.name)),
            "{server}: {}",
            case.name
        );
        case.act(&one.local, 1);
        case.act(&two.local, 2);
    }
    for _ in 0..if how == Holds::Contents { 4 } else { 2 } {
        sync(&one);
        sync(&two);
    }
    sync(&one);
    let mut wrong = String::new();
    for case in cases() {
        let found = files(&one.local.join(case.name));
        let same = found == files(&two.local.join(case.name));
        let expected = case.expected();
        let has_all = || {
            expected
                .values()
                .all(|text| found.values().any(|other| other == text))
        };
        let is_strict = match how {
            Holds::Whole => true,
            Holds::ButMoves => !case.wants_ids,
            Holds::Contents => false,
        };
        let is_right = if is_strict {
            found == expected
        } else {
            has_all()
        };
        if !same || !is_right {
            wrong += &format!("\n{}: equal {same}, {found:?}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{server}:{wrong}");
    for lab in [&one, &two] {
        let last = sync(lab);
        assert!(last.is_idle(), "{server}: {last:?}");
    }
}
