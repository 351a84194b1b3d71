//! Folders, names, disks and journals in trouble: told, and nothing is lost.

use crate::program::{Done, Lab, done, pause, read, tree, until, write, write_long_ago};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// A lab in sync, with a few entries.
fn settled() -> Lab {
    let lab = Lab::new();
    for name in ["a", "d/b", "d/e/c"] {
        write_long_ago(&lab.local.join(name), name);
    }
    write_long_ago(&lab.remote.join("r"), "r");
    lab.synced();
    assert_eq!(lab.equal().len(), 6);
    lab
}

fn problems(done: &Done, parts: &[&str]) {
    assert_eq!(done.code, 4, "{done:?}");
    for part in parts {
        assert!(done.out.contains(part), "`{part}` is not in: {done:?}");
    }
}

#[test]
fn a_root_in_trouble_halts_and_costs_the_other_side_nothing() {
    type Spoil = fn(&Path);
    let table: [(&str, Spoil, &str); 4] = [
        ("missing", |_| {}, "does not exist"),
        (
            "empty",
            |root| fs::create_dir(root).expect("folder"),
            "another folder stands",
        ),
        (
            "marker gone",
            |root| {
                fs::create_dir(root).expect("folder");
                write(&root.join("a"), "a");
            },
            "another folder stands",
        ),
        ("a file", |root| write(root, "x"), "is not a folder"),
    ];
    for (what, spoil, words) in table {
        for side in ["local", "remote"] {
            let lab = settled();
            let (root, other) = match side {
                "local" => (&lab.local, &lab.remote),
                _ => (&lab.remote, &lab.local),
            };
            let before = tree(other);
            let away = lab.dir.path().join("away");
            fs::rename(root, &away).expect("rename");
            spoil(root);
            let halted = lab.once(&[]);
            assert_eq!(halted.code, 5, "{side} {what}: {halted:?}");
            assert_eq!(halted.summary["state"], "halted");
            for part in [words, side, "nothing was deleted"] {
                assert!(halted.err.contains(part), "{side} {what}: {halted:?}");
            }
            assert_eq!(tree(other), before, "{side} {what}");
            assert_eq!(lab.offline(&["status"]).code, 5, "{side} {what}");
            if root.is_dir() {
                fs::remove_dir_all(root).expect("folder");
            } else if root.exists() {
                fs::remove_file(root).expect("file");
            }
            fs::rename(&away, root).expect("rename");
            lab.synced();
            assert_eq!(lab.equal(), before, "{side} {what}");
        }
    }
}

#[test]
fn a_root_that_lost_its_marker_or_its_entries_halts() {
    for emptied in [true, false] {
        let lab = settled();
        let before = tree(&lab.remote);
        if emptied {
            fs::remove_file(lab.local.join("a")).expect("a");
            fs::remove_file(lab.local.join("r")).expect("r");
            fs::remove_dir_all(lab.local.join("d")).expect("d");
        } else {
            fs::remove_dir_all(lab.local.join(".pydio-sync")).expect("ours");
        }
        let halted = lab.once(&[]);
        assert_eq!(halted.code, 5, "{halted:?}");
        assert!(halted.err.contains("pydio-sync approve"), "{halted:?}");
        assert_eq!(tree(&lab.remote), before);
        assert_eq!(lab.offline(&["approve"]).code, 0);
        lab.synced();
        assert_eq!(lab.equal().is_empty(), emptied);
    }
}

/// Whether permissions bind us as they bind users.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs the program as somebody whom permissions bind.
fn as_user(lab: &Lab, flags: &[&str]) -> Done {
    let before: &[&str] = if is_root() {
        let dir = lab.dir.path();
        let given = Command::new("chown")
            .arg("-R")
            .arg("65534:65534")
            .arg(dir)
            .status();
        assert!(given.expect("chown runs").success());
        &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]
    } else {
        &[]
    };
    let mut command = lab.wrapped(before);
    command.arg("-s").arg(&lab.remote).arg("-d").arg(&lab.local);
    done(command.args(["-z", "0", "--once", "--json"]).args(flags))
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn an_unreadable_root_is_refused_when_new_and_halts_when_known() {
    for side in ["local", "remote"] {
        let lab = Lab::new();
        let root = lab.dir.path().join(side);
        write(&lab.local.join("a"), "a");
        permit(&root, 0o000);
        let refused = as_user(&lab, &[]);
        assert_eq!(refused.code, 2, "{side}: {refused:?}");
        assert!(
            refused.err.contains("cannot be listed"),
            "{side}: {refused:?}"
        );
        permit(&root, 0o700);
        assert_eq!(as_user(&lab, &[]).code, 0);
        permit(&root, 0o000);
        let halted = as_user(&lab, &[]);
        assert_eq!(halted.code, 5, "{side}: {halted:?}");
        assert!(
            halted.err.contains("cannot be listed"),
            "{side}: {halted:?}"
        );
        permit(&root, 0o700);
        assert_eq!(as_user(&lab, &[]).code, 0);
        assert_eq!(lab.equal().len(), 1);
    }
}

