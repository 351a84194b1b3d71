//! Large downloads over a kill: what was fetched and is durable is not fetched again.

use crate::far::Far;
use crate::program::{Lab, Running, until, write_long_ago};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

/// More than is made durable at once, and not a multiple of it.
const SIZE: u64 = (24 << 20) + 4_321;

fn content(salt: u8) -> Vec<u8> {
    (0..SIZE)
        .map(|at| (at >> 12) as u8 ^ (at as u8).wrapping_mul(31) ^ salt)
        .collect()
}

/// What lies in staging with this ending.
fn staged(lab: &Lab, end: &str) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(lab.local.join(".pydio-sync/staging")) else {
        return Vec::new();
    };
    let paths = found.map(|entry| entry.expect("entry").path());
    let is_wanted = |path: &PathBuf| path.to_string_lossy().ends_with(end);
    paths.filter(is_wanted).collect()
}

/// Starts a download and kills it once a part of it is durable.
fn killed_in_the_middle(far: &Far, lab: &Lab) {
    far.stall_contents(20 << 20);
    let mut command = far.command(lab, &json!({}));
    command.args(["--once", "-z", "0"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running(command.spawn().expect("the program"));
    until("a part is durable", || {
        let done = staged(lab, ".done");
        done.iter()
            .any(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0))
    });
    running.0.kill().expect("kill");
    running.0.wait().expect("wait");
    far.mend();
}

fn forget(far: &Far) {
    match far {
        Far::Pydio(site) => site.server().log().clear(),
        Far::Dav(site) => site.server.log().clear(),
    }
}

#[test]
fn a_download_that_was_killed_goes_on_where_its_durable_part_ends() {
    for far in Far::both() {
        let lab = Lab::new();
        far.write_old("big", &content(0), 2);
        killed_in_the_middle(&far, &lab);
        assert!(!lab.local.join("big").exists(), "{}", far.name());
        forget(&far);
        let run = far.synced(&lab, &json!({}));
        assert!(fs::read(lab.local.join("big")).expect("file") == content(0));
        let sent: u64 = far.contents_sent().iter().sum();
        assert!(
            sent > 0 && sent <= SIZE - (16 << 20),
            "{}: {sent}",
            far.name()
        );
        assert_eq!(run.summary["bytes_down"], sent, "{}", far.name());
        assert_eq!(staged(&lab, ""), Vec::<PathBuf>::new(), "{}", far.name());
    }
}

#[test]
fn a_version_that_came_meanwhile_is_fetched_whole_and_never_mixed() {
    for far in Far::both() {
        let lab = Lab::new();
        far.write_old("big", &content(0), 2);
        killed_in_the_middle(&far, &lab);
        far.write_old("big", &content(1), 1);
        forget(&far);
        far.synced(&lab, &json!({}));
        assert!(fs::read(lab.local.join("big")).expect("file") == content(1));
        let sent: u64 = far.contents_sent().iter().sum();
        assert_eq!(sent, SIZE, "{}", far.name());
    }
}

#[test]
fn a_part_that_was_damaged_is_noticed_where_the_server_has_a_hash() {
    let [far, _] = Far::both();
    let lab = Lab::new();
    far.write_old("big", &content(0), 2);
    killed_in_the_middle(&far, &lab);
    let part = staged(&lab, ".part").remove(0);
    let mut bytes = fs::read(&part).expect("part");
    bytes[1000] ^= 1;
    fs::write(&part, bytes).expect("part");
    far.once(&lab, &json!({}));
    far.synced(&lab, &json!({}));
    assert!(fs::read(lab.local.join("big")).expect("file") == content(0));
}

#[test]
fn parts_that_nobody_goes_on_with_are_few_and_go_with_the_trash() {
    let [far, _] = Far::both();
    let lab = Lab::new();
    far.write("small", b"x");
    far.synced(&lab, &json!({}));
    let staging = lab.local.join(".pydio-sync/staging");
    fs::create_dir_all(&staging).expect("staging");
    let part = |number: u32| staging.join(format!("{number:032x}.part"));
    (0..12).for_each(|number| fs::write(part(number), "a beginning").expect("part"));
    far.synced(&lab, &json!({}));
    assert_eq!(staged(&lab, ".part").len(), 8);
    write_long_ago(&part(99), "a beginning");
    staged(&lab, ".part")[..4].iter().for_each(|part| {
        fs::remove_file(part).expect("part");
    });
    far.synced(&lab, &json!({}));
    assert!(!part(99).exists(), "older than the trash");
}
