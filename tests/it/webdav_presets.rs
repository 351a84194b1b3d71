//! The presets of the test server beside the real servers: the same requests, the same
//! answers.
//!
//! What differs between versions of a real server is named in `DIFFERS`, with the reason.

use crate::webdav_real::{Address, REAL, preset, real};
use std::fmt::Write as _;
use test_servers::plain::{Plain, Reply};
use test_servers::webdav::Quirks;

/// Lines that an installed version answers otherwise than the one the preset is made
/// after: rclone 1.60.1 of Debian 12 beside 1.75.2.
const DIFFERS: [(&str, &str); 3] = [
    ("rclone", "PUT without parent"),
    ("rclone", "NFD listed as NFC"),
    ("rclone", "hrefs of files"),
];

/// Asks a server everything and writes down what it said, a line a question.
struct Asker {
    plain: Plain,
    told: String,
}

impl Asker {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let reply = self.plain.ask(method, path, headers, body.as_bytes());
        reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A question whose answer is its status.
    fn status(&mut self, what: &str, method: &str, path: &str, headers: &[(&str, &str)]) {
        let body = if method == "PUT" { "text" } else { "" };
        let status = self.ask(method, path, headers, body).status;
        self.tell(what, &status.to_string());
    }

    fn tell(&mut self, what: &str, said: &str) {
        writeln!(self.told, "{what}: {said}").expect("a string grows");
    }

    fn put(&self, path: &str, text: &str) -> Reply {
        self.ask("PUT", path, &[], text)
    }

    fn list(&self, path: &str, depth: &str) -> String {
        let body = "<?xml version=\"1.0\"?><a:propfind xmlns:a=\"DAV:\" \
                    xmlns:o=\"http://owncloud.org/ns\"><a:prop><a:resourcetype/><a:getetag/>\
                    <a:getcontentlength/><a:getlastmodified/><a:quota-available-bytes/>\
                    <o:fileid/></a:prop></a:propfind>";
        let headers = [("Depth", depth), ("Content-Type", "application/xml")];
        self.ask("PROPFIND", path, &headers, body).text()
    }

    /// The hrefs of a listing without what leads to the folder of this test.
    fn hrefs(&self, path: &str, depth: &str) -> String {
        let text = self.list(path, depth);
        let parts = text.split("href>").skip(1).step_by(2);
        let hrefs = parts.filter_map(|part| part.split('<').next());
        let root = self.plain.url("");
        let root = root.splitn(4, '/').nth(3).unwrap_or("");
        let mut hrefs: Vec<_> = hrefs.map(|href| href.replace(root, "")).collect();
        hrefs[1..].sort();
        hrefs.join(" ")
    }

    fn folders(&mut self) {
        self.status("MKCOL without slash", "MKCOL", "/a", &[]);
        self.status("MKCOL", "MKCOL", "/b/", &[]);
        self.status("MKCOL existing", "MKCOL", "/b/", &[]);
        self.put("/f", "text");
        self.status("MKCOL on a file", "MKCOL", "/f/", &[]);
        self.status("MKCOL without parent", "MKCOL", "/no/x/", &[]);
        self.status("PUT without parent", "PUT", "/no/x", &[]);
        self.status("PUT on a folder", "PUT", "/b", &[]);
        self.status("GET a folder", "GET", "/b", &[]);
        self.status("GET a folder with slash", "GET", "/b/", &[]);
        self.status("infinity", "PROPFIND", "/", &[("Depth", "infinity")]);
        self.status("nothing", "PROPFIND", "/nothing", &[("Depth", "0")]);
        self.status("DELETE a folder without slash", "DELETE", "/b", &[]);
        self.ask("MKCOL", "/full/", &[], "");
        self.put("/full/f", "text");
        self.status("DELETE a full folder", "DELETE", "/full/", &[]);
        self.status("DELETE nothing", "DELETE", "/nothing", &[]);
        let wrong = self.plain.clone().authorized("Basic eDp5");
        let refused = wrong.ask("GET", "/f", &[], b"").expect("an answer");
        self.tell("wrong password", &refused.status.to_string());
    }

    fn versions(&mut self) {
        let made = self.put("/v", "text");
        let over = self.put("/v", "tex2");
        self.tell("PUT new", &made.status.to_string());
        self.tell("PUT over", &over.status.to_string());
        self.tell(
            "PUT has an etag",
            &over.header("etag").is_some().to_string(),
        );
        let listed = self.list("/v", "0");
        let etag = listed.split("getetag>").nth(1).unwrap_or("<");
        let etag = etag.split('<').next().unwrap_or("").replace("&quot;", "\"");
        let form = match etag.as_str() {
            "" => "none",
            _ if etag.starts_with("W/") => "weak",
            _ if etag.starts_with('"') => "strong",
            _ => "bare",
        };
        self.tell("etag in a listing", form);
        let folder = self.list("/", "0");
        let folder = folder.split("getetag>").nth(1).unwrap_or("<");
        let has = !folder.split('<').next().unwrap_or("").is_empty();
        self.tell("folder has an etag", &has.to_string());
        for (name, value) in [("If-None-Match", "*"), ("If-Match", "\"wrong\"")] {
            self.status(
                &format!("PUT {name} {value}"),
                "PUT",
                "/v",
                &[(name, value)],
            );
        }
        let strong = etag.trim_start_matches("W/");
        if form == "weak" {
            // While it is weak it matches nothing, a second later it does.
            self.status("PUT If-Match young", "PUT", "/v", &[("If-Match", strong)]);
        }
        self.status(
            "DELETE If-Match wrong",
            "DELETE",
            "/v",
            &[("If-Match", "\"wrong\"")],
        );
        let left = self.ask("GET", "/v", &[], "").status;
        self.tell("and then it is", &left.to_string());
        self.put("/q", "text");
        let quota = self.list("/", "0");
        let missing = quota.contains("404 Not Found");
        self.tell("missing properties are told", &missing.to_string());
        let bytes = quota.split("quota-available-bytes>").nth(1).unwrap_or("<");
        let has = bytes.starts_with(|c: char| c.is_ascii_digit());
        self.tell("quota", &has.to_string());
    }

