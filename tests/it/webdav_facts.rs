//! What is found out about a server by trying, and what lying listings make of it.

use crate::folders::{items, lines, request, run};
use crate::program::{Lab, read, tree, write, write_long_ago};
use crate::webdav_real::{MORE_REAL, REAL, real};
use crate::webdav_site::{DavSite, entry, fact, put, tried};
use journal_format::event::{Expected, FailureClass};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::Remote as _;
use std::collections::BTreeMap;
use test_servers::webdav::{Fault, FolderEtags, Hrefs, Percent, Quirks, Rule};

/// What is found out about a server.
fn facts(quirks: Quirks) -> BTreeMap<String, String> {
    let site = DavSite::dated(quirks);
    let facts = found_out(&site.remote("client"));
    assert_eq!(site.names(), ["new"], "nothing of it stays");
    facts
}

fn found_out(remote: &WebdavRemote) -> BTreeMap<String, String> {
    run(remote.claim_root("remote-1")).expect("claim");
    put(remote, "new", b"new", &Expected::Absent).expect("a file, and the trials");
    let facts = remote.found_out().expect("facts").into_iter();
    facts.map(|fact| (fact.name, fact.value)).collect()
}

/// What does not depend on the version of a server, nor on how fast it is.
const LASTING: [&str; 18] = [
    "conditions",
    "overwrite_refused",
    "atomic_put",
    "mkcol_tells_taken",
    "folder_tags",
    "move_keeps_version",
    "move_makes_parents",
    "lists_dot_names",
    "put_answers_tag",
    "chunks",
    "chunk_conditions",
    "file_ids",
    "folds_case",
    "names_refused",
    "ranges",
    "checksums",
    "quota",
    "bulk_upload",
];

#[test]
fn a_real_server_is_found_out_to_be_what_its_preset_is() {
    for kind in REAL {
        let quirks = Quirks::PRESETS.iter().find(|(name, _)| *name == kind);
        let preset = facts(quirks.expect("a preset").1());
        let address = real(kind);
        let seen = found_out(&address.remote("client"));
        assert_eq!(address.names(), ["new"], "{kind}: nothing of it stays");
        for name in LASTING {
            assert_eq!(seen.get(name), preset.get(name), "{kind}: {name}");
        }
    }
}

#[test]
fn a_real_server_without_a_preset_is_found_out_to_be_this() {
    let lighttpd: Differs = &[("overwrite_refused", "false"), ("names_refused", "control")];
    let sabre: Differs = &[("put_answers_tag", "false"), ("quota", "true")];
    for (kind, differs) in MORE_REAL.into_iter().zip([lighttpd, sabre]) {
        let address = real(kind);
        let seen = found_out(&address.remote("client"));
        assert_eq!(address.names(), ["new"], "{kind}: nothing of it stays");
        let wanted = wished(differs);
        for name in LASTING {
            let seen = seen.get(name).map(String::as_str);
            assert_eq!(seen, wanted.get(name).map(String::as_str), "{kind}: {name}");
        }
    }
}

/// Facts that differ from those of the server that one would wish for.
type Differs = &'static [(&'static str, &'static str)];

/// What is found out about that one.
const WISHED: Differs = &[
    ("server", "plain"),
    ("conditions", "true"),
    ("overwrite_refused", "true"),
    ("atomic_put", "true"),
    ("mkcol_tells_taken", "true"),
    ("sharp_tags", "true"),
    ("deep_tags", "false"),
    ("folder_tags", "false"),
    ("move_keeps_version", "true"),
    ("move_makes_parents", "false"),
    ("lists_dot_names", "true"),
    ("put_answers_tag", "true"),
    ("takes_time", "false"),
    ("time_grain_s", "0"),
    ("chunks", "false"),
    ("chunk_conditions", "false"),
    ("chunk_bytes_max", "0"),
    ("file_ids", "false"),
    ("folds_case", "false"),
    ("names_refused", ""),
    ("names_hidden", ""),
    ("ranges", "true"),
    ("checksums", "false"),
    ("quota", "false"),
    ("trash", "false"),
    ("bulk_upload", "false"),
];

