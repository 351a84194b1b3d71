//! Each quirk over the wire, switched on alone and off.
//!
//! In: a table. Out: what a client sees. Invariant: every quirk has a line here or a test
//! of its own, named in [`ELSEWHERE`].

use std::fs::{self, File};

use test_servers::pydio::{Options, PydioServer, Quirk, Quirks};

use crate::client::{Client, Reply};

/// A server, someone who asks, and what it serves.
struct Scene {
    client: Client,
    server: PydioServer,
    _dir: tempfile::TempDir,
}

/// Quirks with tests of their own.
const ELSEWHERE: &[(Quirk, &str)] = &[
    (
        Quirk::SameSecond,
        "index: operations_write_the_rows_that_the_triggers_write",
    ),
    (Quirk::CaseRenameIsContent, "index: the same"),
    (
        Quirk::StaleHash,
        "feed: numbers_may_be_texts_and_a_hash_may_be_old_for_ever",
    ),
    (Quirk::TextNumbers, "feed: the same"),
    (
        Quirk::GlobalSequence,
        "feed: the_last_number_counts_all_workspaces_unless_flattened",
    ),
    (
        Quirk::Clobber,
        "upload: a_second_chunk_under_the_final_name_costs_the_old_version",
    ),
    (
        Quirk::AuthHeaderBug,
        "auth: headers_count_only_together_with_their_wrong_names",
    ),
    (
        Quirk::NoTokens,
        "auth: a_server_may_refuse_pairs_with_an_empty_answer",
    ),
];

/// What to do, and a text that is seen only with the quirk and one only without.
type Line = (Quirk, fn(&Scene) -> String, &'static str, &'static str);

