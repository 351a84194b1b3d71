//! The program on a server that was restored from a backup: what it takes away waits.
//! Pydio tells it, and Nextcloud if its administrator says so; else a number of ours does.

use crate::daemon::Daemon;
use crate::far::Far;
use crate::program::{Done, Lab, done, read, write_long_ago};
use crate::pydio_site::{Site, remove};
use crate::webdav_site::DavSite;
use serde_json::json;
use std::cell::RefCell;
use std::process::Stdio;
use test_servers::pydio::Quirks as PydioQuirks;
use test_servers::webdav::{Backup, Fault, Quirks as DavQuirks, Rule};

/// A server, and what it held once.
enum Server {
    Pydio(Site),
    /// One whose changes went on past what was read of them before.
    PydioInUse(Site),
    Nextcloud(Box<DavSite>),
    Plain(Box<DavSite>, RefCell<Option<Backup>>),
}

impl Server {
    /// Those that tell it by themselves, or whose changes do.
    fn telling() -> [Self; 3] {
        [
            Self::Pydio(Site::of(PydioQuirks::v6_4())),
            Self::PydioInUse(Site::of(PydioQuirks::v6_4())),
            Self::Nextcloud(Box::new(DavSite::timed(DavQuirks::nextcloud()))),
        ]
    }

    fn all() -> impl Iterator<Item = Self> {
        Self::telling().into_iter().chain(Self::plain())
    }

    /// Those that know nothing of it.
    fn plain() -> impl Iterator<Item = Self> {
        let plain = [
            DavQuirks::none,
            DavQuirks::apache,
            DavQuirks::nginx,
            DavQuirks::rclone,
            DavQuirks::wsgidav,
            DavQuirks::nextcloud,
            // As lighttpd answers.
            || DavQuirks {
                put_over: 200,
                ..DavQuirks::none()
            },
        ];
        let plain = plain.map(|quirks| DavSite::timed(quirks()));
        plain
            .into_iter()
            .map(|site| Self::Plain(Box::new(site), RefCell::default()))
    }

    fn once(&self, lab: &Lab) -> Done {
        match self {
            Self::Nextcloud(site) | Self::Plain(site, _) => site.once(lab),
            Self::Pydio(site) | Self::PydioInUse(site) => {
                let place = &site.place;
                let mut command = lab.bare();
                command
                    .args(["-s", &place.url, "-w", &place.workspace, "-u", &place.user])
                    .args(["-z", "0", "--once", "--json", "-d"])
                    .arg(&lab.local)
                    .env("PYDIO_SYNC_PASSWORD", site.password());
                done(&mut command)
            }
        }
    }

    fn synced(&self, lab: &Lab) {
        let run = self.once(lab);
        assert_eq!(run.code, 0, "{run:?}");
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Pydio(site) | Self::PydioInUse(site) => site.write(name, bytes),
            Self::Nextcloud(site) | Self::Plain(site, _) => site.hand().write(name, bytes),
        }
    }

    fn remove(&self, name: &str) {
        match self {
            Self::Pydio(site) | Self::PydioInUse(site) => remove(site, name),
            Self::Nextcloud(site) | Self::Plain(site, _) => site.hand().remove(name),
        }
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Pydio(site) | Self::PydioInUse(site) => site.read(name),
            Self::Nextcloud(site) | Self::Plain(site, _) => site.hand().read(name),
        }
    }

    /// Keeps what it holds, where it is taken back to that.
    fn keep(&self) {
        if let Self::Plain(site, backup) = self {
            *backup.borrow_mut() = Some(site.hand().backup());
        }
    }

    /// Takes it back, or has it say that what it holds now is what it held once.
    fn restore(&self) {
        match self {
            Self::Pydio(site) => {
                let earlier = site.server().last_seq() - 10;
                site.server().roll_back_index(earlier).expect("roll back");
            }
            Self::PydioInUse(site) => {
                let newest = site.server().last_seq();
                let rolled_back = site.server().roll_back_index(newest - 10);
                rolled_back.expect("roll back");
                for number in 0..12 {
                    site.write(&format!("later/{number}"), b"by somebody else");
                }
                assert!(site.server().last_seq() > newest, "no number tells it");
            }
            Self::Nextcloud(site) => site.hand().set_fingerprint("restored"),
            Self::Plain(site, backup) => {
                let backup = backup.borrow();
                site.hand().restore(backup.as_ref().expect("it was kept"));
            }
        }
    }
}

