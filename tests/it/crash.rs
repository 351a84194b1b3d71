//! SIGKILL again and again while both sides change: equal in the end, nothing lost.
//!
//! Every content carries an id. The user of this test replaces and deletes only by
//! renames out of the tree, so that what is in the graveyard is exactly what the
//! user gave up; every other id has to be in the trees when all is quiet.
//! `CRASH_ROUNDS` asks for more rounds than a quick run has, `CRASH_SEED` for the
//! same habits again.

use crate::program::{Lab, Running, done, pause, until};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

/// A small generator of numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Somebody who changes files on both sides.
struct User {
    dice: Dice,
    roots: [PathBuf; 2],
    graveyard: PathBuf,
    /// The last id that was given.
    id: u64,
    buried: u64,
}

impl User {
    fn act(&mut self) {
        let root = self.roots[usize::from(self.dice.below(2) == 0)].clone();
        let path = root.join(self.name());
        match self.dice.below(20) {
            0..=8 => self.create(&path),
            9..=14 => self.replace(&root, &path),
            15 => self.bury(&path),
            16 if self.dice.below(6) == 0 => {
                // A root that goes halts the job, as it has to.
                let folder = path.parent().filter(|folder| *folder != root);
                folder.into_iter().for_each(|folder| self.bury(folder));
            }
            _ => {
                let to = root.join(self.name());
                // Taken, or nothing there: then nothing happens.
                renameat_with(CWD, &path, CWD, &to, RenameFlags::NOREPLACE).ok();
            }
        }
    }

    fn name(&mut self) -> String {
        let (folder, file) = (self.dice.below(6), self.dice.below(60));
        match self.dice.below(3) {
            0 => format!("folder {folder}/deep/file {file}.txt"),
            1 => format!("folder {folder}/file {file}.txt"),
            _ => format!("file {file}.txt"),
        }
    }

    /// Writes new content outside the trees and tells where.
    fn draft(&mut self) -> PathBuf {
        self.id += 1;
        let path = self.graveyard.with_file_name("draft");
        let length = match self.dice.below(10) {
            0 => 600_000 + self.dice.below(600_000),
            _ => self.dice.below(5_000),
        };
        let mut content = format!("id {}\n", self.id);
        content.extend(std::iter::repeat_n(
            'x',
            usize::try_from(length).expect("small"),
        ));
        fs::write(&path, content).expect("a draft");
        path
    }

    fn create(&mut self, path: &Path) {
        let draft = self.draft();
        fs::create_dir_all(path.parent().expect("a parent")).ok();
        if renameat_with(CWD, &draft, CWD, path, RenameFlags::NOREPLACE).is_err() {
            // It never was in a tree.
            self.id -= 1;
        }
    }

    fn replace(&mut self, root: &Path, path: &Path) {
        // A folder between the parent's look and the exchange is none of our names.
        if path == root || !path.is_file() {
            return;
        }
        let draft = self.draft();
        if renameat_with(CWD, &draft, CWD, path, RenameFlags::EXCHANGE).is_ok() {
            self.bury(&draft);
        } else {
            self.id -= 1;
        }
    }

    fn bury(&mut self, path: &Path) {
        self.buried += 1;
        let grave = self.graveyard.join(self.buried.to_string());
        renameat_with(CWD, path, CWD, &grave, RenameFlags::NOREPLACE).ok();
    }
}

