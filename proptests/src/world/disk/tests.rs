use super::*;
use crate::world::prng::Ratio;

const NOW_NS: i64 = 1_700_000_000_000_000_001;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn disk(options: DiskOptions) -> Disk {
    Disk::new(Side::Local, options)
}

fn file(disk: &mut Disk, at: &str, data: &str, author: Author) -> NodeId {
    let body = Body::File(data.as_bytes().to_owned());
    disk.create(&path(at), body, author, NOW_NS).unwrap()
}

fn text(disk: &Disk, at: &str) -> Option<String> {
    let node = disk.node(&path(at))?;
    Some(String::from_utf8(node.content()?.to_owned()).unwrap())
}

/// What a power loss leaves of `prepare`, over many seeds.
fn left_by_power(prepare: impl Fn(&mut Disk), look: impl Fn(&Disk) -> String) -> BTreeSet<String> {
    (0..200)
        .map(|seed| {
            let mut disk = disk(DiskOptions::PLAIN);
            prepare(&mut disk);
            disk.lose_power(&mut Rng::new(seed));
            look(&disk)
        })
        .collect()
}

fn looks(found: &BTreeSet<String>) -> Vec<&str> {
    found.iter().map(String::as_str).collect()
}

#[test]
fn what_was_synced_survives_a_power_loss() {
    let found = left_by_power(
        |disk| {
            file(disk, "a", "one", Author::Engine);
            disk.sync();
        },
        |disk| format!("{:?}", text(disk, "a")),
    );
    assert_eq!(looks(&found), [r#"Some("one")"#]);
}

#[test]
fn data_that_was_not_synced_may_be_anything_behind_a_durable_name() {
    let found = left_by_power(
        |disk| {
            let id = file(disk, "a", "four", Author::Engine);
            disk.rename(&path("a"), &path("b"), Onto::Free).unwrap();
            // A person's fsync of another file carries the names along.
            let other = file(disk, "c", "c", Author::User);
            disk.sync_file(other);
            assert_ne!(id, other);
        },
        |disk| format!("{:?}", text(disk, "b")),
    );
    let all = [
        r#"Some("")"#,
        r#"Some("\0\0\0\0")"#,
        r#"Some("fo")"#,
        r#"Some("four")"#,
    ];
    assert_eq!(looks(&found), all);
}

#[test]
fn names_survive_a_power_loss_as_a_prefix() {
    let found = left_by_power(
        |disk| {
            for name in ["1", "2", "3"] {
                let body = Body::Directory(BTreeMap::new());
                disk.create(&path(name), body, Author::Engine, NOW_NS)
                    .unwrap();
            }
        },
        |disk| {
            let names = disk.live.children(ROOT).unwrap().keys();
            names.cloned().collect()
        },
    );
    assert_eq!(looks(&found), ["", "1", "12", "123"]);
}

#[test]
fn a_persons_data_is_never_zeroed_under_its_size() {
    let found = left_by_power(
        |disk| {
            file(disk, "a", "four", Author::User);
        },
        |disk| format!("{:?}", text(disk, "a")),
    );
    assert!(!found.iter().any(|left| left.contains(r"\0")), "{found:?}");
}

#[test]
fn a_rename_onto_a_free_name_replaces_nothing() {
    let mut disk = disk(DiskOptions::PLAIN);
    file(&mut disk, "a", "a", Author::User);
    file(&mut disk, "b", "b", Author::User);
    let before = disk.live.clone();
    let renamed = disk.rename(&path("a"), &path("b"), Onto::Free);
    assert_eq!(renamed, Err(DiskError::Taken));
    assert_eq!(disk.live, before);
    disk.rename(&path("a"), &path("b"), Onto::Exchange).unwrap();
    assert_eq!(text(&disk, "a").as_deref(), Some("b"));
    assert_eq!(text(&disk, "b").as_deref(), Some("a"));
    disk.rename(&path("a"), &path("b"), Onto::Anything).unwrap();
    assert_eq!(text(&disk, "a"), None);
    assert_eq!(text(&disk, "b").as_deref(), Some("b"));
}

#[test]
fn a_directory_does_not_move_into_itself() {
    let mut disk = disk(DiskOptions::PLAIN);
    for name in ["a", "a/b"] {
        let body = Body::Directory(BTreeMap::new());
        disk.create(&path(name), body, Author::User, NOW_NS)
            .unwrap();
    }
    for (from, to, onto) in [
        ("a", "a/b/c", Onto::Free),
        ("a", "a/b", Onto::Exchange),
        ("a/b", "a", Onto::Exchange),
    ] {
        let moved = disk.rename(&path(from), &path(to), onto);
        assert_eq!(moved, Err(DiskError::Loop), "{from} to {to}");
    }
}

#[test]
fn a_folding_disk_takes_other_spellings_for_one_name() {
    let mut disk = disk(DiskOptions {
        fold_case: true,
        fold_norm: true,
        ..DiskOptions::PLAIN
    });
    file(&mut disk, "caf\u{e9}", "x", Author::User);
    assert_eq!(text(&disk, "CAFE\u{301}").as_deref(), Some("x"));
    let body = Body::File(Vec::new());
    let again = disk.create(&path("Caf\u{e9}"), body, Author::User, NOW_NS);
    assert_eq!(again, Err(DiskError::Taken));
    let (old, new) = (path("caf\u{e9}"), path("Cafe\u{301}"));
    disk.rename(&old, &new, Onto::Free).unwrap();
    let names: Vec<&String> = disk.live.children(ROOT).unwrap().keys().collect();
    assert_eq!(names, ["Cafe\u{301}"]);
}

#[test]
fn a_reused_inode_never_shows_other_content_under_the_same_fingerprint() {
    let mut disk = disk(DiskOptions {
        granularity_ns: 2_000_000_000,
        reuse_inodes: true,
        births: false,
        ..DiskOptions::PLAIN
    });
    let first = file(&mut disk, "a", "one", Author::User);
    let ino = disk.live.nodes[&first].ino;
    disk.remove(&path("a"), false).unwrap();
    let second = file(&mut disk, "b", "two", Author::User);
    assert_eq!(disk.live.nodes[&second].ino, ino);
    assert_eq!(text(&disk, "b").as_deref(), Some("two+"));
    disk.write(
        &path("b"),
        second,
        b"four".to_vec(),
        Author::User,
        NOW_NS + 1,
    );
    assert_eq!(text(&disk, "b").as_deref(), Some("four+"));
}

#[test]
fn walking_lists_parents_before_children() {
    let mut rng = Rng::new(5);
    let mut disk = disk(DiskOptions::PLAIN);
    for _ in 0..100 {
        let parent = disk.live.walk();
        let parent = match parent.len() {
            0 => RelPath::root(),
            len => parent[rng.below(len)].0.clone(),
        };
        let name = format!("{}", rng.below(20));
        let body = if rng.chance(Ratio::one_in(2)) {
            Body::Directory(BTreeMap::new())
        } else {
            Body::Pipe
        };
        disk.create(&parent.join(&name).unwrap(), body, Author::User, NOW_NS)
            .ok();
    }
    let mut seen = BTreeSet::from([RelPath::root()]);
    for (path, _) in disk.live.walk() {
        assert!(seen.contains(&path.parent().unwrap()), "{path}");
        assert!(seen.insert(path));
    }
    assert!(seen.len() > 20);
}
