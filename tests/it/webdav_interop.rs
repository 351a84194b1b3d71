//! Two clients of one tree, on every WebDAV server there is: the merge table, end to end.
//! `PYDIO_SYNC_TEST_WEBDAV_URL` (`_USER`, `_PASSWORD`) adds one more server.

use crate::folders::{path, run};
use crate::merge_table::{Holds, holds};
use crate::program::{Done, Lab, done, tree, write_long_ago};
use crate::webdav_real::{Address, REAL, preset, real};
use crate::webdav_site::{place, remote};
use pydio_sync::ports::Remote as _;
use test_servers::webdav::Quirks;

fn synced(server: &str, address: &Address, lab: &Lab) -> Done {
    let mut command = lab.bare();
    let url = place(&address.url, "").url;
    command
        .args(["-s", &url, "-u", &address.user, "-z", "0"])
        .args(["--once", "--json", "-d"])
        .arg(&lab.local)
        .env("PYDIO_SYNC_PASSWORD", &address.password);
    let done = done(&mut command);
    assert_eq!(done.code, 0, "{server}: {done:?}");
    done
}

fn the_table_holds(server: &str, address: &Address, tells_moves: bool) {
    let how = if tells_moves {
        Holds::Whole
    } else {
        Holds::ButMoves
    };
    holds(server, how, |lab| synced(server, address, lab));
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
                synced(server, &address, lab);
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
            synced(server, &address, lab);
        }
        std::fs::rename(one.local.join("e\u{301}"), one.local.join(name)).expect("rename");
        for lab in [&one, &two, &one] {
            synced(server, &address, lab);
        }
        write_long_ago(&two.local.join(composed), "by the other");
        for lab in [&two, &one, &two] {
            synced(server, &address, lab);
        }
        let read = std::fs::read(one.local.join(name)).expect("file");
        assert_eq!(read, b"by the other", "{server}");
        std::fs::remove_file(two.local.join(composed)).expect("remove");
        for lab in [&two, &one] {
            synced(server, &address, lab);
        }
        assert_eq!(tree(&one.local).len(), 1, "{server}");
    }
}

#[test]
fn the_merge_table_holds_on_the_server_of_the_environment() {
    let read = |name: &str| std::env::var(format!("PYDIO_SYNC_TEST_WEBDAV_{name}")).ok();
    let Some(url) = read("URL") else {
        return;
    };
    let unique = std::time::UNIX_EPOCH.elapsed().expect("clock").as_nanos();
    let (user, password) = (
        read("USER").unwrap_or_default(),
        read("PASSWORD").unwrap_or_default(),
    );
    let folder = format!("test-{unique}");
    let root = remote(&place(&url, &user), &password, "maker");
    run(root.make_dir(&path(&folder))).expect("a folder");
    let address = Address {
        url: format!("{}/{folder}", url.trim_end_matches('/')),
        user,
        password,
    };
    // Whether it tells moves is not known, so less is asked of it.
    the_table_holds("the environment's", &address, false);
}
