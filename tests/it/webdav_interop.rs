//! Two clients of one tree, on every WebDAV server there is: the merge table, end to end.
//! `PYDIO_SYNC_TEST_WEBDAV_URL` (`_USER`, `_PASSWORD`) adds one more server.

use crate::merge_table::{Holds, holds};
use crate::program::{Lab, tree, write_long_ago};
use crate::webdav_real::{Address, MORE_REAL, REAL, named, preset, real};
use test_servers::webdav::Quirks;

fn the_table_holds(server: &str, address: &Address, tells_moves: bool) {
    let how = if tells_moves {
        Holds::Whole
    } else {
        Holds::ButMoves
    };
    holds(server, how, |lab| address.synced(lab));
}

#[test]
fn the_merge_table_holds_on_apache() {
    the_table_holds(REAL[0], &real(REAL[0]), false);
}

#[test]
fn the_merge_table_holds_on_nginx() {
    the_table_holds(REAL[1], &real(REAL[1]), false);
}

#[test]
fn the_merge_table_holds_on_rclone() {
    the_table_holds(REAL[2], &real(REAL[2]), false);
}

#[test]
fn the_merge_table_holds_on_wsgidav() {
    the_table_holds(REAL[3], &real(REAL[3]), false);
}

#[test]
fn the_merge_table_holds_on_lighttpd() {
    the_table_holds(MORE_REAL[0], &real(MORE_REAL[0]), false);
}

#[test]
fn the_merge_table_holds_on_sabre_dav() {
    the_table_holds(MORE_REAL[1], &real(MORE_REAL[1]), false);
}

#[test]
fn the_merge_table_holds_on_each_preset() {
    for (name, quirks) in Quirks::PRESETS {
        let quirks = quirks();
        let tells_moves = quirks.file_ids;
        let (_server, address) = preset(quirks);
        the_table_holds(&format!("preset {name}"), &address, tells_moves);
    }
}

#[test]
fn a_name_composed_there_and_decomposed_here_is_one_file() {
    let name = "cafe\u{301}/e\u{301}te\u{301}.txt";
    let composed = "caf\u{e9}/\u{e9}t\u{e9}.txt";
    let composing = Quirks::PRESETS.into_iter();
    let composing = composing.filter(|(_, quirks)| quirks().composes_names);
    for (server, quirks) in composing {
        let (_server, address) = preset(quirks());
        let (one, two) = (Lab::new(), Lab::new());
        let contents = |lab: &Lab| tree(&lab.local).into_values().collect::<Vec<_>>();
        for size in [1, 100_000, 2] {
            write_long_ago(&one.local.join(name), vec![7; size]);
            for lab in [&one, &two, &one, &two] {
                address.synced(lab);
            }
            for lab in [&one, &two] {
                let found = contents(lab);
                assert_eq!(found.len(), 2, "{server}: {found:?}");
                let is_there = |text: &String| text.starts_with(&format!("{size} bytes"));
                assert!(found.iter().any(is_there), "{server}: {found:?}");
            }
        }
        assert!(one.local.join(name).exists(), "each side keeps its bytes");
        std::fs::rename(one.local.join(name), one.local.join("e\u{301}")).expect("rename");
        for lab in [&one, &two, &one] {
            address.synced(lab);
        }
        std::fs::rename(one.local.join("e\u{301}"), one.local.join(name)).expect("rename");
        for lab in [&one, &two, &one] {
            address.synced(lab);
        }
        write_long_ago(&two.local.join(composed), "by the other");
        for lab in [&two, &one, &two] {
            address.synced(lab);
        }
        let read = std::fs::read(one.local.join(name)).expect("file");
        assert_eq!(read, b"by the other", "{server}");
        std::fs::remove_file(two.local.join(composed)).expect("remove");
        for lab in [&two, &one] {
            address.synced(lab);
        }
        assert_eq!(tree(&one.local).len(), 1, "{server}");
    }
}

#[test]
fn the_merge_table_holds_on_the_server_of_the_environment() {
    // Whether it tells moves is not known, so less is asked of it.
    if let Some(address) = named() {
        the_table_holds("the environment's", &address, false);
    }
}
