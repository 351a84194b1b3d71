//! What kind of world a seed gives.
//!
//! In: a generator. Out: the properties of both disks and of the remote, which
//! faults occur and how often (a swarm: each run has some of them, few have all).
//! Invariant: a change of content shows in a fingerprint, at the latest once a step of
//! the disk's times is over.
//! Deliberately absent: state. A new property is a field here, drawn in `draw`.

use super::prng::{Ratio, Rng};
use journal_format::value::Side;
use pydio_sync::daemon;

/// The properties of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// Times of modification are rounded down to this.
    pub granularity_ns: i64,
    /// Names that differ in case only are one name.
    pub fold_case: bool,
    /// Names that differ in normalisation only are one name.
    pub fold_norm: bool,
    /// Numbers of deleted inodes are used again at once.
    pub reuse_inodes: bool,
    /// Birth times are told.
    pub births: bool,
    /// How far this side's clock is ahead.
    pub skew_ns: i64,
}

/// What a remote tells and can do, beyond its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Entries have an identity. One of `identity` and `version` is always set.
    pub identity: bool,
    /// Files have a version.
    pub version: bool,
    /// Listings tell digests.
    pub digests: bool,
    /// Symbolic links can be held.
    pub symlinks: bool,
    /// Changes are hinted at.
    pub watch: bool,
    /// There is an account of changes, to be read on from a cursor.
    pub feed: bool,
    /// Preconditions are checked and acted upon in one step, as a server does.
    pub atomic: bool,
    /// A copy gets its source's time of modification.
    pub keeps_mtime: bool,
}

/// How often faults occur, each at its place in a port call or between steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultOptions {
    /// A call fails before it has an effect.
    pub transient: Ratio,
    /// A remote call has its effect and the answer is lost.
    pub answer_lost: Ratio,
    /// A read breaks off in the middle.
    pub read_broken: Ratio,
    /// A scan breaks off in the middle.
    pub scan_broken: Ratio,
    /// A directory cannot be listed this time.
    pub unlisted: Ratio,
    /// The remote lists a directory as it was a little earlier.
    pub stale_listing: Ratio,
    /// Names come and go while a directory is being listed.
    pub torn_listing: Ratio,
    /// A hint is lost.
    pub hint_lost: Ratio,
    /// A hint comes twice, or hints come in another order.
    pub hint_shuffled: Ratio,
    /// Hints give way to [`pydio_sync::ports::Hint::Rescan`].
    pub hint_rescan: Ratio,
    /// A watcher gives up.
    pub watch_ends: Ratio,
    /// An append to the store fails.
    pub store: Ratio,
    /// A call goes on although its caller dropped it.
    pub ghost: Ratio,
    /// Per step: the process is killed.
    pub kill: Ratio,
    /// Per step: the power fails.
    pub power: Ratio,
    /// Per step: the process is asked to stop and is started again.
    pub restart: Ratio,
    /// Per step: a side's root goes away, or an empty one takes its place.
    pub outage: Ratio,
    /// Per step: a disk is full for a while.
    pub full: Ratio,
    /// Per step: a path cannot be touched for a while.
    pub denied: Ratio,
    /// Per step: the credentials are refused for a while.
    pub auth: Ratio,
    /// Per step: the local clock jumps.
    pub clock_jump: Ratio,
    /// The remote disk loses power together with the local one.
    pub power_is_shared: bool,
}

/// What users do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOptions {
    /// Per step and side: a user does something.
    pub rate: [Ratio; 2],
    /// Users make these changes besides plain ones: links and pipes.
    pub odd_kinds: bool,
    /// Users make names that differ in case or normalisation only.
    pub odd_names: bool,
    /// Files are written in several steps.
    pub slow_saves: bool,
    /// Users pick paths that the program is busy with, this often.
    pub stalking: Ratio,
    /// Per step: a user acts upon a path between the look and the effect of a call.
    pub temptation: Ratio,
    /// Users wait until what they did is durable, this often.
    pub syncs: Ratio,
    /// Changes before the first start.
    pub prelude: usize,
    /// Entries of a side above which users no longer add any.
    pub entries_max: usize,
}

