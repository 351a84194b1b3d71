//! Runs programs and reads what they cost.
//!
//! In: a command. Out: wall time, processor time and peak memory as the kernel
//! counted them for the child and for what it waited for. Invariant: dirty pages of
//! earlier runs are written back before the clock starts; a daemon never outlives
//! its [`Daemon`]. A crash of the tool may leave a daemon, which its log names.

use super::Result;
use crate::memory::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// How long a daemon may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// What one run cost.
#[derive(Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) wall: Duration,
    /// Peak resident memory; absent where the work happens in this process.
    pub(super) peak_bytes: Option<u64>,
}

impl Sample {
    /// Two runs one after the other.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            peak_bytes: self.peak_bytes.max(next.peak_bytes),
        }
    }
}

/// A finished run.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) sample: Sample,
    pub(super) stdout: String,
    stderr: String,
}

impl Ran {
    /// The run, if it ended with one of `codes`.
    pub(super) fn expect(self, codes: &[i32]) -> Result<Self> {
        if self.code.is_some_and(|code| codes.contains(&code)) {
            return Ok(self);
        }
        let words = self
            .stderr
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty());
        let code = self
            .code
            .map_or("a signal".to_owned(), |code| code.to_string());
        Err(format!("ended with {code}: {}", words.unwrap_or("it said nothing")).into())
    }
}

/// The clock of the benchmark.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures this machine's time"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Measures work that happens in this process.
pub(super) fn time(work: impl FnOnce() -> Result<()>) -> Result<Sample> {
    rustix::fs::sync();
    let start = now();
    work()?;
    Ok(Sample {
        wall: start.elapsed(),
        peak_bytes: None,
    })
}

/// Runs a command to its end; what it prints goes to files in `logs`.
pub(super) fn run(command: &mut Command, logs: &Path) -> Result<Ran> {
    let (stdout, stderr) = (logs.join("stdout"), logs.join("stderr"));
    command
        .stdin(Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?);
    rustix::fs::sync();
    let start = now();
    let child = command.spawn().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("{program}: {error}")
    })?;
    let used = child.wait4()?;
    let wall = start.elapsed();
    Ok(Ran {
        code: used.status.code(),
        sample: Sample {
            wall,
            peak_bytes: Some(used.rusage.maxrss),
        },
        stdout: String::from_utf8_lossy(&fs::read(stdout)?).into_owned(),
        stderr: String::from_utf8_lossy(&fs::read(stderr)?).into_owned(),
    })
}

/// A program that runs until it is dropped.
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it; what it prints goes to files in `logs`.
    pub(super) fn start(command: &mut Command, logs: &Path) -> Result<Self> {
        let log = logs.join("stderr");
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(logs.join("stdout"))?)
            .stderr(File::create(&log)?)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// Lets it run for a while; fails if it ends before.
    pub(super) fn run_for(&self, time: Duration) -> Result<()> {
        if self.ends_within(time)? {
            let log = fs::read_to_string(&self.log)?;
            let words = log.lines().last().unwrap_or("it said nothing");
            return Err(format!("the daemon ended by itself: {words}").into());
        }
        Ok(())
    }

    /// Processor time it has used so far.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold spaces; fields 14 and 15 are the ticks.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<std::result::Result<u64, _>>()?;
        let millis = ticks * 1000 / rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(millis))
    }

    /// Its peak resident memory so far.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        Some(Process::Child(self.child.id()).peak_kib()? * 1024)
    }

    fn pid(&self) -> Result<Pid> {
        let raw = i32::try_from(self.child.id())?;
        Ok(Pid::from_raw(raw).ok_or("a process id is positive")?)
    }

    fn ends_within(&self, time: Duration) -> Result<bool> {
        let handle = pidfd_open(self.pid()?, PidfdFlags::empty())?;
        readable(&handle, time)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let asked = self
            .pid()
            .and_then(|pid| Ok(kill_process(pid, Signal::TERM)?));
        let ended = asked.and_then(|()| self.ends_within(STOP_MAX));
        if !ended.unwrap_or(false) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

/// Whether there is something to read within `time`.
pub(super) fn readable(handle: impl AsFd, time: Duration) -> Result<bool> {
    let timeout = Timespec::try_from(time)?;
    let mut wait = [PollFd::new(&handle, PollFlags::IN)];
    Ok(poll(&mut wait, Some(&timeout))? > 0)
}