/// The ids of all contents below a folder, ours left out.
fn ids(root: &Path) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with(".pydio-sync") {
                open.push(path);
            } else if path.is_file() {
                let content = fs::read_to_string(&path).expect("a whole file");
                let id = content
                    .lines()
                    .next()
                    .and_then(|line| line.strip_prefix("id "));
                let id = id.and_then(|id| id.parse().ok());
                found.insert(id.unwrap_or_else(|| panic!("{} is torn", path.display())));
            }
        }
    }
    found
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Starts the daemon, lets it work for a moment, and kills it.
fn killed_round(lab: &Lab, jobs: &Path, dice: &mut Dice) {
    let errors = lab.dir.path().join("errors");
    let mut command = lab.bare();
    command.arg("-f").arg(jobs).args(["-z", "0"]);
    let file = fs::File::create(&errors).expect("a file");
    let daemon = command.stdout(Stdio::null()).stderr(file).spawn();
    let mut daemon = Running(daemon.expect("the program starts"));
    pause(dice.below(400));
    let early = daemon.0.try_wait().expect("a child of ours");
    let words = fs::read_to_string(&errors).expect("UTF-8");
    assert!(early.is_none(), "it stopped by itself: {early:?} {words}");
    daemon.signal("-KILL");
    daemon.end();
    assert!(!words.contains("panicked"), "{words}");
}

#[test]
fn killed_at_any_moment_it_resumes_and_loses_nothing() {
    let rounds = number("CRASH_ROUNDS", 20);
    let seed = number("CRASH_SEED", 4711);
    let lab = Lab::new();
    let place = |name: &str| lab.dir.path().join(name);
    fs::create_dir(place("graveyard")).expect("folder");
    // The user deletes much in little time; the brakes are for another test.
    let jobs = place("jobs.json");
    let job = json!([{
        "id": "crash", "directory": lab.local, "server": lab.remote,
        "max_delete": 1_000_000, "poll_interval": 1,
    }]);
    fs::write(&jobs, job.to_string()).expect("job file");
    let mut user = User {
        dice: Dice(seed),
        roots: [lab.local.clone(), lab.remote.clone()],
        graveyard: place("graveyard"),
        id: 0,
        buried: 0,
    };
    (0..400).for_each(|_| user.act());
    let mut dice = Dice(seed ^ 0x5DEE_CE66);
    let is_over = AtomicBool::new(false);
    let user = std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                user.act();
                pause(5 + user.dice.below(30));
            }
            user
        });
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..rounds).for_each(|_| killed_round(&lab, &jobs, &mut dice));
        }));
        is_over.store(true, Ordering::Relaxed);
        let user = user.join().expect("the user");
        rounds.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        user
    });
    let mut last = String::new();
    until("it comes to rest", || {
        let run = done(lab.bare().arg("-f").arg(&jobs).args(["--once", "--json"]));
        last = format!("{run:?}");
        assert!([0, 4].contains(&run.code), "seed {seed}: {last}");
        run.code == 0 && run.summary["uploaded"] == 0 && run.summary["downloaded"] == 0
    });
    let dead = ids(&place("graveyard"));
    for (name, root) in [("local", &lab.local), ("remote", &lab.remote)] {
        let found = ids(root);
        let lost: Vec<u64> = (1..=user.id)
            .filter(|id| !dead.contains(id) && !found.contains(id))
            .collect();
        assert!(
            lost.is_empty(),
            "seed {seed}: lost on the {name} side: {lost:?} {last}"
        );
    }
    let all = lab.equal();
    assert!(all.len() > 20, "nothing happened");
}

/// Counts everything below a folder.
fn entries(folder: &Path) -> usize {
    let Ok(found) = fs::read_dir(folder) else {
        return 0;
    };
    found
        .flatten()
        .map(|entry| 1 + entries(&entry.path()))
        .sum()
}

#[test]
fn killed_while_its_journal_is_made_it_begins_anew() {
    for wanted in 2..40 {
        let lab = Lab::new();
        fs::write(lab.local.join("a"), "a").expect("a file");
        let mut daemon = lab.start(&[]);
        // Steps apart, not times: a pause would miss most of them.
        while entries(&lab.state) < wanted && !lab.remote.join("a").exists() {
            let ended = daemon.0.try_wait().expect("a child of ours");
            assert_eq!(ended, None, "it stopped by itself");
        }
        daemon.signal("-KILL");
        drop(daemon);
        for _ in 0..3 {
            let run = lab.once(&[]);
            assert_eq!(run.code, 0, "killed at {wanted} entries: {run:?}");
        }
        lab.equal();
    }
}
