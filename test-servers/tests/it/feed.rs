//! The feed over the wire: streams, numbers, resets.

use test_servers::pydio::{Fault, Options, PydioServer, Quirk, Quirks, Rule, Workspace};

use crate::client::Client;

fn server(options: impl FnOnce(Options) -> Options) -> (tempfile::TempDir, PydioServer, Client) {
    let dir = tempfile::tempdir().unwrap();
    let server = PydioServer::start(options(Options::new(dir.path()))).unwrap();
    let client = Client::new(&server);
    (dir, server, client)
}

/// `seq type source>target` of a feed that was not streamed.
fn rows(text: &str) -> (Vec<String>, u64) {
    let feed: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows = feed["changes"].as_array().unwrap().iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        format!(
            "{} {} {}>{}",
            row["seq"],
            text("type"),
            text("source"),
            text("target")
        )
    });
    (rows.collect(), feed["last_seq"].as_u64().unwrap())
}

#[test]
fn the_last_number_counts_all_workspaces_unless_flattened() {
    let two = |options: Options| {
        options
            .workspace(Workspace::new("1", "sync"))
            .workspace(Workspace::new("2", "other"))
    };
    let (_dir, _server, client) = server(two);
    client.get("/sync/mkdir/a");
    client.get("/other/mkdir/b");
    let (plain, last) = rows(&client.get("/sync/changes/0").text());
    assert_eq!((plain.len(), last), (1, 2));
    let (_, last) = rows(&client.get("/sync/changes/0?flatten=true").text());
    assert_eq!(last, 1);
    let (none, last) = rows(&client.get("/sync/changes/1?flatten=true").text());
    assert_eq!((none.len(), last), (0, 2));
}

#[test]
fn a_change_between_the_two_queries_is_lost_to_whoever_trusts_the_number() {
    let (_dir, server, client) = server(|options| options);
    client.get("/sync/mkdir/a");
    client.get("/sync/mkdir/b");
    server.inject(Rule::on("changes", Fault::FeedRace));
    let (seen, last) = rows(&client.get("/sync/changes/0").text());
    assert_eq!((seen, last), (vec!["1 create NULL>/a".to_owned()], 2));
}

#[test]
fn a_reset_is_told_by_a_number_below_the_one_asked_for() {
    let (_dir, server, client) = server(|options| options);
    for name in ["a", "b", "c"] {
        client.get(&format!("/sync/mkdir/{name}"));
    }
    server.reset_index().unwrap();
    assert_eq!(
        client.get("/sync/changes/3?stream=true").text(),
        "LAST_SEQ:1"
    );
    server.reindex("sync");
    let (seen, last) = rows(&client.get("/sync/changes/0").text());
    assert_eq!((seen.len(), last), (3, 3));
    server.roll_back_index(1).unwrap();
    client.get("/sync/mkdir/d");
    let (seen, _) = rows(&client.get("/sync/changes/0").text());
    assert_eq!(seen, ["1 create NULL>/a", "2 create NULL>/d"]);
}

#[test]
fn a_stream_ends_with_its_number_and_may_be_cut_or_garbled() {
    let (_dir, server, client) = server(|options| options);
    client.get("/sync/mkdir/a");
    let whole = client.get("/sync/changes/0?stream=true").text();
    assert!(whole.ends_with("}\nLAST_SEQ:1"), "{whole}");
    assert_eq!(
        client.get("/sync/changes/1?stream=true").text(),
        "\nLAST_SEQ:1"
    );
    server.inject(Rule::on("changes", Fault::ErrorInside));
    let garbled = client.get("/sync/changes/0?stream=true").text();
    assert!(garbled.contains("type=\"ERROR\"") && !garbled.contains("LAST_SEQ"));
}

#[test]
fn the_bin_looks_like_deletions_and_returns() {
    let (_dir, _server, client) = server(|options| options);
    client.upload("/sync/upload/put/", "f", b"abc", &[]);
    client.post("/sync/delete/", "file=/f");
    client.post("/sync/restore/", "file=/recycle_bin/f&dir=/recycle_bin");
    let (seen, _) = rows(&client.get("/sync/changes/0").text());
    assert_eq!(
        seen,
        ["1 create NULL>/f", "2 delete /f>NULL", "3 create NULL>/f"]
    );
    let (flat, _) = rows(&client.get("/sync/changes/0?flatten=true").text());
    assert_eq!(flat, ["3 create NULL>/f"]);
}

#[test]
fn numbers_may_be_texts_and_a_hash_may_be_old_for_ever() {
    let with = |quirk: Quirk| server(move |options| options.quirks(Quirks::none().with(quirk)));
    let (_dir, _server, client) = with(Quirk::TextNumbers);
    client.get("/sync/mkdir/a");
    assert!(
        client
            .get("/sync/changes/0")
            .text()
            .contains("\"seq\":\"1\"")
    );
    let (_dir, server, client) = with(Quirk::StaleHash);
    let path = server.folder("sync").join("f");
    let write = |content: &str| {
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000))
            .unwrap();
        client.get("/sync/stat_hash/f").text()
    };
    let first = write("one");
    let hash = &first[first.find("\"hash\"").unwrap()..];
    assert!(write("two").ends_with(hash), "the same second");
}
