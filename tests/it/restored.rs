//! The program on a server that was restored from a backup: what it takes away waits.

use crate::program::{Done, Lab, done, read, write_long_ago};
use crate::pydio_site::{Site, remove};
use crate::webdav_site::DavSite;
use test_servers::pydio::Quirks as PydioQuirks;
use test_servers::webdav::Quirks as DavQuirks;

/// A server that can tell that it was restored.
enum Server {
    Pydio(Site),
    Nextcloud(DavSite),
}

impl Server {
    fn all() -> [Self; 2] {
        [
            Self::Pydio(Site::of(PydioQuirks::v6_4())),
            Self::Nextcloud(DavSite::timed(DavQuirks::nextcloud())),
        ]
    }

    fn once(&self, lab: &Lab) -> Done {
        match self {
            Self::Nextcloud(site) => site.once(lab),
            Self::Pydio(site) => {
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
            Self::Pydio(site) => site.write(name, bytes),
            Self::Nextcloud(site) => site.hand().write(name, bytes),
        }
    }

    fn remove(&self, name: &str) {
        match self {
            Self::Pydio(site) => remove(site, name),
            Self::Nextcloud(site) => site.hand().remove(name),
        }
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Pydio(site) => site.read(name),
            Self::Nextcloud(site) => site.hand().read(name),
        }
    }

    /// Has it say that what it holds now is what it held once.
    fn restore(&self) {
        match self {
            Self::Pydio(site) => {
                let earlier = site.server().last_seq() - 10;
                site.server().roll_back_index(earlier).expect("roll back");
            }
            Self::Nextcloud(site) => site.hand().set_fingerprint("restored"),
        }
    }
}

/// A lab in sync with a server.
fn settled(server: &Server) -> Lab {
    let lab = Lab::new();
    for number in 0..30 {
        write_long_ago(&lab.local.join(format!("d/{number}")), number.to_string());
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
        let undone = done(lab.bare().args(["undo", "--since", "1h", "--yes"]));
        assert_eq!(
            undone
                .out
                .lines()
                .filter(|it| it.starts_with("done: "))
                .count(),
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
    for server in Server::all() {
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
