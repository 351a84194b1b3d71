//! Two clients of one tree, on every WebDAV server there is: the merge table, end to end.
//! `PYDIO_SYNC_TEST_WEBDAV_URL` (`_USER`, `_PASSWORD`) adds one more server.

use crate::folders::{path, run};
use crate::merge_table::{Holds, holds};
use crate::program::{Done, Lab, done};
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