    fn content(&mut self) {
        self.put("/c", "0123456789");
        for range in ["bytes=2-3", "bytes=-2", "bytes=10-", "bytes=0-99"] {
            let reply = self.ask("GET", "/c", &[("Range", range)], "");
            let part = reply.header("content-range").unwrap_or("-").to_owned();
            let said = if reply.status == 206 {
                format!("206 {part} {}", reply.text())
            } else {
                reply.status.to_string()
            };
            self.tell(range, &said);
        }
        let other = [("Range", "bytes=2-3"), ("If-Range", "\"another\"")];
        self.status("If-Range of another", "GET", "/c", &other);
        self.status(
            "GET If-None-Match *",
            "GET",
            "/c",
            &[("If-None-Match", "*")],
        );
        let part = [("Content-Range", "bytes 2-5/10")];
        let reply = self.ask("PUT", "/c", &part, "abcd");
        let now = self.ask("GET", "/c", &[], "").text();
        self.tell("PUT with Content-Range", &format!("{} {now}", reply.status));
    }

    fn moves(&mut self) {
        for name in ["m", "n", "o"] {
            self.put(&format!("/{name}"), name);
        }
        self.ask("MKCOL", "/d/", &[], "");
        self.put("/d/x", "x");
        let table = [
            ("MOVE a file", "/m", "/m2", "T"),
            ("MOVE onto with F", "/n", "/o", "F"),
            ("MOVE onto with T", "/n", "/o", "T"),
            ("MOVE without parent", "/o", "/no/o", "F"),
            ("MOVE nothing", "/nothing", "/p", "F"),
            ("MOVE a folder without slash", "/d", "/e", "F"),
            ("MOVE a folder with slash", "/d/", "/e/", "F"),
            ("MOVE by case only", "/o", "/O", "F"),
        ];
        for (what, from, to, overwrite) in table {
            let url = self.plain.url(to);
            let headers = [("Destination", url.as_str()), ("Overwrite", overwrite)];
            self.status(what, "MOVE", from, &headers);
        }
    }

    fn names(&mut self) {
        self.ask("MKCOL", "/names/", &[], "");
        let names = [
            "a%20b%C3%A9(1)&'+,;=@$!~.txt",
            ".hidden",
            "e%CC%81",
            "%23%3F%25",
        ];
        for name in names {
            self.status(name, "PUT", &format!("/names/{name}"), &[]);
        }
        let hrefs = self.hrefs("/names/", "1");
        let decoded = hrefs.replace("%cc%81", "%CC%81");
        self.tell("dot file listed", &decoded.contains(".hidden").to_string());
        let composed = decoded.contains("%C3%A9 ") || decoded.ends_with("%C3%A9");
        self.tell("NFD listed as NFC", &composed.to_string());
        self.tell("hrefs of files", &hrefs);
        self.ask("MKCOL", "/names/sub/", &[], "");
        let folder = self.hrefs("/names/sub", "0");
        self.tell("own href", &folder);
        let child = self.hrefs("/names/", "1").contains("/sub/");
        self.tell("folder's href ends in a slash", &child.to_string());
        let long = format!("/names/{}", "n".repeat(256));
        let refused = self.ask("PUT", &long, &[], "text").status;
        self.tell("a name too long fails", &(refused >= 400).to_string());
    }

    fn locks(&mut self) {
        self.put("/l", "text");
        let body = "<?xml version=\"1.0\"?><D:lockinfo xmlns:D=\"DAV:\"><D:lockscope>\
                    <D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>";
        let headers = [
            ("Timeout", "Second-60"),
            ("Content-Type", "application/xml"),
        ];
        let locked = self.ask("LOCK", "/l", &headers, body);
        self.tell("LOCK", &locked.status.to_string());
        self.status("PUT locked", "PUT", "/l", &[]);
        self.status("DELETE locked", "DELETE", "/l", &[]);
        let token = format!("({})", locked.header("lock-token").unwrap_or(""));
        self.status("PUT with the token", "PUT", "/l", &[("If", &token)]);
    }
}

fn everything(address: &Address) -> String {
    let mut asker = Asker {
        plain: address.plain(),
        told: String::new(),
    };
    asker.folders();
    asker.versions();
    asker.content();
    asker.moves();
    asker.names();
    asker.locks();
    asker.told
}

#[test]
fn a_preset_answers_as_the_real_server_does() {
    let mut differs = String::new();
    for kind in REAL {
        let quirks = Quirks::PRESETS.iter().find(|(name, _)| *name == kind);
        let (_server, own) = preset(quirks.expect("a preset").1());
        let told = everything(&own.in_new_folder());
        let seen = everything(&real(kind));
        for (ours, theirs) in told.lines().zip(seen.lines()) {
            let what = theirs.split(": ").next().unwrap_or("");
            if ours != theirs && !DIFFERS.contains(&(kind, what)) {
                writeln!(differs, "{kind}: {theirs}, and the preset: {ours}").expect("text");
            }
        }
    }
    assert!(differs.is_empty(), "\n{differs}");
}