/// Everything about a world that does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Both disks, local first.
    pub disks: [DiskOptions; 2],
    /// The remote.
    pub remote: RemoteOptions,
    /// Faults of the first phase.
    pub faults: FaultOptions,
    /// Users of the first phase.
    pub users: UserOptions,
    /// The process runs on and on; otherwise it ends when nothing is left to do.
    pub continuous: bool,
    /// Steps with faults and users.
    pub steps: u64,
    /// Bytes of content that one read gives.
    pub chunk_bytes: usize,
    /// Per step: the process waits although it could go on.
    pub slow_process: Ratio,
    /// Records beyond the checkpoint from which on a new one is written.
    pub checkpoint_tail_min: u64,
    /// Running operations for each of which there is a record, or records wait.
    pub running_per_record: usize,
    /// A checkpoint that is read is damaged, or gone.
    pub checkpoint_lost: Ratio,
    /// Per end of a process: the store loses records that it had acknowledged.
    pub history_lost: Ratio,
}

impl DiskOptions {
    /// The most able disk.
    pub const PLAIN: Self = Self {
        granularity_ns: 1,
        fold_case: false,
        fold_norm: false,
        reuse_inodes: false,
        births: true,
        skew_ns: 0,
    };

    fn draw(rng: &mut Rng, side: Side) -> Self {
        let remote = side == Side::Remote;
        Self {
            granularity_ns: *rng.pick(&[1, 1, 1_000_000_000, 2_000_000_000]),
            // The local side is Linux, where every spelling is a name of its own.
            fold_case: remote && rng.chance(Ratio::one_in(4)),
            fold_norm: remote && rng.chance(Ratio::one_in(4)),
            reuse_inodes: rng.chance(Ratio::one_in(2)),
            births: rng.chance(Ratio { hits: 3, of: 4 }),
            skew_ns: *rng.pick(&[0, 0, 3_600_000_000_000, -86_400_000_000_000]),
        }
    }
}

impl RemoteOptions {
    /// The most able remote: another folder.
    pub const PLAIN: Self = Self {
        identity: true,
        version: false,
        digests: false,
        symlinks: true,
        watch: true,
        feed: false,
        atomic: false,
        keeps_mtime: true,
    };

    const fn draw(rng: &mut Rng) -> Self {
        let identity = rng.chance(Ratio { hits: 2, of: 3 });
        Self {
            identity,
            version: !identity || rng.chance(Ratio::one_in(2)),
            digests: rng.chance(Ratio::one_in(3)),
            symlinks: rng.chance(Ratio { hits: 2, of: 3 }),
            watch: rng.chance(Ratio { hits: 2, of: 3 }),
            feed: false,
            atomic: rng.chance(Ratio::one_in(2)),
            keeps_mtime: rng.chance(Ratio { hits: 2, of: 3 }),
        }
    }
}

impl FaultOptions {
    /// No faults.
    pub const NONE: Self = Self {
        transient: Ratio::NEVER,
        answer_lost: Ratio::NEVER,
        read_broken: Ratio::NEVER,
        scan_broken: Ratio::NEVER,
        unlisted: Ratio::NEVER,
        stale_listing: Ratio::NEVER,
        torn_listing: Ratio::NEVER,
        hint_lost: Ratio::NEVER,
        hint_shuffled: Ratio::NEVER,
        hint_rescan: Ratio::NEVER,
        watch_ends: Ratio::NEVER,
        store: Ratio::NEVER,
        ghost: Ratio::NEVER,
        kill: Ratio::NEVER,
        power: Ratio::NEVER,
        restart: Ratio::NEVER,
        outage: Ratio::NEVER,
        full: Ratio::NEVER,
        denied: Ratio::NEVER,
        auth: Ratio::NEVER,
        clock_jump: Ratio::NEVER,
        power_is_shared: false,
    };

