//! What is left out, from outside: job files, `.pydiosyncignore`, and what follows when
//! they change.

use crate::program::{Done, Lab, Running, done, read, tree, until, write_long_ago};
use crate::pydio_site::Site;
use crate::webdav_site::DavSite;
use serde_json::json;
use std::fs;
use std::path::Path;
use test_servers::webdav::Quirks;

const IGNORES: &str = ".pydiosyncignore";

/// Syncs once by a job file with these excludes.
fn leaving_out(lab: &Lab, excludes: &[&str]) -> Done {
    let file = lab.dir.path().join("jobs.json");
    let job = json!([{
        "id": "job", "server": lab.remote, "directory": lab.local,
        "filters": {"excludes": excludes},
    }]);
    fs::write(&file, job.to_string()).expect("job file");
    let done = done(lab.bare().arg("-f").arg(&file).args(["--once", "--json"]));
    assert_eq!(done.code, 0, "{done:?}");
    done
}

fn names(root: &Path) -> Vec<String> {
    tree(root).into_keys().collect()
}

#[test]
fn the_folder_of_a_job_that_syncs_a_part_of_the_tree_is_left_out_whatever_is_included() {
    let lab = Lab::new();
    let other = "another job's";
    write_long_ago(&lab.remote.join("sub/.pydio-sync/root"), other);
    write_long_ago(&lab.remote.join("sub/kept"), "kept");
    leaving_out(&lab, &[]);
    assert_eq!(names(&lab.local), ["sub/", "sub/kept"]);
    assert_eq!(read(&lab.remote.join("sub/.pydio-sync/root")), other);
}

#[test]
fn what_was_deleted_while_it_was_left_out_comes_back_and_is_not_deleted_on_the_other_side() {
    for away in ["local", "remote"] {
        let lab = Lab::new();
        for name in ["d/e/f", "d/g", "a.log", "kept"] {
            write_long_ago(&lab.local.join(name), name);
        }
        leaving_out(&lab, &[]);
        let all = names(&lab.local);
        leaving_out(&lab, &["d", "*.log"]);
        fs::remove_dir_all(lab.dir.path().join(away).join("d")).expect("remove");
        fs::remove_file(lab.dir.path().join(away).join("a.log")).expect("remove");
        let idle = leaving_out(&lab, &["d", "*.log"]);
        assert!(idle.is_idle(), "{idle:?}");
        leaving_out(&lab, &[]);
        assert_eq!(lab.equal().into_keys().collect::<Vec<_>>(), all, "{away}");
        assert!(leaving_out(&lab, &[]).is_idle());
        // Without a filter a deletion is one.
        fs::remove_dir_all(lab.dir.path().join(away).join("d")).expect("remove");
        leaving_out(&lab, &[]);
        assert_eq!(names(&lab.local), ["a.log", "kept"], "{away}");
        lab.equal();
    }
}

#[test]
fn the_run_that_carries_an_ignore_file_looks_at_what_it_shows() {
    let lab = Lab::new();
    let ignores = lab.local.join("d").join(IGNORES);
    write_long_ago(&ignores, "*.log\n");
    lab.synced();
    write_long_ago(&lab.remote.join("d/there.log"), "there");
    assert!(lab.synced().is_idle());
    write_long_ago(&ignores, "*.other\n");
    lab.synced();
    assert_eq!(read(&lab.local.join("d/there.log")), "there");
    write_long_ago(&lab.remote.join("d/more.other"), "more");
    lab.synced();
    fs::remove_file(&ignores).expect("remove");
    lab.synced();
    assert_eq!(read(&lab.local.join("d/more.other")), "more");
    lab.equal();
}