/// A lab in sync with a server.
fn settled(server: &Server) -> Lab {
    let lab = Lab::new();
    for number in 0..30 {
        write_long_ago(&lab.local.join(format!("d/{number}")), number.to_string());
    }
    if let Server::Plain(..) = server {
        write_long_ago(&lab.local.join("letter"), "yesterday's letter");
        server.synced(&lab);
        server.keep();
    }
    write_long_ago(&lab.local.join("letter"), "today's");
    write_long_ago(&lab.local.join("diary"), "of today");
    server.synced(&lab);
    server.synced(&lab);
    lab
}

#[test]
fn what_a_restored_server_takes_away_waits_and_can_be_brought_back() {
    for server in Server::all() {
        let lab = settled(&server);
        server.write("letter", b"yesterday's letter");
        server.remove("diary");
        server.restore();
        let halted = server.once(&lab);
        assert_eq!(halted.code, 5, "{halted:?}");
        assert!(
            halted.err.contains("the server went back in time"),
            "{halted:?}"
        );
        assert_eq!(read(&lab.local.join("letter")), "today's");
        assert_eq!(read(&lab.local.join("diary")), "of today");
        assert_eq!(server.once(&lab).code, 5, "it goes on waiting");
        let approved = lab.offline(&["approve"]);
        assert_eq!(approved.code, 0, "{approved:?}");
        server.synced(&lab);
        assert_eq!(read(&lab.local.join("letter")), "yesterday's letter");
        assert!(!lab.local.join("diary").exists());
        // It lists what else happened within the hour and is not its own.
        let is_about_it = |line: &&str| line.starts_with("done: ") && !line.contains("later");
        let undone = done(lab.bare().args(["undo", "--since", "1h", "--yes"]));
        assert_eq!(
            undone.out.lines().filter(is_about_it).count(),
            2,
            "{undone:?}"
        );
        server.synced(&lab);
        assert_eq!(server.read("letter").as_deref(), Some(&b"today's"[..]));
        assert_eq!(server.read("diary").as_deref(), Some(&b"of today"[..]));
    }
}

#[test]
fn a_restored_server_that_takes_nothing_away_holds_up_nothing_later() {
    for server in Server::telling() {
        let lab = settled(&server);
        server.write("new", b"from the server");
        server.restore();
        server.synced(&lab);
        assert_eq!(read(&lab.local.join("new")), "from the server");
        server.synced(&lab);
        server.remove("diary");
        server.synced(&lab);
        assert!(
            !lab.local.join("diary").exists(),
            "a deletion that is meant"
        );
    }
}

#[test]
fn a_number_that_went_back_without_taking_anything_away_holds_up_nothing_later() {
    for server in Server::plain() {
        let lab = settled(&server);
        server.keep();
        server.write("new", b"from the server");
        server.synced(&lab);
        server.restore();
        // Somebody brought it back by hand.
        server.write("new", b"from the server");
        server.synced(&lab);
        server.synced(&lab);
        server.remove("diary");
        server.synced(&lab);
        assert!(
            !lab.local.join("diary").exists(),
            "a deletion that is meant"
        );
    }
}

#[test]
fn a_page_in_place_of_where_the_number_lies_holds_up_nothing_later() {
    let site = DavSite::timed(DavQuirks::apache());
    let server = Server::Plain(Box::new(site), RefCell::default());
    let lab = settled(&server);
    let Server::Plain(site, _) = &server else {
        unreachable!("made above");
    };
    let page = Rule::on("PUT", Fault::Html).path("/.pydio-sync/seen-*");
    site.server.inject(page.times(9));
    write_long_ago(&lab.local.join("new"), "new");
    server.synced(&lab);
    site.server.clear_faults();
    server.remove("diary");
    server.synced(&lab);
    assert!(
        !lab.local.join("diary").exists(),
        "a deletion that is meant"
    );
}

#[test]
fn a_running_job_notices_before_it_takes_over_what_was_restored() {
    for quirks in [DavQuirks::nginx, DavQuirks::nextcloud] {
        let site = DavSite::timed(quirks());
        let far = Far::Dav(site);
        let lab = Lab::new();
        far.write("letter", b"yesterday's letter");
        let keys = json!({"poll_interval": 1});
        far.synced(&lab, &keys);
        far.synced(&lab, &keys);
        let Far::Dav(site) = &far else {
            unreachable!("made above");
        };
        let backup = site.hand().backup();
        write_long_ago(&lab.local.join("letter"), "today's");
        far.synced(&lab, &keys);
        let mut command = far.command(&lab, &keys);
        let daemon = Daemon::start(&lab, command.stderr(Stdio::null()));
        daemon.wait_for("job", "synced");
        site.hand().restore(&backup);
        daemon.wait_for("job", "halted");
        assert_eq!(read(&lab.local.join("letter")), "today's");
        assert_eq!(daemon.status("job")["halt"]["reason"], "rolled_back");
        daemon.stop();
    }
}
