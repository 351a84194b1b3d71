//! A server of either kind, for rules that hold on both: a Pydio server, or a WebDAV one
//! as Nextcloud answers. What a test does there is done behind the program's back.

use crate::program::{Done, Lab, done};
use crate::pydio_site::{self, Site};
use crate::webdav_site::DavSite;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use test_servers::{pydio, webdav};

pub(crate) enum Far {
    Pydio(Site),
    Dav(DavSite),
}

impl Far {
    pub(crate) fn both() -> [Self; 2] {
        let dav = DavSite::timed(webdav::Quirks::nextcloud());
        [Self::Pydio(Site::of(pydio::Quirks::v6_4())), Self::Dav(dav)]
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Pydio(_) => "Pydio",
            Self::Dav(_) => "WebDAV",
        }
    }

    /// Writes the job file of a lab: this server's root, or what `more` says.
    pub(crate) fn configure(&self, lab: &Lab, more: &Value) -> PathBuf {
        let place = match self {
            Self::Pydio(site) => &site.place,
            Self::Dav(site) => &site.place,
        };
        let mut job = json!({
            "id": "job", "server": place.url, "workspace": place.workspace,
            "user": place.user, "directory": lab.local,
        });
        let more = more.as_object().expect("an object").clone();
        job.as_object_mut().expect("an object").extend(more);
        let file = lab.dir.path().join("jobs.json");
        fs::write(&file, Value::from(vec![job]).to_string()).expect("the job file");
        file
    }

    /// Its URL, a user and the user's password.
    pub(crate) fn account(&self) -> (String, String, String) {
        let (place, password) = match self {
            Self::Pydio(site) => (&site.place, site.password()),
            Self::Dav(site) => (&site.place, site.server.user().1),
        };
        (place.url.clone(), place.user.clone(), password.to_owned())
    }

    /// The program on a lab's job file.
    pub(crate) fn command(&self, lab: &Lab, more: &Value) -> Command {
        let mut command = lab.bare();
        let password = match self {
            Self::Pydio(site) => site.password(),
            Self::Dav(site) => site.server.user().1,
        };
        command
            .arg("-f")
            .arg(self.configure(lab, more))
            .env("PYDIO_SYNC_PASSWORD", password);
        command
    }

    pub(crate) fn once(&self, lab: &Lab, more: &Value) -> Done {
        let mut command = self.command(lab, more);
        done(command.args(["--once", "--json", "-z", "0"]))
    }

    /// Syncs once and expects that all went well.
    pub(crate) fn synced(&self, lab: &Lab, more: &Value) -> Done {
        let done = self.once(lab, more);
        assert_eq!(done.code, 0, "{}: {done:?}", self.name());
        done
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Pydio(site) => site.write(name, bytes),
            Self::Dav(site) => site.hand().write(name, bytes),
        }
    }

    pub(crate) fn read(&self, name: &str) -> Option<String> {
        let bytes = match self {
            Self::Pydio(site) => site.read(name),
            Self::Dav(site) => site.hand().read(name),
        };
        bytes.map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    pub(crate) fn remove(&self, name: &str) {
        match self {
            Self::Pydio(site) => pydio_site::remove(site, name),
            Self::Dav(site) => site.hand().remove(name),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        match self {
            Self::Pydio(site) => pydio_site::rename(site, from, to),
            Self::Dav(site) => site.hand().rename(from, to),
        }
    }

    /// All paths but ours.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Pydio(site) => site.names(),
            Self::Dav(site) => site.names(),
        }
    }

    /// Writes a version that cannot be taken for the next one by its time.
    pub(crate) fn write_old(&self, name: &str, bytes: &[u8], age_s: u64) {
        self.write(name, bytes);
        if let Self::Dav(site) = self {
            site.hand().set_time(name, 1_600_000_000 - age_s);
        }
    }

    /// Has contents stop for ever after so many bytes.
    pub(crate) fn stall_contents(&self, bytes: u64) {
        match self {
            Self::Pydio(site) => {
                let rule = pydio::Rule::on("download", pydio::Fault::StallBody(bytes));
                site.server().inject(rule.always());
            }
            Self::Dav(site) => {
                let rule = webdav::Rule::on("GET", webdav::Fault::StallBody(bytes));
                site.server.inject(rule.always());
            }
        }
    }

    /// What answers with content have in bytes, in their order; small ones are not of files.
    pub(crate) fn contents_sent(&self) -> Vec<u64> {
        let counted = |(word, faulty, bytes): (String, bool, u64)| {
            let is_content = ["download", "GET"].contains(&word.as_str());
            (is_content && !faulty && bytes > 4096).then_some(bytes)
        };
        match self {
            Self::Pydio(site) => {
                let entries = site.server().log().entries().into_iter();
                let entries = entries.map(|it| (it.action, it.faulty, it.bytes_out));
                entries.filter_map(counted).collect()
            }
            Self::Dav(site) => {
                let entries = site.server.log().entries().into_iter();
                let entries = entries.map(|it| (it.method, it.faulty, it.bytes_out));
                entries.filter_map(counted).collect()
            }
        }
    }

    /// Ends every connection before anything is done.
    pub(crate) fn go_away(&self) {
        match self {
            Self::Pydio(site) => {
                let rule = pydio::Rule::new(pydio::Fault::Refuse);
                site.server().inject(rule.always());
            }
            Self::Dav(site) => {
                let rule = webdav::Rule::new(webdav::Fault::Refuse);
                site.server.inject(rule.always());
            }
        }
    }

    /// Refuses to list folders; `path` is a glob.
    pub(crate) fn forbid(&self, path: &str) {
        match self {
            Self::Pydio(site) => {
                // Nor does it list all of them at once.
                let rule = pydio::Rule::on("ls", pydio::Fault::Status(500));
                site.server().inject(rule);
                let rule = pydio::Rule::on("ls", pydio::Fault::Status(403));
                site.server().inject(rule.path(path).always());
            }
            Self::Dav(site) => {
                let rule = webdav::Rule::on("PROPFIND", webdav::Fault::Status(403));
                site.server.inject(rule.path(path).always());
            }
        }
    }

    /// Lets nobody in, as after a change of the password.
    pub(crate) fn lock_out(&self) {
        match self {
            Self::Pydio(site) => {
                let rule = pydio::Rule::new(pydio::Fault::Unauthorized);
                site.server().inject(rule.always());
            }
            Self::Dav(site) => {
                let rule = webdav::Rule::new(webdav::Fault::Status(401));
                site.server.inject(rule.always());
            }
        }
    }

    /// Forgets what goes wrong.
    pub(crate) fn mend(&self) {
        match self {
            Self::Pydio(site) => site.server().clear_faults(),
            Self::Dav(site) => site.server.clear_faults(),
        }
    }

    /// How many requests something went wrong with.
    pub(crate) fn refused(&self) -> usize {
        match self {
            Self::Pydio(site) => {
                let entries = site.server().log().entries();
                entries.iter().filter(|entry| entry.faulty).count()
            }
            Self::Dav(site) => {
                let entries = site.server.log().entries();
                entries.iter().filter(|entry| entry.faulty).count()
            }
        }
    }
}
