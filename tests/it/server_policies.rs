//! Who wins, which way changes travel, and the brakes, on servers of both kinds: what
//! `merge_table` plays with one policy, with the other ones.

use crate::far::Far;
use crate::program::{Done, Lab, read, tree, write_long_ago};
use serde_json::{Value, json};
use std::fs;

/// Both sides hold `f` and `k`, synced with these keys.
fn begun(far: &Far, keys: &Value) -> Lab {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("f"), "begun");
    write_long_ago(&lab.local.join("k"), "kept");
    far.synced(&lab, &json!({}));
    assert!(far.synced(&lab, keys).is_idle(), "{}", far.name());
    lab
}

/// And then each side edits `f`.
fn disputed(far: &Far, keys: &Value) -> Lab {
    let lab = begun(far, keys);
    write_long_ago(&lab.local.join("f"), "mine, edited");
    far.write("f", b"theirs, and longer");
    lab
}

fn here(lab: &Lab) -> Vec<String> {
    tree(&lab.local).into_keys().collect()
}

/// Checks what both sides hold as `f`, and that nothing else is there but `k`.
fn holds(far: &Far, lab: &Lab, text: &str) {
    assert_eq!(read(&lab.local.join("f")), text, "{}", far.name());
    assert_eq!(far.read("f").as_deref(), Some(text), "{}", far.name());
    assert_eq!(here(lab), ["f", "k"], "{}", far.name());
    assert_eq!(far.names(), ["f", "k"], "{}", far.name());
}

/// The texts of everything in the trash.
fn trash(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.local.join(".pydio-sync/trash"));
    let entries = entries.into_iter().flatten();
    let files = entries.map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.is_file())
        .map(|path| read(&path))
        .collect()
}

fn ended(far: &Far, done: &Done, code: i32) {
    assert_eq!(done.code, code, "{}: {done:?}", far.name());
}

#[test]
fn a_manual_conflict_waits_on_both_sides_until_a_person_decides() {
    for far in Far::both() {
        let keys = json!({"solve": "manual"});
        let lab = disputed(&far, &keys);
        write_long_ago(&lab.local.join("other"), "goes on");
        ended(&far, &far.once(&lab, &keys), 3);
        assert_eq!(read(&lab.local.join("f")), "mine, edited");
        assert_eq!(far.read("f").as_deref(), Some("theirs, and longer"));
        assert_eq!(far.read("other").as_deref(), Some("goes on"));
        assert!(lab.offline(&["conflicts"]).out.contains("conflict: f"));
        ended(&far, &lab.offline(&["resolve", "f", "--keep", "local"]), 0);
        far.synced(&lab, &keys);
        assert_eq!(far.read("f").as_deref(), Some("mine, edited"));
        assert_eq!(trash(&lab), ["theirs, and longer"], "{}", far.name());
        assert!(far.synced(&lab, &keys).is_idle());
    }
}

#[test]
fn the_side_that_wins_gets_the_name_and_the_other_version_is_in_the_trash() {
    let (mine, theirs) = ("mine, edited", "theirs, and longer");
    for (solve, winner, loser) in [("local", mine, theirs), ("remote", theirs, mine)] {
        for far in Far::both() {
            let keys = json!({"solve": solve});
            let lab = disputed(&far, &keys);
            far.synced(&lab, &keys);
            holds(&far, &lab, winner);
            assert_eq!(trash(&lab), [loser], "{}", far.name());
            assert!(far.synced(&lab, &keys).is_idle());
        }
    }
}

#[test]
fn what_is_restored_from_the_trash_travels_to_the_server() {
    for far in Far::both() {
        let lab = begun(&far, &json!({}));
        far.remove("f");
        far.synced(&lab, &json!({}));
        assert_eq!(here(&lab), ["k"], "{}", far.name());
        let entry = fs::read_dir(lab.local.join(".pydio-sync/trash"));
        let entry = entry.expect("the trash").next().expect("an entry");
        let entry = entry.expect("an entry").file_name();
        let entry = entry.to_str().expect("UTF-8");
        ended(&far, &lab.offline(&["trash", "restore", entry]), 0);
        far.synced(&lab, &json!({}));
        holds(&far, &lab, "begun");
    }
}

#[test]
fn a_one_way_job_keeps_what_its_target_did_and_restores_what_it_deleted() {
    for far in Far::both() {
        let keys = json!({"direction": "up"});
        let lab = begun(&far, &keys);
        far.remove("f");
        far.write("k", b"edited there");
        far.write("added", b"there");
        write_long_ago(&lab.local.join("new"), "from here");
        far.synced(&lab, &keys);
        assert_eq!(far.names(), ["added", "f", "k", "new"], "{}", far.name());
        assert_eq!(far.read("k").as_deref(), Some("edited there"));
        assert_eq!(here(&lab), ["f", "k", "new"]);
        assert_eq!(read(&lab.local.join("k")), "kept");
        assert!(far.synced(&lab, &keys).is_idle(), "{}", far.name());

        let (keys, lab) = (json!({"direction": "down"}), Lab::new());
        far.synced(&lab, &keys);
        fs::remove_file(lab.local.join("f")).expect("a file");
        write_long_ago(&lab.local.join("k"), "edited here, and longer");
        write_long_ago(&lab.local.join("mine"), "added here");
        far.write("new", b"edited there");
        far.synced(&lab, &keys);
        assert_eq!(here(&lab), ["added", "f", "k", "mine", "new"]);
        assert_eq!(read(&lab.local.join("k")), "edited here, and longer");
        assert_eq!(read(&lab.local.join("new")), "edited there");
        assert_eq!(far.names(), ["added", "f", "k", "new"], "{}", far.name());
        assert_eq!(far.read("k").as_deref(), Some("edited there"));
        assert!(far.synced(&lab, &keys).is_idle(), "{}", far.name());
    }
}

