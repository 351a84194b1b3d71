//! What only Nextcloud has: chunked and bulk uploads, logins, its own pages.
//!
//! In: calls outside of the files. Out: answers. Invariant: status, login flow and
//! nothing else are open to everybody. Deliberately absent: version 1 of chunking.

mod bulk;
mod chunks;
mod login;

use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::faults::Fault;
use super::names::Named;
use super::quirks::Quirks;
use super::server::Server;

pub(super) use self::chunks::Uploads;
pub(super) use self::login::Logins;

/// What everything is answered with during maintenance.
pub(super) fn maintenance(call: &Call, ours: bool) -> Answer {
    if !ours {
        return Answer::status(503);
    }
    if call.path().ends_with("/status.php") {
        return Answer::json(200, &status(true));
    }
    Answer::sabre(503, "ServiceUnavailable", "System in maintenance mode.")
        .with("X-Nextcloud-Maintenance-Mode", "1")
        .with("Retry-After", "120")
}

fn status(maintenance: bool) -> serde_json::Value {
    json!({"installed": true, "maintenance": maintenance, "needsDbUpgrade": false,
           "version": "29.0.6.1", "versionstring": "29.0.6", "edition": "",
           "productname": "Nextcloud", "extendedSupport": false})
}

/// Answers what nobody has to log in for.
pub(super) fn open_to_all(server: &Server, call: &Call, rest: &str) -> Option<Answer> {
    let rest = rest.strip_prefix("/index.php").unwrap_or(rest);
    match (call.method.as_str(), rest) {
        ("GET", "/status.php") => Some(Answer::json(200, &status(false))),
        ("POST", "/login/v2") => Some(server.logins.begin(server, call)),
        ("POST", "/login/v2/poll") => Some(server.logins.poll(server, call)),
        _ if rest.starts_with("/login") => Some(Answer::page(200, "Log in")),
        _ => None,
    }
}

/// Answers what is neither files nor uploads.
pub(super) fn web(server: &Server, call: &Call, rest: &str) -> Answer {
    match (call.method.as_str(), rest) {
        ("POST", "/remote.php/dav/bulk") if server.options.quirks.bulk => {
            bulk::answer(server, call)
        }
        ("DELETE", "/ocs/v2.php/core/apppassword") => server.logins.forget(call),
        ("GET", "/ocs/v1.php/cloud/capabilities" | "/ocs/v2.php/cloud/capabilities") => {
            Answer::json(200, &capabilities(&server.options.quirks))
        }
        ("GET", "/ocs/v1.php/cloud/user" | "/ocs/v2.php/cloud/user") => {
            let user = &server.options.users[0].0;
            let data = json!({"id": user, "display-name": user, "enabled": true});
            Answer::json(200, &json!({"ocs": {"meta": ok(), "data": data}}))
        }
        _ => Answer::page(404, "Page not found"),
    }
}

fn ok() -> serde_json::Value {
    json!({"status": "ok", "statuscode": 200, "message": "OK"})
}

fn capabilities(quirks: &Quirks) -> serde_json::Value {
    let mut dav = json!({});
    if quirks.chunks {
        dav["chunking"] = json!("1.0");
    }
    if quirks.bulk {
        dav["bulkupload"] = json!("1.0");
    }
    let mut files = json!({"bigfilechunking": quirks.chunks, "blacklisted_files": [".htaccess"],
                           "undelete": true, "versioning": true});
    if let Some(most) = quirks.chunk_max {
        files["chunked_upload"] = json!({"max_size": most, "max_parallel_count": 5});
    }
    json!({"ocs": {"meta": ok(), "data": {
        "version": {"major": 29, "minor": 0, "micro": 6, "string": "29.0.6", "edition": ""},
        "capabilities": {
            "core": {"pollinterval": 60, "webdav-root": "remote.php/webdav"},
            "dav": dav,
            "files": files,
            "checksums": {"preferredUploadType": "SHA1", "supportedTypes": ["SHA1", "MD5"]},
        },
    }}})
}

/// Answers what is about unfinished uploads.
pub(super) fn uploads(
    server: &Server,
    call: &Call,
    named: &Named,
    fault: Option<&Fault>,
) -> Answer {
    if !server.options.quirks.chunks {
        return Answer::status(404);
    }
    let root = server.root_path();
    chunks::Part {
        quirks: &server.options.quirks,
        call,
        map: &server.map(&root),
        now: server.options.clock.now(),
        fault,
    }
    .answer(&mut server.state(), named)
}