#[test]
fn the_ignore_files_of_the_local_tree_hold_on_a_webdav_server() {
    let (lab, site) = (Lab::new(), DavSite::timed(Quirks::nextcloud()));
    write_long_ago(&lab.local.join(IGNORES), "*.log\n!kept.log\nout/\n");
    write_long_ago(&lab.local.join("d").join(IGNORES), "/here\n!some.log\n");
    write_long_ago(&lab.local.join("mine.log"), "mine");
    for name in [
        "r.log",
        "kept.log",
        "d/some.log",
        "d/here",
        "out/x",
        "d/out",
    ] {
        site.hand().write(name, b"x");
    }
    site.synced(&lab);
    let expected = [
        "d/",
        "d/.pydiosyncignore",
        "d/out",
        "d/some.log",
        "kept.log",
        "mine.log",
    ];
    let here = names(&lab.local);
    let here: Vec<&str> = here.iter().map(String::as_str).collect();
    assert_eq!(here[1..], expected, "{here:?}");
    assert!(!site.names().contains(&"mine.log".to_owned()));
    assert!(site.synced(&lab).is_idle());
    // What the rules let go is carried by the run that sees it.
    write_long_ago(&lab.local.join(IGNORES), "nothing\n");
    site.synced(&lab);
    for name in ["r.log", "out/x"] {
        assert_eq!(read(&lab.local.join(name)), "x");
    }
    assert!(site.synced(&lab).is_idle());
}

#[test]
fn the_ignore_files_of_the_local_tree_hold_on_a_pydio_server() {
    let (lab, site) = (Lab::new(), Site::with(|options| options));
    write_long_ago(&lab.local.join(IGNORES), "*.log\n");
    site.write("r.log", b"x");
    let once = || {
        let mut command = lab.bare();
        command.args(["-s", &site.place.url, "-w", &site.place.workspace]);
        command.args(["-u", &site.place.user, "-d"]).arg(&lab.local);
        command.env("PYDIO_SYNC_PASSWORD", site.password());
        let done = done(command.args(["--once", "--json"]));
        assert_eq!(done.code, 0, "{done:?}");
        done
    };
    once();
    assert_eq!(names(&lab.local), [IGNORES]);
    fs::remove_file(lab.local.join(IGNORES)).expect("remove");
    once();
    assert_eq!(read(&lab.local.join("r.log")), "x");
    assert!(once().is_idle());
}

#[test]
fn a_daemon_follows_a_changed_ignore_file_on_a_server() {
    let (lab, site) = (Lab::new(), DavSite::timed(Quirks::nextcloud()));
    write_long_ago(&lab.local.join(IGNORES), "*.log\n");
    site.hand().write("r.log", b"x");
    site.synced(&lab);
    assert!(!lab.local.join("r.log").exists());
    let running = Running(site.command(&lab).spawn().expect("daemon"));
    write_long_ago(&lab.local.join(IGNORES), "*.other\n");
    until("what is no longer left out comes", || {
        lab.local.join("r.log").exists()
    });
    drop(running);
}

#[test]
fn an_ignore_file_that_is_too_large_is_named_with_what_helps() {
    let lab = Lab::new();
    let many = "a/name/to/leave/out\n".repeat(200_000);
    write_long_ago(&lab.local.join("f"), "f");
    write_long_ago(&lab.local.join("d/f"), "f");
    write_long_ago(&lab.local.join("d").join(IGNORES), &many);
    let below = lab.once(&[]);
    assert_eq!(below.code, 4, "{below:?}");
    assert!(lab.remote.join("f").exists() && !lab.remote.join("d/f").exists());
    for told in ["`d`", IGNORES, "256 KiB"] {
        assert!(below.err.contains(told), "{told}: {}", below.err);
    }
    write_long_ago(&lab.local.join(IGNORES), &many);
    write_long_ago(&lab.local.join("later"), "f");
    let whole = lab.once(&[]);
    assert_eq!(whole.code, 6, "{whole:?}");
    for told in [IGNORES, "256 KiB", "shorten it"] {
        assert!(whole.err.contains(told), "{told}: {}", whole.err);
    }
    assert!(!lab.remote.join("later").exists());
    fs::remove_file(lab.local.join(IGNORES)).expect("a file");
    fs::remove_file(lab.local.join("d").join(IGNORES)).expect("a file");
    lab.synced();
    assert!(lab.remote.join("later").exists() && lab.remote.join("d/f").exists());
}