/// What is found out about one that differs in this.
fn wished(differs: Differs) -> BTreeMap<String, String> {
    let all = WISHED.iter().chain(differs);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Servers, and how they differ.
const SERVERS: [(fn() -> Quirks, Differs); 14] = [
    (Quirks::none, &[]),
    (
        Quirks::apache,
        &[
            ("server", "Apache/2.4.71 (Debian)"),
            ("put_answers_tag", "false"),
        ],
    ),
    (
        Quirks::nginx,
        &[
            ("server", "nginx/1.22.1"),
            ("conditions", "false"),
            ("sharp_tags", "false"),
            ("put_answers_tag", "false"),
            ("move_makes_parents", "true"),
            ("lists_dot_names", "false"),
            ("names_hidden", "htaccess"),
        ],
    ),
    (
        Quirks::rclone,
        &[
            ("server", "rclone/v1.75.2"),
            ("conditions", "false"),
            ("atomic_put", "false"),
            ("mkcol_tells_taken", "false"),
            ("sharp_tags", "false"),
            ("takes_time", "true"),
            ("time_grain_s", "1"),
        ],
    ),
    (
        Quirks::wsgidav,
        &[
            ("server", "WsgiDAV/4.4.0"),
            ("atomic_put", "false"),
            ("sharp_tags", "false"),
            ("quota", "true"),
        ],
    ),
    (
        Quirks::nextcloud,
        &[
            ("server", "Apache"),
            ("sharp_tags", "false"),
            ("deep_tags", "true"),
            ("folder_tags", "true"),
            ("takes_time", "true"),
            ("time_grain_s", "1"),
            ("chunks", "true"),
            ("chunk_conditions", "true"),
            ("file_ids", "true"),
            ("names_refused", "backslash control htaccess"),
            ("names_hidden", "part"),
            ("checksums", "true"),
            ("quota", "true"),
            ("trash", "true"),
            ("bulk_upload", "true"),
        ],
    ),
    (
        || Quirks {
            folder_etags: FolderEtags::Own,
            deep_mtime: false,
            bulk: false,
            chunk_max: Some(7_000_000),
            chunk_conditions: false,
            ..Quirks::nextcloud()
        },
        &[
            ("server", "Apache"),
            ("sharp_tags", "false"),
            ("takes_time", "true"),
            ("time_grain_s", "1"),
            ("chunks", "true"),
            ("chunk_bytes_max", "7000000"),
            ("file_ids", "true"),
            ("names_refused", "backslash control htaccess"),
            ("names_hidden", "part"),
            ("checksums", "true"),
            ("quota", "true"),
            ("trash", "true"),
        ],
    ),
    (
        || Quirks {
            ranges: false,
            ..Quirks::none()
        },
        &[("ranges", "false")],
    ),
    (
        || Quirks {
            folds_case: true,
            ..Quirks::none()
        },
        &[("folds_case", "true")],
    ),
    (
        || Quirks {
            hides_part_files: true,
            ..Quirks::none()
        },
        &[("names_hidden", "part")],
    ),
    (
        || Quirks {
            refuses_names: true,
            ..Quirks::none()
        },
        &[("names_refused", "backslash control htaccess")],
    ),
    // It writes such names into its answers as they are, where they mean something else.
    (
        || Quirks {
            hrefs: Hrefs {
                percent: Percent {
                    plain: "?",
                    lower: false,
                },
                ..Quirks::none().hrefs
            },
            ..Quirks::none()
        },
        &[("names_refused", "wildcards")],
    ),
    (
        || Quirks {
            put_in_place: true,
            ..Quirks::none()
        },
        &[("atomic_put", "false")],
    ),
    (
        || Quirks {
            move_into_folders: true,
            ..Quirks::none()
        },
        &[("overwrite_refused", "false")],
    ),
];

#[test]
fn what_is_found_out_is_what_the_server_is_like() {
    for (quirks, differs) in SERVERS {
        assert_eq!(facts(quirks()), wished(differs), "{differs:?}");
    }
}

#[test]
fn a_first_upload_does_not_wait_until_it_is_known_what_a_broken_one_does() {
    let site = DavSite::of(Quirks::none());
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    let log = site.server.log();
    site.server.before("PUT", "/.pydio-sync/probe*/f", move || {
        let is_placed = || {
            let entries = log.entries();
            let mut slots = entries.iter().filter(|it| it.path.contains("/staging/"));
            slots.any(|it| it.method == "MOVE")
        };
        crate::program::until("the upload is at its name", is_placed);
    });
    put(&remote, "new", b"new", &Expected::Absent).expect("put");
    assert_eq!(fact(&remote, "atomic_put"), "true");
    // The next one needs no slot.
    site.server.log().clear();
    put(&remote, "next", b"next", &Expected::Absent).expect("put");
    assert_eq!(site.server.log().count("MOVE"), 0);
}

#[test]
fn a_name_that_a_server_keeps_and_does_not_list_is_told_and_not_deleted() {
    let (lab, site) = (
        Lab::new(),
        DavSite::timed(Quirks {
            hides_part_files: true,
            ..Quirks::none()
        }),
    );
    for name in ["a.part", "d/b.part", "plain"] {
        write_long_ago(&lab.local.join(name), name);
    }
    for _ in 0..3 {
        let done = site.once(&lab);
        assert_eq!(done.code, 4, "{done:?}");
        assert_eq!(done.summary["problems"], 2, "{done:?}");
        let words = "hides names that end like parts of uploads";
        assert!(done.out.contains(words), "{done:?}");
    }
    for name in ["a.part", "d/b.part", "plain"] {
        assert_eq!(read(&lab.local.join(name)), name);
    }
    assert_eq!(site.names(), ["d", "plain"]);
}

#[test]
fn what_a_server_refuses_to_take_still_comes_from_it() {
    let (site, remote) = tried(Quirks {
        refuses_names: true,
        ..Quirks::none()
    });
    site.hand().write("d/.htaccess", b"of the server");
    let found = run(items(remote.scan(request(&[("d", true)])))).expect("scan");
    let found = lines(&found);
    assert!(found.contains(&"d/.htaccess File".to_owned()), "{found:?}");
    let error = put(&remote, "d/a\\b", b"x", &Expected::Absent).expect_err("refused");
    assert_eq!(error.class, FailureClass::Unsupported);
    assert!(error.message.contains("names with `\\`"), "{error}");
}

#[test]
fn folders_whose_tags_do_not_follow_what_is_below_are_no_feed() {
    let deaf = || Quirks {
        folder_etags: FolderEtags::Own,
        deep_mtime: false,
        ..Quirks::nextcloud()
    };
    let (_site, remote) = tried(deaf());
    assert!(!remote.feed().expect("asked").tells_places());
    let (_site, telling) = tried(Quirks::nextcloud());
    assert!(telling.feed().expect("a feed").tells_places());
    let (lab, site) = (Lab::new(), DavSite::dated(deaf()));
    write_long_ago(&lab.local.join("a/b/here"), "here");
    site.synced(&lab);
    site.age();
    site.synced(&lab);
    site.hand().write("a/b/there", b"there");
    site.age();
    let third = site.synced(&lab);
    assert_eq!(third.summary["downloaded"], 1, "{third:?}");
    assert_eq!(read(&lab.local.join("a/b/there")), "there");
}

/// Files on both sides in sync, and a server whose listings lie about the tag of one.
fn lying(quirks: Quirks, tag: &str) -> (Lab, DavSite) {
    let (lab, site) = (Lab::new(), DavSite::dated(quirks));
    for name in ["d/x", "d/y"] {
        write_long_ago(&lab.local.join(name), format!("begun with {name}"));
    }
    site.synced(&lab);
    site.age();
    let fault = Fault::ChildEtag("x".to_owned(), tag.to_owned());
    site.server
        .inject(Rule::on("PROPFIND", fault).path("/d").always());
    (lab, site)
}

#[test]
fn a_tag_that_only_a_listing_has_moves_nothing_and_loses_no_edit() {
    for quirks in [
        Quirks::none,
        Quirks::apache,
        Quirks::wsgidav,
        Quirks::nextcloud,
    ] {
        for tag in ["\"of another\"", "W/\"of another\"", "", "\"\"", "\"a\"b\""] {
            let (lab, site) = lying(quirks(), tag);
            for _ in 0..2 {
                let done = site.once(&lab);
                assert!([0, 4].contains(&done.code), "{tag}: {done:?}");
                for count in ["uploaded", "deleted_local", "deleted_remote", "conflicts"] {
                    assert_eq!(done.summary[count], 0, "{tag}: {done:?}");
                }
            }
            // An edit waits at the most until the server tells one thing.
            write(&lab.local.join("d/x"), "edited here, longer");
            write_long_ago(&lab.local.join("d/x"), "edited here, longer");
            let hurt = site.once(&lab);
            assert!([0, 4].contains(&hurt.code), "{tag}: {hurt:?}");
            site.server.clear_faults();
            site.age();
            site.synced(&lab);
            assert_eq!(
                site.hand().read("d/x").expect("x"),
                b"edited here, longer",
                "{tag}"
            );
            let names: Vec<String> = tree(&lab.local).into_keys().collect();
            assert_eq!(names, ["d/", "d/x", "d/y"], "{tag}");
            assert_eq!(site.names(), ["d", "d/x", "d/y"], "{tag}");
        }
    }
}

#[test]
fn a_tag_that_no_header_could_hold_is_none() {
    let (site, remote) = tried(Quirks::none());
    let plain = entry(&remote, "d/y").fingerprint;
    for tag in [
        "&#10;",
        "\"a&#9;b\"",
        &format!("\"{}\"", "t".repeat(70_000)),
    ] {
        let fault = Fault::ChildEtag("x".to_owned(), tag.to_owned());
        site.server
            .inject(Rule::on("PROPFIND", fault).path("/d").nth(2));
        let found = run(items(remote.scan(request(&[("d", true)]))));
        if let Ok(found) = &found {
            let found = lines(found);
            let is_unknown = found.contains(&"d unlisted Unreadable".to_owned());
            let is_there = found.contains(&"d/x File".to_owned());
            assert!(is_unknown || is_there, "{found:?}");
        }
        site.server.clear_faults();
    }
    assert_eq!(entry(&remote, "d/y").fingerprint, plain);
}
