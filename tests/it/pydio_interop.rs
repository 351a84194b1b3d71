//! Two clients of one workspace: the merge table, end to end, on servers of both
//! generations, with every quirk, with faults; and on the real server that the
//! environment names (`PYDIO_SYNC_TEST_URL`).

use crate::merge_table::{Holds, holds};
use crate::program::{Done, Lab, done, tree, write_long_ago};
use crate::pydio_site::Site;
use std::fs;
use std::process::Command;
use std::time::Duration;
use test_servers::pydio::{Fault, Quirk, Quirks, Rule};

/// The program on a job file, which can say how long silence is borne.
fn command(lab: &Lab, site: &Site) -> Command {
    let place = &site.place;
    let job = serde_json::json!([{
        "id": "job",
        "server": place.url,
        "workspace": place.workspace,
        "remote_folder": format!("/{}", place.folder),
        "user": place.user,
        "directory": lab.local,
        "timeout": 2,
    }]);
    let file = lab.dir.path().join("jobs.json");
    fs::write(&file, job.to_string()).expect("job file");
    let mut command = lab.bare();
    command
        .args(["--once", "--json", "-z", "0", "-f"])
        .arg(file)
        .env("PYDIO_SYNC_PASSWORD", site.password());
    command
}

fn synced(lab: &Lab, site: &Site) -> Done {
    let done = done(&mut command(lab, site));
    assert_eq!(done.code, 0, "{done:?}");
    done
}

/// What the table asks of one server at once: its feed is read by two clients that run
/// one after the other, so it may neither lag behind nor leave out moves.
fn prompt(quirks: Quirks) -> Quirks {
    quirks.without(Quirk::DeferredEvents).without(Quirk::Sqlite)
}

#[test]
fn the_merge_table_holds_on_both_generations() {
    for (name, quirks) in [("6.4", Quirks::v6_4()), ("8.2", Quirks::v8_2())] {
        let site = Site::of(quirks);
        holds(name, Holds::Whole, |lab| synced(lab, &site));
    }
}

#[test]
fn the_merge_table_holds_with_every_quirk() {
    let all = prompt(Quirks::all());
    let eight = Quirks::v8_2()
        .with(Quirk::TextNumbers)
        .with(Quirk::NegativeSizes)
        .with(Quirk::EmptyArray)
        .with(Quirk::RangeIgnored)
        .with(Quirk::NoTokens);
    for (name, quirks) in [("6.4 with all", all), ("8.2 with all", eight)] {
        let site = Site::of(quirks).in_new_folder();
        holds(name, Holds::Whole, |lab| synced(lab, &site));
    }
}

#[test]
fn nothing_is_lost_where_the_feed_lags_behind() {
    let all = Quirks::v6_4().with(Quirk::DeferredEvents);
    let site = Site::of(all);
    holds("lagging", Holds::Contents, |lab| synced(lab, &site));
}

#[test]
fn the_merge_table_holds_with_faults_in_every_run() {
    let faults = [
        Fault::Status(503),
        Fault::LoseAnswer,
        Fault::Html,
        Fault::CutBody(40),
        Fault::StatusAfter(500),
        Fault::Gzip,
        Fault::Refuse,
        Fault::Status(502),
        Fault::HangAfter,
        Fault::Empty,
        Fault::Hang,
    ];
    let actions = [
        "upload",
        "download",
        "rename",
        "delete",
        "mkdir",
        "stat_hash",
        "ls",
        "changes",
        "stat",
    ];
    for quirks in [Quirks::v6_4(), Quirks::v8_2()] {
        let site = Site::of(quirks);
        let mut met = faults.iter().cycle();
        holds("faulty", Holds::Whole, |lab| {
            // A real server recovers; a client that does not is stuck in one of these.
            for (nth, action) in (1..).zip(actions) {
                let fault = met.next().expect("a cycle").clone();
                let rule = Rule::on(action, fault).nth(nth % 3 + 1);
                site.server().inject(rule);
            }
            for _ in 0..20 {
                if done(&mut command(lab, &site)).code == 0 {
                    break;
                }
            }
            site.server().clear_faults();
            synced(lab, &site)
        });
        let entries = site.server().log().entries();
        let faulty = entries.iter().filter(|entry| entry.faulty).count();
        assert!(faulty > 30, "{faulty}");
    }
}