#[test]
fn a_mirror_is_made_equal_and_what_it_held_alone_is_in_the_trash() {
    for far in Far::both() {
        let keys = json!({"direction": "up", "mode": "mirror"});
        let lab = begun(&far, &keys);
        far.write("f", b"edited there");
        far.write("added", b"there");
        far.synced(&lab, &keys);
        holds(&far, &lab, "begun");
        assert!(far.synced(&lab, &keys).is_idle(), "{}", far.name());
        let mut kept = trash(&lab);
        kept.sort();
        assert_eq!(kept, ["edited there", "there"], "{}", far.name());

        let (keys, lab) = (json!({"direction": "down", "mode": "mirror"}), Lab::new());
        far.synced(&lab, &keys);
        write_long_ago(&lab.local.join("f"), "edited here");
        write_long_ago(&lab.local.join("mine"), "added here");
        far.synced(&lab, &keys);
        holds(&far, &lab, "begun");
        let mut kept = trash(&lab);
        kept.sort();
        assert_eq!(kept, ["added here", "edited here"], "{}", far.name());
    }
}

#[test]
fn a_folder_that_is_gone_from_the_server_halts_until_it_is_back() {
    for far in Far::both() {
        let keys = json!({"remote_folder": "/work"});
        far.write("work/f", b"there");
        let lab = Lab::new();
        far.synced(&lab, &keys);
        far.rename("work", "elsewhere");
        ended(&far, &far.once(&lab, &keys), 5);
        assert_eq!(read(&lab.local.join("f")), "there");
        far.rename("elsewhere", "work");
        far.synced(&lab, &keys);
        assert_eq!(here(&lab), ["f"], "{}", far.name());
        assert_eq!(far.read("work/f").as_deref(), Some("there"));
    }
}

#[test]
fn many_deletions_on_a_server_wait_for_a_person() {
    for far in Far::both() {
        let lab = Lab::new();
        for number in 0..30 {
            write_long_ago(&lab.local.join(format!("d/f{number}")), number.to_string());
        }
        write_long_ago(&lab.local.join("k"), "kept");
        far.synced(&lab, &json!({}));
        for number in 0..30 {
            far.remove(&format!("d/f{number}"));
        }
        ended(&far, &far.once(&lab, &json!({})), 5);
        assert_eq!(here(&lab).len(), 32, "{}", far.name());
        ended(&far, &lab.offline(&["approve"]), 0);
        far.synced(&lab, &json!({}));
        assert_eq!(here(&lab), ["d/", "k"], "{}", far.name());
    }
}

#[test]
fn a_dry_run_changes_nothing_on_a_server() {
    for far in Far::both() {
        let lab = begun(&far, &json!({}));
        write_long_ago(&lab.local.join("f"), "mine, edited");
        far.write("new", b"there");
        let mut command = far.command(&lab, &json!({}));
        let seen = crate::program::done(command.args(["--once", "--json", "--dry-run"]));
        ended(&far, &seen, 0);
        for path in [r#""path":"f""#, r#""path":"new""#] {
            assert!(seen.out.contains(path), "{}: {seen:?}", far.name());
        }
        assert_eq!(far.read("f").as_deref(), Some("begun"));
        assert_eq!(here(&lab), ["f", "k"], "{}", far.name());
        far.synced(&lab, &json!({}));
        assert_eq!(far.read("f").as_deref(), Some("mine, edited"));
        assert_eq!(here(&lab), ["f", "k", "new"], "{}", far.name());
    }
}

#[test]
fn a_key_that_means_nothing_to_a_kind_of_server_is_told() {
    for far in Far::both() {
        let keys = json!({"requests_max": 500, "recheck": 900});
        let done = far.synced(&Lab::new(), &keys);
        let key = match far {
            Far::Pydio(_) => "requests_max",
            Far::Dav(_) => "recheck",
        };
        let kind = far.name();
        let told = format!("a {kind} server needs none of these, they are ignored: {key}\n");
        assert!(done.err.contains(&told), "{done:?}");
    }
}

#[test]
fn any_number_of_folders_that_may_not_be_listed_holds_up_nothing_else() {
    for far in Far::both() {
        let lab = Lab::new();
        far.write("there", b"theirs");
        for number in 0..45 {
            far.write(&format!("secret-{number}/f"), b"not for us");
        }
        far.forbid("/secret-*");
        write_long_ago(&lab.local.join("here"), "mine");
        let done = far.once(&lab, &json!({}));
        ended(&far, &done, 4);
        assert!(done.out.contains("secret-44"), "{}: {done:?}", far.name());
        assert_eq!(read(&lab.local.join("there")), "theirs");
        assert_eq!(far.read("here").as_deref(), Some("mine"), "{}", far.name());
    }
}
