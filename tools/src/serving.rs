//! What the test servers do as commands: say how they are used, and wait.
//!
//! In: words, a log, something to do now and then. Out: an exit code once a signal came; at
//! SIGHUP how many requests there were. Invariant: nobody reads the words before signals
//! are heard, since whoever read them may send one at once. Deliberately absent: servers.

use std::io;
use std::process::ExitCode;
use std::time::Duration;
use test_servers::log::{Log, Logged};

/// Says how to use a server and waits for a signal; `tick` is called twice a second.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn until_signal<E: Logged>(
    words: &str,
    log: &Log<E>,
    mut tick: impl FnMut(),
) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hangup = signal(SignalKind::hangup())?;
            print!("{words}");
            let mut ticks = tokio::time::interval(Duration::from_millis(500));
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    _ = hangup.recv() => tell_requests(log),
                    _ = ticks.tick() => tick(),
                }
            }
        })
}

/// Prints how many requests there were since it was last asked.
#[expect(clippy::print_stdout, reason = "a command")]
fn tell_requests<E: Logged>(log: &Log<E>) {
    let counts = log.counts();
    log.clear();
    let parts = counts.iter().map(|(word, count)| format!("{count} {word}"));
    let parts: Vec<String> = parts.collect();
    let total: usize = counts.values().sum();
    println!("{total} requests: {}", parts.join(", "));
}

/// The exit code, and why there is no server.
#[expect(clippy::print_stderr, reason = "a command")]
pub(crate) fn ended(name: &str, served: Result<(), String>) -> ExitCode {
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