const TABLE: &[Line] = &[
    (
        Quirk::PrefixDeletes,
        deleted_foo,
        "delete /foobar",
        "[delete /foo]\n",
    ),
    (
        Quirk::Collation,
        overwritten_a,
        "content /A]",
        "[content /a]\n",
    ),
    (
        Quirk::NoAstral,
        |s| after(s, &["/sync/mkdir/%F0%9F%98%80"]),
        "[]",
        "create /\u{1f600}",
    ),
    (
        Quirk::ManyIds,
        |s| after(s, &["/sync/mkfile/f", "/sync/mkfile/f?force=true"]),
        "[create /f][create /f]",
        "content /f",
    ),
    (Quirk::BinPrefix, into_bin_2, "delete /f", "path /f"),
    (
        Quirk::Sqlite,
        |s| {
            s.client.get("/sync/mkdir/d");
            s.rename("/d", "/e");
            s.feed()
        },
        "[create /d]\n",
        "path /d",
    ),
    (
        Quirk::DeferredEvents,
        |s| after(s, &["/sync/mkdir/d"]),
        "[]",
        "create /d",
    ),
    (
        Quirk::ExclusiveRange,
        |s| s.part("/sync/download/ten", "bytes=0-3").text() + "|",
        "012|",
        "0123|",
    ),
    (
        Quirk::SlicedHash,
        |s| s.part("/sync/stat_hash/ten", "bytes=0-3").text() + "|",
        "{\"0\"|",
        "\"hash\"",
    ),
    (
        Quirk::NativeListing,
        folders_only,
        "0 children",
        "3 children",
    ),
    (
        Quirk::PagedRecursion,
        |s| s.client.get("/sync/ls/many?recursive=true").text(),
        "total=\"2\"",
        "total=\"1\"",
    ),
    (
        Quirk::TagsStripped,
        |s| s.client.get("/sync/mkdir/a%3Cb%3Ec").text(),
        "filename=\"/ac\"",
        "filename=\"/a&lt;b&gt;c\"",
    ),
    (
        Quirk::UploadNfc,
        |s| s.uploaded("e%CC%81"),
        "\"/\u{e9}\"",
        "\"/e\u{301}\"",
    ),
    (
        Quirk::QuestionCut,
        |s| {
            s.client.get("/sync/mkdir/q%3Fx");
            s.client.get("/sync/stat/q%3Fx").text()
        },
        "{}",
        "\"mode\"",
    ),
    (
        Quirk::StripNames,
        |s| s.uploaded("a%22b"),
        "\"/ab\"",
        "\"/a&quot;b\"",
    ),
    (
        Quirk::LongNamesCut,
        |s| s.uploaded(&"n".repeat(300)),
        "<add>",
        "(411)",
    ),
    (
        Quirk::SuspiciousNames,
        |s| s.uploaded("javascript%3Ax"),
        "Rename Me",
        "javascript:x",
    ),
    (
        Quirk::PlusIsSpace,
        |s| s.client.get("/sync/stat/a+b").text(),
        "\"mode\"",
        "{}",
    ),
    (
        Quirk::QueryInAction,
        |s| s.client.get("/sync/stat?x=y").text() + "|",
        "|",
        "\"mode\"",
    ),
    (
        Quirk::RefuseNames,
        |s| s.client.get("/sync/mkdir/a%7Cb").text(),
        "forbidden characters",
        "SUCCESS",
    ),
    (
        Quirk::StatusFromCode,
        |s| s.client.get("/sync/stat/.h").status.to_string(),
        "411",
        "200",
    ),
    (
        Quirk::BackgroundDeletes,
        |s| {
            s.client
                .post("/sync/delete/", "file=/large&force_deletion=true");
            s.client.get("/sync/stat/large").text()
        },
        "\"mode\"",
        "{}",
    ),
    (
        Quirk::RangeIgnored,
        |s| s.part("/sync/download/ten", "bytes=3-").text() + "|",
        "0123456789|",
        "|3456789|",
    ),
    (
        Quirk::UnknownIsError,
        |s| s.client.get("/sync/none/x").text() + "|",
        "Could not find",
        "|",
    ),
    (
        Quirk::NegativeSizes,
        |s| s.client.get("/sync/stat/large").text(),
        "\"size\":-1073741824",
        "\"size\":3221225472",
    ),
    (
        Quirk::EmptyArray,
        |s| s.client.get("/sync/stat/none").text(),
        "[]",
        "{}",
    ),
];

#[test]
fn each_quirk_is_seen_when_it_is_on_and_only_then() {
    for (quirk, act, with, without) in TABLE {
        for (on, expected, other) in [(true, *with, *without), (false, *without, *with)] {
            let quirks = if on {
                Quirks::none().with(*quirk)
            } else {
                Quirks::none()
            };
            let seen = act(&Scene::new(quirks));
            assert!(seen.contains(expected), "{} {on}: {seen}", quirk.name());
            // A text that is part of the expected one tells nothing by being there.
            let told = !expected.contains(other) && other.len() > 1;
            assert!(
                !told || !seen.contains(other),
                "{} {on}: {seen}",
                quirk.name()
            );
        }
    }
}

#[test]
fn no_quirk_is_without_a_test() {
    for quirk in Quirk::ALL {
        let here = TABLE.iter().any(|line| line.0 == *quirk);
        let elsewhere = ELSEWHERE.iter().any(|(known, _)| known == quirk);
        assert!(here != elsewhere, "{}", quirk.name());
    }
}

#[test]
fn quirks_are_switched_by_name() {
    let all = Quirk::ALL
        .iter()
        .try_fold(Quirks::none(), |set, quirk| set.apply(quirk.name()));
    let all = all.unwrap();
    assert!(Quirk::ALL.iter().all(|quirk| all.has(*quirk)));
    let none = Quirk::ALL.iter().try_fold(all, |set, quirk| {
        set.apply(&format!("without-{}", quirk.name()))
    });
    assert_eq!(none, Ok(Quirks::none()));
    for (name, preset) in [
        ("6.4", Quirks::v6_4()),
        ("8.2", Quirks::v8_2()),
        ("all", Quirks::all()),
    ] {
        assert_eq!(Quirks::none().apply(name), Ok(preset));
    }
    assert_eq!(Quirks::none().apply("9.0"), Err("9.0".to_owned()));
    assert!(
        !Quirks::all().has(Quirk::RefuseNames),
        "contradicts what 6.x does"
    );
}