    fn draw(rng: &mut Rng) -> Self {
        let mut some = |choices: &[u32]| {
            if rng.chance(Ratio::one_in(3)) {
                Ratio::one_in(*rng.pick(choices))
            } else {
                Ratio::NEVER
            }
        };
        Self {
            transient: some(&[30, 100, 400]),
            answer_lost: some(&[5, 20, 50]),
            read_broken: some(&[20, 50]),
            scan_broken: some(&[50, 200]),
            unlisted: some(&[20, 100]),
            stale_listing: some(&[10, 50]),
            torn_listing: some(&[10, 50]),
            hint_lost: some(&[3, 10]),
            hint_shuffled: some(&[3, 10]),
            hint_rescan: some(&[5, 20]),
            watch_ends: some(&[50, 200]),
            store: some(&[100, 300]),
            ghost: some(&[2, 10]),
            kill: some(&[100, 500, 2000]),
            power: some(&[200, 800, 2000]),
            restart: some(&[500, 2000]),
            outage: some(&[1000, 3000]),
            full: some(&[500, 2000]),
            denied: some(&[300, 1000]),
            auth: some(&[1000]),
            clock_jump: some(&[300, 1000]),
            power_is_shared: rng.chance(Ratio::one_in(2)),
        }
    }
}

impl UserOptions {
    /// Nobody is there.
    pub const NOBODY: Self = Self {
        rate: [Ratio::NEVER; 2],
        odd_kinds: false,
        odd_names: false,
        slow_saves: false,
        stalking: Ratio::NEVER,
        temptation: Ratio::NEVER,
        syncs: Ratio::ALWAYS,
        prelude: 0,
        entries_max: 40,
    };

    fn draw(rng: &mut Rng) -> Self {
        let mut rate = || Ratio::one_in(*rng.pick(&[5, 30, 100, 100, 300]));
        Self {
            rate: [rate(), rate()],
            odd_kinds: rng.chance(Ratio::one_in(2)),
            odd_names: rng.chance(Ratio::one_in(2)),
            slow_saves: rng.chance(Ratio::one_in(2)),
            stalking: *rng.pick(&[Ratio::NEVER, Ratio::one_in(2), Ratio::ALWAYS]),
            temptation: *rng.pick(&[Ratio::NEVER, Ratio::one_in(30), Ratio::one_in(4)]),
            syncs: *rng.pick(&[Ratio::ALWAYS, Ratio::one_in(2), Ratio::NEVER]),
            prelude: *rng.pick(&[0, 5, 20, 60]),
            entries_max: *rng.pick(&[8, 20, 60]),
        }
    }
}

impl Options {
    /// Two plain disks, no faults, nobody there.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            disks: [DiskOptions::PLAIN; 2],
            remote: RemoteOptions::PLAIN,
            faults: FaultOptions::NONE,
            users: UserOptions::NOBODY,
            continuous: false,
            steps: 0,
            chunk_bytes: 16,
            slow_process: Ratio::NEVER,
            checkpoint_tail_min: u64::MAX,
            running_per_record: daemon::RUNNING_PER_RECORD,
            checkpoint_lost: Ratio::NEVER,
            history_lost: Ratio::NEVER,
        }
    }

    /// Draws the kind of world that belongs to a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self::draw(&mut Rng::new(seed).fork())
    }

    /// The same world with a remote that keeps an account of changes. What a stale
    /// listing hid only the next scan of everything would find, some hours later: its
    /// listings are of the moment.
    #[must_use]
    pub const fn with_feed(mut self) -> Self {
        self.remote.feed = true;
        self.faults.stale_listing = Ratio::NEVER;
        self
    }

    /// The same world with a process that lets records wait for each other, as it does
    /// while it transfers thousands of files.
    #[must_use]
    pub const fn with_patience(mut self) -> Self {
        self.running_per_record = 1;
        self
    }

    fn draw(rng: &mut Rng) -> Self {
        Self {
            disks: Side::BOTH.map(|side| DiskOptions::draw(rng, side)),
            remote: RemoteOptions::draw(rng),
            faults: FaultOptions::draw(rng),
            users: UserOptions::draw(rng),
            continuous: rng.chance(Ratio { hits: 2, of: 3 }),
            steps: *rng.pick(&[500, 1500, 4000]),
            chunk_bytes: *rng.pick(&[7, 16, 64]),
            slow_process: *rng.pick(&[Ratio::NEVER, Ratio::one_in(2), Ratio { hits: 4, of: 5 }]),
            checkpoint_tail_min: *rng.pick(&[u64::MAX, 0, 0, 10, 50]),
            running_per_record: daemon::RUNNING_PER_RECORD,
            checkpoint_lost: *rng.pick(&[Ratio::NEVER, Ratio::one_in(3)]),
            history_lost: *rng.pick(&[Ratio::NEVER, Ratio::NEVER, Ratio::NEVER, Ratio::one_in(4)]),
        }
    }
}
