//! Serves a folder, or nothing but memory, as a WebDAV server that was looked at does.
//!
//! In: a preset, a port, a user. Out: how to sync with it, then answers until a signal.
//! Invariant: loopback only. Deliberately absent: single quirks, which tests switch in
//! code; the server itself is in `test-servers`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::serving::{ended, until_signal};
use test_servers::webdav::{Clock, DavServer, Options, Quirks};

/// What to serve.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to behave as.
    #[arg(long, default_value = "nextcloud", value_parser = Quirks::PRESETS.map(|(name, _)| name))]
    preset: String,
    /// The folder that is served; without it the files are only in memory.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The port on the loopback.
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// A path below which it answers, such as `/nextcloud`.
    #[arg(long, default_value = "")]
    base: String,
    /// The user as NAME:PASSWORD.
    #[arg(long, value_name = "NAME:PASSWORD", default_value = "alice:secret")]
    user: String,
    /// What each request costs.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// What each login with the account's password costs a Nextcloud.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    login_cost: u64,
    /// Grants every login that waits for a person, twice a second.
    #[arg(long)]
    grant_logins: bool,
}

/// Serves until a signal.
pub(crate) fn run(args: &Args) -> ExitCode {
    let served = options(args)
        .and_then(|options| DavServer::start(options).map_err(|error| error.to_string()))
        .and_then(|server| {
            // Stands in for the person who grants logins.
            let grant = || {
                if args.grant_logins {
                    server.grant_logins();
                }
            };
            let waited = until_signal(&how_to(args, &server), &server.log(), grant);
            waited.map_err(|error| error.to_string())
        });
    ended("webdav-server", served)
}

fn options(args: &Args) -> Result<Options, String> {
    let preset = Quirks::PRESETS
        .iter()
        .find(|(name, _)| *name == args.preset);
    let (_, quirks) = preset.ok_or("no such preset")?;
    let mut quirks = quirks();
    quirks.login_cost = Duration::from_millis(args.login_cost);
    let (name, password) = args.user.split_once(':').ok_or("a user is NAME:PASSWORD")?;
    let options = Options::new(quirks)
        .user(name, password)
        .port(args.port)
        .base(&args.base)
        .clock(Clock::machine())
        .latency(Duration::from_millis(args.latency));
    Ok(match &args.dir {
        Some(dir) => options.dir(dir),
        None => options,
    })
}

fn how_to(args: &Args, server: &DavServer) -> String {
    let (url, (user, password)) = (server.url(), server.user());
    let files = args
        .dir
        .as_ref()
        .map_or_else(|| "in memory".to_owned(), |dir| dir.display().to_string());
    let address = url.replacen("http", "webdav", 1);
    format!(
        "URL        {url}\nuser       {user}\npassword   {password}\nbehaves as {}\n\
         files      {files}\n\nTo sync with it:\n  \
         pydio-sync -s {address} -u {user} -p {password} -d DIR\n\nEnds with Ctrl-C.\n",
        args.preset
    )
}
