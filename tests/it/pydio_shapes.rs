//! Answers of a Pydio server that are something else than they look like.

use crate::folders::{Memory, Watched, path, run};
use crate::pydio_site::{Site, class, entry, names, put, read, try_put};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::Kind;
use pydio_sync::ports::Remote;
use std::fs;
use test_servers::pydio::{Fault, Quirks, Rule};

#[test]
fn an_error_with_status_200_is_no_content() {
    let site = Site::of(Quirks::v6_4());
    site.write("f", &[7; 100]);
    let remote = site.remote("client");
    run(async {
        let expect = entry(&remote, "f").await.fingerprint;
        let mut source = remote.open(&path("f"), &expect).await.expect("open");
        fs::remove_file(site.server().folder("sync").join("f")).expect("remove");
        assert!(source.read().await.is_err());
        let again = remote.open(&path("f"), &expect).await;
        assert_eq!(class(&again), Some(FailureClass::Precondition));
    });
}

#[test]
fn of_many_folders_in_one_request_those_that_can_be_are_made() {
    let site = Site::of(Quirks::v6_4());
    fs::write(site.server().folder("sync").join("taken"), "a file").expect("write");
    let remote = site.remote("client");
    run(async {
        site.server().log().clear();
        let folders = [path("a"), path("taken"), path("b"), path("nowhere/c")];
        let made = folders.iter().map(|folder| remote.make_dir(folder));
        let made = futures::future::join_all(made).await;
        let classes: Vec<_> = made.iter().map(class).collect();
        let precondition = Some(FailureClass::Precondition);
        assert_eq!(classes, [None, precondition, None, precondition]);
        assert!(site.server().log().count("mkdir") < folders.len());
        assert_eq!(names(&remote).await, ["a", "b", "taken"]);
    });
}

#[test]
fn a_server_that_hashes_nothing_is_believed_by_size_and_content() {
    let site = Site::of(Quirks::v6_4());
    site.server()
        .inject(Rule::on("stat_hash", Fault::Empty).always());
    let remote = site.remote("client");
    run(async {
        put(&remote, "f", b"one", &Expected::Absent).await;
        assert_eq!(read(&remote, "f").await.expect("file"), b"one");
        let old = Expected::Version(entry(&remote, "f").await.fingerprint);
        put(&remote, "f", b"longer", &old).await;
        assert_eq!(read(&remote, "f").await.expect("file"), b"longer");
        let asked = site.server().log().count("stat_hash");
        assert_eq!(asked, 1, "what is not there is asked for once");
    });
}

#[test]
fn a_part_that_vanishes_or_grows_under_an_upload_costs_no_version() {
    for grows in [false, true] {
        let site = Site::with(|options| options.upload_max(64 * 1024, 1 << 20));
        site.write("big", b"the old version");
        let part = site.server().folder("sync").join("big.dlpart");
        let remote = site.remote("client");
        let new: Vec<u8> = (0..300_000_u32).map(|at| (at / 999) as u8).collect();
        run(async {
            let old = Expected::Version(entry(&remote, "big").await.fingerprint);
            let (mut is_done, part) = (false, part.clone());
            let meddle = move || {
                if is_done || !part.exists() {
                    return;
                }
                is_done = true;
                if grows {
                    let mut left = fs::read(&part).expect("part");
                    left.extend(b"somebody else's piece");
                    fs::write(&part, left).expect("part");
                } else {
                    fs::remove_file(&part).expect("part");
                }
            };
            let content = Memory::boxed(Kind::File, &new, 10_000);
            let source = Box::new(Watched(content, meddle));
            let ended = try_put(&remote, "big", source, &old).await;
            assert!(ended.is_err(), "grows: {grows}");
            let now = read(&remote, "big").await.expect("there");
            assert_eq!(now, b"the old version", "grows: {grows}");
            let mut ended = try_put(&remote, "big", Memory::file(&new), &old).await;
            if ended.is_err() {
                // Content that can be read once only notices a foreign part too late.
                ended = try_put(&remote, "big", Memory::file(&new), &old).await;
            }
            assert!(ended.is_ok(), "grows: {grows}: {ended:?}");
            assert!(read(&remote, "big").await == Some(new.clone()));
        });
    }
}