#[test]
fn the_merge_table_holds_on_the_server_of_the_environment() {
    let Some(site) = Site::real() else {
        return;
    };
    let site = site.in_new_folder();
    // Whether its feed tells moves of folders is not known, so less is asked of it.
    holds("the environment's", Holds::ButMoves, |lab| {
        synced(lab, &site)
    });
}

#[test]
fn a_name_composed_there_and_decomposed_here_is_one_file() {
    let name = "cafe\u{301}/e\u{301}te\u{301}.txt";
    for (number, quirks) in [Quirks::v6_4(), Quirks::v8_2(), Quirks::none()]
        .into_iter()
        .enumerate()
    {
        let site = Site::real()
            .unwrap_or_else(|| {
                // An upload in pieces takes the node's id away.
                Site::with(|options| options.quirks(quirks).upload_max(64 * 1024, 1 << 20))
            })
            .in_new_folder();
        let (one, two) = (Lab::new(), Lab::new());
        for size in [1, 100_000, 200_000, 2] {
            write_long_ago(&one.local.join(name), vec![7; size]);
            for lab in [&one, &two, &one, &two] {
                synced(lab, &site);
            }
            let size = format!("{size} bytes");
            for lab in [&one, &two] {
                let contents: Vec<String> = tree(&lab.local).into_values().collect();
                assert_eq!(contents.len(), 2, "{number}: {contents:?}");
                let is_there = contents.iter().any(|text| text.starts_with(&size));
                assert!(is_there, "{number}: {contents:?}");
            }
        }
        assert!(
            one.local.join(name).exists(),
            "each side keeps its own bytes"
        );
        let composed = two.local.join("caf\u{e9}/\u{e9}t\u{e9}.txt");
        write_long_ago(&composed, "by the other");
        for lab in [&two, &one, &two] {
            synced(lab, &site);
        }
        assert_eq!(
            fs::read(one.local.join(name)).expect("file"),
            b"by the other"
        );
        fs::remove_file(&composed).expect("remove");
        for lab in [&two, &one] {
            synced(lab, &site);
        }
        assert_eq!(tree(&one.local).len(), 1);
    }
}

#[test]
fn kills_at_random_requests_of_two_clients_lose_nothing() {
    let site = Site::with(|options| {
        options
            // Versions in pieces come here within one second of each other, so that the
            // server claims old hashes for them.
            .quirks(prompt(Quirks::all()))
            .upload_max(64 * 1024, 1 << 20)
            .latency(Duration::from_millis(3))
    });
    let (one, two) = (Lab::new(), Lab::new());
    let large: Vec<u8> = (0..400_000_u32).map(|at| (at / 999) as u8).collect();
    let log = site.server().log();
    for round in 0..6_u8 {
        let (writer, other) = if round % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        // Of another size each, so that no two versions within a second look alike.
        let mut edited = large[usize::from(round)..].to_vec();
        edited[0] = round;
        write_long_ago(&writer.local.join("big"), &edited);
        write_long_ago(&writer.local.join(format!("d{round}/small")), [round]);
        for lab in [writer, other] {
            // Later and later in the run.
            for after in [2, 5, 9, 14] {
                let before = log.total();
                let mut running = crate::program::Running(
                    command(lab, &site)
                        .stdout(std::process::Stdio::null())
                        .stderr(std::process::Stdio::null())
                        .spawn()
                        .expect("the program starts"),
                );
                let mut ended = false;
                crate::program::until("it came so far", || {
                    ended = running.0.try_wait().expect("a child").is_some();
                    ended || log.total() >= before + after
                });
                running.0.kill().ok();
                running.0.wait().expect("wait");
            }
            synced(lab, &site);
            assert!(
                fs::read(lab.local.join("big")).expect("file") == edited,
                "round {round}"
            );
        }
    }
    synced(&one, &site);
    assert_eq!(tree(&one.local), tree(&two.local));
    assert_eq!(tree(&one.local).len(), 1 + 2 * 6);
    let left: Vec<_> = fs::read_dir(site.server().folder("sync"))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .filter(|name| name.to_string_lossy().ends_with(".dlpart"))
        .collect();
    assert!(left.len() <= 1, "{left:?}");
}
