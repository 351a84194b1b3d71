//! The program on a WebDAV server at its worst: one fault in the middle of a run that
//! has everything to do. Nothing is deleted because of it, and the next run finishes.

use crate::program::{Lab, read, write, write_long_ago};
use crate::webdav_site::DavSite;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use test_servers::webdav::{Fault, Quirks, Rule};

/// Both sides after a first run, and then changes of every kind on both.
pub(crate) fn begun(quirks: Quirks) -> (Lab, DavSite) {
    let (lab, site) = (Lab::new(), DavSite::dated(quirks));
    let at = |name: &str| lab.local.join(name);
    for name in [
        "safe/a",
        "safe/b/c",
        "safe/b/d",
        "here/old",
        "here/edit",
        "old-name/x",
    ] {
        write_long_ago(&at(name), format!("begun with {name}"));
    }
    for name in ["there/old", "there/edit", "there/deep/z"] {
        site.hand()
            .write(name, format!("begun with {name}").as_bytes());
    }
    assert_eq!(site.once(&lab).code, 0);
    site.age();
    fs::remove_file(at("here/old")).expect("remove");
    write(&at("here/edit"), "edited here, longer");
    write_long_ago(&at("here/edit"), "edited here, longer");
    write_long_ago(&at("here/new"), "n".repeat(5000));
    write_long_ago(&at("here/sub/new"), "in a new folder");
    fs::rename(at("old-name"), at("new-name")).expect("rename");
    let hand = site.hand();
    hand.remove("there/old");
    hand.write("there/edit", b"edited there, longer");
    hand.write("there/new", &[b'm'; 5000]);
    hand.write("there/sub/new", b"in a new folder");
    (lab, site)
}

/// What both sides hold when all is done.
pub(crate) fn finished() -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for name in ["safe/a", "safe/b/c", "safe/b/d", "there/deep/z"] {
        files.insert(name.to_owned(), format!("begun with {name}"));
    }
    for (name, text) in [
        ("new-name/x", "begun with old-name/x".to_owned()),
        ("here/edit", "edited here, longer".to_owned()),
        ("here/new", "n".repeat(5000)),
        ("here/sub/new", "in a new folder".to_owned()),
        ("there/edit", "edited there, longer".to_owned()),
        ("there/new", "m".repeat(5000)),
        ("there/sub/new", "in a new folder".to_owned()),
    ] {
        files.insert(name.to_owned(), text);
    }
    files
}

pub(crate) fn on_server(site: &DavSite) -> BTreeMap<String, String> {
    let names = site.names().into_iter();
    names
        .filter_map(|name| {
            let bytes = site.hand().read(&name)?;
            Some((name, String::from_utf8(bytes).expect("text")))
        })
        .collect()
}

pub(crate) fn on_disk(root: &Path) -> BTreeMap<String, String> {
    let names = crate::program::tree(root).into_keys();
    let files = names.filter(|name| !name.ends_with('/'));
    files
        .map(|name| (name.clone(), read(&root.join(&name))))
        .collect()
}

/// One run that meets the fault, then runs without it.
fn recovers(quirks: Quirks, rule: Rule, what: &str) {
    let (lab, site) = begun(quirks);
    site.server.inject(rule);
    let hurt = site.once(&lab);
    site.server.clear_faults();
    let faulty = site.server.log().entries();
    assert!(
        faulty.iter().any(|entry| entry.faulty),
        "{what}: no request met it"
    );
    assert!([0, 4, 6].contains(&hurt.code), "{what}: {hurt:?}");
    for name in ["safe/a", "safe/b/c", "safe/b/d", "there/deep/z"] {
        let text = Some(format!("begun with {name}"));
        assert_eq!(
            on_disk(&lab.local).get(name),
            text.as_ref(),
            "{what}: {name} here"
        );
        assert_eq!(
            on_server(&site).get(name),
            text.as_ref(),
            "{what}: {name} there"
        );
    }
    let healed = site.once(&lab);
    assert_eq!(healed.code, 0, "{what}: {healed:?}");
    assert_eq!(on_disk(&lab.local), finished(), "{what}, here");
    assert_eq!(on_server(&site), finished(), "{what}, there");
}

/// Servers with and without conditions.
const KINDS: [fn() -> Quirks; 2] = [Quirks::none, Quirks::nginx];

#[test]
fn a_request_that_fails_before_anything_is_done_is_made_good() {
    let table = [
        ("PUT", Fault::Status(500)),
        ("PUT", Fault::RetryAfter(503, 1)),
        ("PUT", Fault::RetryAfter(429, 1)),
        ("PUT", Fault::Status(423)),
        ("PUT", Fault::Status(507)),
        ("PUT", Fault::EarlyStatus(413)),
        ("PUT", Fault::CutRequest(10)),
        ("PUT", Fault::Html),
        ("GET", Fault::Status(404)),
        ("GET", Fault::Html),
        (
            "GET",
            Fault::Redirect(302, "http://127.0.0.1:1/login".to_owned()),
        ),
        ("DELETE", Fault::Status(423)),
        ("MOVE", Fault::Status(502)),
        ("MKCOL", Fault::Refuse),
        ("MKCOL", Fault::Status(403)),
    ];
    for (at, (method, fault)) in table.into_iter().enumerate() {
        let rule = Rule::on(method, fault.clone());
        recovers(KINDS[at % 2](), rule, &format!("{method} {fault:?}"));
    }
}

#[test]
fn a_request_whose_answer_got_lost_after_its_effect_is_not_done_twice() {
    let faults = [
        Fault::LoseAnswer,
        Fault::StatusAfter(504),
        Fault::CutBody(0),
    ];
    for (at, method) in ["PUT", "DELETE", "MOVE", "MKCOL"].into_iter().enumerate() {
        for (step, fault) in faults.iter().enumerate() {
            let rule = Rule::on(method, fault.clone());
            recovers(
                KINDS[(at + step) % 2](),
                rule,
                &format!("{method} {fault:?}"),
            );
        }
    }
}

#[test]
fn an_answer_that_breaks_off_is_no_content() {
    for fault in [
        Fault::CutBody(0),
        Fault::CutBody(2500),
        Fault::CutChunked(2500),
        Fault::Truncate(2500),
        Fault::FalseGzip,
        Fault::WrongEtag,
        Fault::NoVersion,
    ] {
        let rule = Rule::on("GET", fault.clone()).path("/there/new");
        recovers(Quirks::none(), rule, &format!("{fault:?}"));
    }
}

#[test]
fn a_listing_that_is_not_whole_deletes_nothing() {
    let child = || "deep".to_owned();
    for (at, fault) in [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(423),
        Fault::RetryAfter(503, 1),
        Fault::Html,
        Fault::HtmlMultistatus,
        Fault::CutBody(300),
        Fault::CutChunked(300),
        Fault::Truncate(300),
        Fault::EmptyListing,
        Fault::NoSelf,
        Fault::LoseAnswer,
        Fault::Redirect(301, "/elsewhere/".to_owned()),
        Fault::ChildStatus(child(), 404),
        Fault::ChildStatus(child(), 403),
        Fault::ChildPropstat(child(), 500),
        Fault::ChildLacks(child(), vec!["resourcetype".to_owned()]),
        Fault::ChildHref(child(), "/there/../safe".to_owned()),
        Fault::ChildHref(child(), "http://files.invalid/there/deep/".to_owned()),
        Fault::Inserted("</wrong>".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        // Always, so that no second look puts right what the first one got wrong.
        let rule = Rule::on("PROPFIND", fault.clone()).path("/there").always();
        recovers(KINDS[at % 2](), rule, &format!("{fault:?}"));
    }
}