#[test]
fn what_cannot_be_read_is_told_and_never_taken_for_deleted() {
    let lab = settled();
    write(&lab.local.join("new/secret"), "s");
    write(&lab.local.join("new/open"), "o");
    permit(&lab.local.join("new/secret"), 0o000);
    permit(&lab.local.join("d"), 0o000);
    let told = as_user(&lab, &[]);
    problems(&told, &[r#""path":"d""#, r#""path":"new/secret""#]);
    assert_eq!(read(&lab.remote.join("d/e/c")), "d/e/c");
    assert_eq!(read(&lab.remote.join("new/open")), "o");
    permit(&lab.local.join("new/secret"), 0o600);
    permit(&lab.local.join("d"), 0o700);
    let healed = as_user(&lab, &[]);
    assert_eq!(healed.code, 0, "{healed:?}");
    assert_eq!(lab.equal().len(), 9);
}

#[test]
fn odd_names_and_kinds_are_reported_and_do_not_stop_the_rest() {
    for side in ["local", "remote"] {
        let lab = settled();
        let root = lab.dir.path().join(side);
        let odd = root.join(OsStr::from_bytes(b"bad \xff name"));
        write(&odd, "x");
        mkfifoat(CWD, root.join("pipe"), Mode::RWXU).expect("a pipe");
        let _socket = UnixListener::bind(root.join("socket")).expect("a socket");
        write(&root.join("fine"), "fine");
        let told = lab.once(&[]);
        problems(
            &told,
            &["not UTF-8", r#""path":"pipe""#, r#""path":"socket""#],
        );
        assert_eq!(told.summary["problems"], 3, "{side}: {told:?}");
        for root in [&lab.local, &lab.remote] {
            assert_eq!(read(&root.join("fine")), "fine");
        }
        assert!(odd.exists() && root.join("pipe").exists());
        let again = lab.once(&[]);
        assert_eq!(again.code, 4);
        assert_eq!(again.summary["uploaded"], 0, "{again:?}");
    }
}

#[test]
fn links_are_carried_as_links_and_never_followed() {
    let lab = settled();
    let secret = lab.dir.path().join("secret");
    write(&secret.join("s"), "outside");
    for (name, target) in [
        ("out", secret.as_path()),
        ("up", Path::new("..")),
        ("dangling", Path::new("nowhere/at/all")),
        ("in", Path::new("a")),
        ("self", Path::new("self")),
    ] {
        symlink(target, lab.local.join(name)).expect("a link");
    }
    lab.synced();
    let all = lab.equal();
    assert_eq!(all["dangling"], "-> nowhere/at/all");
    assert_eq!(all.len(), 11);
    // A folder becomes a link to a place outside: what lay below is gone, and the
    // place outside is neither read nor written.
    fs::remove_dir_all(lab.local.join("d")).expect("a folder");
    symlink(&secret, lab.local.join("d")).expect("a link");
    write(&lab.remote.join("d/e/c"), "edited there");
    let run = lab.once(&[]);
    assert!([0, 3, 4].contains(&run.code), "{run:?}");
    lab.synced();
    assert_eq!(tree(&secret).len(), 1);
    assert_eq!(read(&secret.join("s")), "outside");
    let all = lab.equal();
    let edited = format!("12 bytes {}", &blake3::hash(b"edited there").to_hex()[..16]);
    assert!(all.values().any(|value| *value == edited), "{all:?}");
    assert!(!all.keys().any(|path| path.ends_with("/s")), "{all:?}");
}

#[test]
fn long_names_and_deep_paths_are_synced() {
    let lab = Lab::new();
    let name = "n".repeat(255);
    let wide = "é".repeat(127);
    write(&lab.local.join(&name), "long");
    write(&lab.remote.join(&wide), "wide");
    let mut deep = lab.local.clone();
    for _ in 0..14 {
        deep.push("d".repeat(250));
    }
    write(&deep.join("bottom"), "deep");
    lab.synced();
    assert_eq!(lab.equal().len(), 17);
    // The conflict copy of a name that is as long as a name can be.
    write(&lab.local.join(&name), "mine");
    write(&lab.remote.join(&name), "theirs");
    lab.synced();
    assert_eq!(lab.equal().len(), 18);
    assert_eq!(read(&lab.local.join(&name)), "theirs");
}

#[test]
fn a_full_disk_stops_what_does_not_fit_and_is_healed_by_room() {
    let lab = Lab::new();
    write(&lab.local.join("big"), vec![b'b'; 3 << 20]);
    write(&lab.local.join("small"), "small");
    // The mount lives in a name space of its own and goes with it.
    let script = r#"
        mount -t tmpfs -o size=4m none "$REMOTE" || exit 77
        head -c 2000000 /dev/zero > "$FILL"
        "$@"; first=$?
        find "$REMOTE" -type f -not -path '*/.pydio-sync/*' -printf 'first %P %s\n'
        find "$REMOTE/.pydio-sync" -type f -size +100k -printf 'left %P %s\n'
        rm "$FILL"
        "$@"; second=$?
        find "$REMOTE" -type f -not -path '*/.pydio-sync/*' -printf 'second %P %s\n'
        cmp "$REMOTE/big" "$LOCAL/big" && echo same
        echo "codes $first $second""#;
    let mut command = lab.command();
    command.args(["--once", "--json"]);
    let run = done(
        Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .env("PYDIO_SYNC_STATE_DIR", &lab.state)
            .env("REMOTE", &lab.remote)
            .env("LOCAL", &lab.local)
            .env("FILL", lab.remote.join("fill.tmp")),
    );
    if run.code == 77 || run.err.contains("unshare failed") {
        return a_file_size_limit_is_a_problem_like_a_full_disk();
    }
    assert!(run.out.contains("codes 4 0\n"), "{run:?}");
    // While the big one fills the disk, the small one may fail as well.
    assert!(!run.out.contains("first big"), "half a file: {run:?}");
    assert!(
        !run.out.contains("\nleft "),
        "what did not fit fills the disk: {run:?}"
    );
    for name in ["second big 3145728\n", "second small 5\n"] {
        assert!(run.out.contains(name), "{run:?}");
    }
    assert!(run.out.contains("same\n"), "{run:?}");
    assert!(run.out.contains("No space left"), "{run:?}");
}

#[test]
fn a_file_size_limit_is_a_problem_like_a_full_disk() {
    let lab = Lab::new();
    let big = File::create(lab.local.join("big")).expect("a file");
    // Larger than what the journal's own files may take.
    big.set_len(300 << 20).expect("a length");
    big.write_all_at(b"end", (300 << 20) - 3).expect("an end");
    drop(big);
    write(&lab.local.join("small"), "small");
    let limited = "trap '' XFSZ; ulimit -f 409600; exec \"$0\" \"$@\"";
    let mut command = lab.command();
    command.args(["--once", "--json"]);
    let run = done(
        Command::new("sh")
            .args(["-c", limited])
            .arg(command.get_program())
            .args(command.get_args())
            .env("PYDIO_SYNC_STATE_DIR", &lab.state),
    );
    problems(&run, &[r#""path":"big""#]);
    assert_eq!(read(&lab.remote.join("small")), "small");
    assert!(!lab.remote.join("big").exists(), "half a file");
    lab.synced();
    assert_eq!(lab.equal().len(), 2);
}

#[test]
fn a_file_that_changes_while_it_is_read_never_arrives_torn() {
    let lab = settled();
    let path = lab.local.join("busy");
    write(&path, vec![0; BUSY_BYTES]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for generation in (1..=u8::MAX).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let file = File::options().write(true).open(&path).expect("open");
                for place in 0..16 {
                    let part = vec![generation; BUSY_BYTES / 16];
                    let at = place * part.len() as u64;
                    file.write_all_at(&part, at).expect("write");
                }
                drop(file);
                pause(u64::from(generation % 8));
            }
        });
        for _ in 0..5 {
            let run = lab.once(&[]);
            assert!([0, 4].contains(&run.code), "{run:?}");
            if let Ok(content) = fs::read(lab.remote.join("busy")) {
                assert_eq!(content.len(), BUSY_BYTES);
                let is_whole = content.iter().all(|byte| *byte == content[0]);
                assert!(is_whole, "a mixture of two versions arrived");
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    lab.synced();
    assert_eq!(lab.equal().len(), 7);
}

#[test]
fn times_from_other_days_are_no_obstacle() {
    let lab = settled();
    let day = Duration::from_secs(86_400);
    let now = fs::metadata(lab.local.join("a")).and_then(|seen| seen.modified());
    let now = now.expect("a time of today");
    for (name, time) in [
        ("future", now + day * 40_000),
        ("tomorrow", now + day),
        ("epoch", SystemTime::UNIX_EPOCH),
        ("before", SystemTime::UNIX_EPOCH - day * 365),
    ] {
        for (root, mark) in [(&lab.local, "l"), (&lab.remote, "r")] {
            let path = root.join(format!("{name}-{mark}"));
            write(&path, name);
            let file = File::options().write(true).open(&path).expect("open");
            file.set_modified(time).expect("a time");
        }
    }
    lab.synced();
    let all = lab.equal();
    assert_eq!(all.len(), 14);
    for name in ["future-l", "before-r", "tomorrow-l"] {
        let time = |root: &Path| fs::metadata(root.join(name)).and_then(|seen| seen.modified());
        assert_eq!(
            time(&lab.local).expect("a time"),
            time(&lab.remote).expect("a time")
        );
    }
    // A clock that is set back makes every file younger; nothing else changed.
    for name in ["a", "d/b", "tomorrow-l"] {
        let file = File::options()
            .write(true)
            .open(lab.local.join(name))
            .expect("open");
        file.set_modified(now - day).expect("a time");
    }
    let run = lab.synced();
    assert_eq!(run.summary["conflicts"], 0, "{run:?}");
    let idle = lab.synced();
    assert_eq!(idle.summary["uploaded"], 0, "{idle:?}");
    assert_eq!(lab.equal(), all);
}

#[test]
fn empty_and_sparse_files_are_what_they_are() {
    let lab = Lab::new();
    write(&lab.local.join("empty"), "");
    write(&lab.remote.join("empty too"), "");
    let sparse = File::create(lab.remote.join("sparse")).expect("a file");
    sparse.set_len(48 << 20).expect("a length");
    sparse.write_all_at(b"island", 20 << 20).expect("an island");
    drop(sparse);
    lab.synced();
    assert_eq!(lab.equal().len(), 3);
    File::options()
        .write(true)
        .open(lab.local.join("sparse"))
        .and_then(|file| file.set_len(0))
        .expect("shortened");
    lab.synced();
    assert_eq!(
        fs::metadata(lab.remote.join("sparse")).expect("it").len(),
        0
    );
}

#[test]
fn a_lost_state_folder_costs_a_look_and_nothing_else() {
    let lab = settled();
    fs::remove_dir_all(&lab.state).expect("the state");
    let run = lab.synced();
    for key in [
        "uploaded",
        "downloaded",
        "deleted_local",
        "deleted_remote",
        "bytes_up",
    ] {
        assert_eq!(run.summary[key], 0, "{key}: {run:?}");
    }
    assert_eq!(lab.equal().len(), 6);
    fs::remove_dir_all(&lab.state).expect("the state");
    fs::remove_file(lab.local.join("a")).expect("a");
    write(&lab.local.join("r"), "mine");
    write(&lab.remote.join("r"), "theirs");
    lab.synced();
    let all = lab.equal();
    assert!(
        all.contains_key("a"),
        "without a journal nothing proves a deletion"
    );
    assert_eq!(all.len(), 7, "both versions are kept: {all:?}");
}

/// Every file of the job's state, as paths below it.
fn state_files(lab: &Lab) -> Vec<String> {
    tree(&lab.state)
        .into_keys()
        .filter(|name| !name.ends_with('/') && !name.contains("/aside/"))
        .collect()
}

#[test]
fn a_damaged_journal_is_told_or_survived_and_deletes_nothing() {
    let files = state_files(&settled()).len();
    assert!(files > 4, "{files}");
    let cases: Vec<_> = DAMAGES
        .iter()
        .flat_map(|damage| (0..files).map(move |place| (damage, place)))
        .collect();
    // Each case waits for the disk most of the time.
    let share = cases.len().div_ceil(WORKERS);
    let told: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(share)
            .map(|cases| {
                scope.spawn(|| {
                    let told = cases
                        .iter()
                        .filter(|(damage, place)| is_told(damage, *place));
                    told.count()
                })
            })
            .collect();
        let told = workers
            .into_iter()
            .map(|worker| worker.join().expect("a case"));
        told.sum()
    });
    assert!(told > 0, "no damage was noticed");
}

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 4] = [
    ("cut in half", |path| {
        let length = fs::metadata(path).expect("a file").len();
        let file = File::options().write(true).open(path).expect("open");
        file.set_len(length / 2).expect("shorter");
    }),
    ("emptied", |path| fs::write(path, "").expect("empty")),
    ("flipped", |path| {
        let mut bytes = fs::read(path).expect("a file");
        let middle = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x55;
        }
        fs::write(path, bytes).expect("written");
    }),
    ("gone", |path| fs::remove_file(path).expect("removed")),
];

/// Runs after a damage to one file of the state. Says whether the run gave up and
/// told; whatever it did, nothing may be lost.
fn is_told((what, damage): &Damage, place: usize) -> bool {
    let lab = settled();
    // The jobs' ids differ by lab, their files do not.
    let files = state_files(&lab);
    let name = &files[place];
    damage(&lab.state.join(name));
    let before = tree(&lab.remote);
    write_long_ago(&lab.local.join("new"), "new");
    fs::remove_file(lab.local.join("a")).expect("a");
    let run = lab.once(&[]);
    assert!([0, 5, 7].contains(&run.code), "{name} {what}: {run:?}");
    if run.code == 7 {
        assert!(run.err.contains("journal"), "{name} {what}: {run:?}");
        assert_eq!(tree(&lab.remote), before, "{name} {what}: it went on");
    }
    for kept in ["d/b", "d/e/c", "r"] {
        for root in [&lab.local, &lab.remote] {
            assert!(root.join(kept).exists(), "{name} {what}: {kept} is lost");
        }
    }
    assert_eq!(read(&lab.local.join("new")), "new");
    run.code == 7
}

const WORKERS: usize = 4;

#[test]
fn a_state_folder_that_cannot_be_written_is_told() {
    let lab = Lab::new();
    write(&lab.state, "a file");
    let run = lab.once(&[]);
    assert!([1, 2].contains(&run.code), "{run:?}");
    assert!(
        run.err.contains(&lab.state.display().to_string()),
        "{run:?}"
    );
    assert_eq!(tree(&lab.remote).len(), 0);
}

#[test]
fn a_root_that_vanishes_under_the_daemon_halts_it_and_its_return_heals_it() {
    let lab = settled();
    let before = tree(&lab.remote);
    let log = lab.dir.path().join("log");
    let mut daemon = lab.start(&["--log-file", &log.display().to_string()]);
    write(&lab.local.join("first"), "1");
    until("the daemon works", || lab.remote.join("first").exists());
    let away = lab.dir.path().join("away");
    fs::rename(&lab.local, &away).expect("rename");
    write(&lab.remote.join("meanwhile"), "2");
    until("it halts", || read(&log).contains("halted for safety"));
    assert!(lab.remote.join("first").exists() && !lab.local.exists());
    for name in before.keys() {
        assert!(lab.remote.join(name).exists(), "{name} was deleted");
    }
    fs::rename(&away, &lab.local).expect("rename");
    until("it goes on by itself", || {
        lab.local.join("meanwhile").exists()
    });
    daemon.signal("-TERM");
    assert_eq!(daemon.end().code(), Some(0));
    lab.synced();
    assert_eq!(lab.equal().len(), before.len() + 2);
}

const BUSY_BYTES: usize = 8 << 20;