impl Scene {
    /// A folder with `ten` (10 bytes), `a b`, `large` (3 GiB, sparse), `dir`, `many/1` to `4`.
    fn new(quirks: Quirks) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path()).quirks(quirks).pages(3, 2);
        let server = PydioServer::start(options).unwrap();
        let folder = server.folder("sync");
        fs::write(folder.join("ten"), "0123456789").unwrap();
        fs::write(folder.join("a b"), "x").unwrap();
        File::create(folder.join("large"))
            .unwrap()
            .set_len(3 << 30)
            .unwrap();
        fs::create_dir(folder.join("dir")).unwrap();
        fs::create_dir(folder.join("many")).unwrap();
        for number in 1..=4 {
            fs::write(folder.join(format!("many/{number}")), "x").unwrap();
        }
        Self {
            client: Client::new(&server),
            server,
            _dir: dir,
        }
    }

    fn part(&self, target: &str, range: &str) -> Reply {
        self.client
            .send("GET", target, &[("Range", range)], b"")
            .unwrap()
    }

    fn uploaded(&self, name: &str) -> String {
        self.client
            .upload("/sync/upload/put/", name, b"abc", &[])
            .text()
    }

    fn rename(&self, from: &str, to: &str) {
        self.client
            .post("/sync/rename", &format!("file={from}&dest={to}"));
    }

    /// `[kind path]` for each row of the feed, `[]` if there is none.
    fn feed(&self) -> String {
        let feed = self.client.get("/sync/changes/0").text();
        let feed: serde_json::Value = serde_json::from_str(&feed).unwrap();
        let mut rows = feed["changes"].as_array().unwrap().clone();
        rows.sort_by_key(|row| row["seq"].as_u64());
        let row = |row: &serde_json::Value| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let path = if row["source"] == "NULL" {
                text("target")
            } else {
                text("source")
            };
            format!("[{} {path}]", text("type"))
        };
        let rows: String = rows.iter().map(row).collect();
        if rows.is_empty() {
            "[]\n".to_owned()
        } else {
            rows + "\n"
        }
    }
}

fn after(scene: &Scene, calls: &[&str]) -> String {
    for call in calls {
        scene.client.get(call);
    }
    scene.feed()
}

fn deleted_foo(scene: &Scene) -> String {
    scene.client.get("/sync/mkdir/foo");
    scene.client.get("/sync/mkdir/foobar");
    scene
        .client
        .post("/sync/delete/", "file=/foo&force_deletion=true");
    assert!(scene.server.folder("sync").join("foobar").is_dir());
    scene.feed()
}

fn overwritten_a(scene: &Scene) -> String {
    for (name, content) in [("a", "1"), ("A", "2"), ("a", "345")] {
        scene
            .client
            .upload("/sync/upload/put/", name, content.as_bytes(), &[]);
    }
    let feed = scene.feed();
    feed.split_once("[create /A]").unwrap().1.to_owned()
}

fn into_bin_2(scene: &Scene) -> String {
    scene.client.get("/sync/mkdir/recycle_bin_2");
    scene.uploaded("f");
    scene.rename("/f", "/recycle_bin_2/f");
    scene.feed()
}

fn folders_only(scene: &Scene) -> String {
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let agent = ("User-Agent", "curl");
    let reply = scene
        .client
        .send("POST", "/sync/ls/", &[kind, agent], b"options=d");
    let text = reply.unwrap().text();
    format!("{} children", text.matches("filename=").count() - 1)
}
