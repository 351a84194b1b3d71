//! Who may import whom: the rooms of the tree as data.
//!
//! In: nothing. Out: one [`Room`] a folder or file. Invariant: the longest matching
//! place wins, and what a row does not list is refused. Watched by `imports` and by
//! the tests beside it. Deliberately absent: `tools`, which nobody depends on.
//! The next one: a new adapter is a row in [`ROOMS`] that names its vendor crates.

/// A place in the tree and what code there may name.
pub(super) struct Room {
    /// A folder, or a file without `.rs`.
    pub(super) place: &'static str,
    /// Crates and modules it may use besides itself and `std`; `*` is everything.
    pub(super) uses: &'static [&'static str],
    /// What it must never contain, whatever `uses` says.
    pub(super) never: &'static [&'static [Ban]],
    /// Whether `never` holds for test code as well.
    pub(super) tests_too: bool,
}

/// A word, or a run of path segments, and what to do instead.
pub(super) struct Ban {
    pub(super) name: &'static str,
    pub(super) instead: &'static str,
}

const fn ban(name: &'static str, instead: &'static str) -> Ban {
    Ban { name, instead }
}

/// The crate that the files beneath a folder belong to; the longest folder wins.
pub(super) const CRATES: [(&str, &str); 6] = [
    ("journal-format/src", "journal_format"),
    ("src/core", "sync_core"),
    ("src", "pydio_sync"),
    ("proptests/src", "proptests"),
    ("test-servers/src", "test_servers"),
    ("tools/src", "tools"),
];

/// Folders in which every file needs a row of its own, not the folder's.
pub(super) const STREETS: [&str; 3] = ["src", "src/adapters", "src/adapters/remote"];

/// What test code may use in every room.
pub(super) const TEST_CRATES: [&str; 3] = ["proptest", "serde_json", "tempfile"];

/// Names of remotes: the core reads capabilities, never names.
pub(super) const REMOTE_NAMES: [&str; 6] =
    ["pydio", "webdav", "nextcloud", "owncloud", "sftp", "folder"];

/// The folder in which [`REMOTE_NAMES`] and float literals are refused.
pub(super) const PURE: &str = "src/core";

const NO_CLOCK: &[Ban] = &[
    ban(
        "Instant::now",
        "take the time from the input or `ports::Clock`",
    ),
    ban(
        "SystemTime::now",
        "take the time from the input or `ports::Clock`",
    ),
];
const NO_THREADS: &[Ban] = &[
    ban("std::thread", "threads belong to adapters and `main.rs`"),
    ban("std::process", "processes belong to adapters and `cli`"),
    ban("std::env", "the environment is read in `cli` only"),
];
const NO_SOCKET: &[Ban] = &[ban("std::net", "the network belongs to adapters")];
const NO_DISK: &[Ban] = &[
    ban("std::fs", "the disk belongs to adapters; ask a port"),
    ban("std::io", "IO belongs to adapters; ask a port"),
];
/// A port may hand over an open file, which is not the same as opening one.
const NO_OPENING: &[Ban] = &[
    ban("File::open", "the disk belongs to adapters; ask a port"),
    ban("File::create", "the disk belongs to adapters; ask a port"),
    ban(
        "File::create_new",
        "the disk belongs to adapters; ask a port",
    ),
    ban("File::options", "the disk belongs to adapters; ask a port"),
    ban("OpenOptions", "the disk belongs to adapters; ask a port"),
    ban("fs::read", "the disk belongs to adapters; ask a port"),
    ban(
        "fs::read_to_string",
        "the disk belongs to adapters; ask a port",
    ),
    ban("fs::read_dir", "the disk belongs to adapters; ask a port"),
    ban("fs::write", "the disk belongs to adapters; ask a port"),
    ban("fs::rename", "the disk belongs to adapters; ask a port"),
    ban(
        "fs::remove_file",
        "the disk belongs to adapters; ask a port",
    ),
    ban(
        "fs::remove_dir_all",
        "the disk belongs to adapters; ask a port",
    ),
    ban("fs::create_dir", "the disk belongs to adapters; ask a port"),
    ban(
        "fs::create_dir_all",
        "the disk belongs to adapters; ask a port",
    ),
    ban("fs::metadata", "the disk belongs to adapters; ask a port"),
    ban(
        "fs::symlink_metadata",
        "the disk belongs to adapters; ask a port",
    ),
];
const NO_CHANCE: &[Ban] = &[
    ban("rand", "chance arrives as a journaled seed"),
    ban(
        "HashMap",
        "use `BTreeMap`: its order is the same everywhere",
    ),
    ban(
        "HashSet",
        "use `BTreeSet`: its order is the same everywhere",
    ),
    ban("RandomState", "hash with a fixed key"),
];
const NO_ASYNC: &[Ban] = &[
    ban("async", "return what to do; `daemon` does it"),
    ban("await", "return what to do; `daemon` does it"),
    ban("Future", "return what to do; `daemon` does it"),
];
const NO_FLOATS: &[Ban] = &[
    ban("f32", "count in integers: floats differ between machines"),
    ban("f64", "count in integers: floats differ between machines"),
];
const NO_TIME: &[Ban] = &[
    ban(
        "std::time::Instant",
        "time arrives inside inputs as `Timestamp`",
    ),
    ban(
        "std::time::SystemTime",
        "time arrives inside inputs as `Timestamp`",
    ),
];
const NO_JSON: &[Ban] = &[ban("serde_json", "JSON appears at the edges only")];
const NO_PLANNER: &[Ban] = &[
    ban(
        "sync_core::plan",
        "an adapter reports facts; the core decides",
    ),
    ban(
        "sync_core::decide",
        "an adapter reports facts; the core decides",
    ),
    ban(
        "sync_core::fold",
        "an adapter reports facts; the core decides",
    ),
];
const NO_RUNTIME: &[Ban] = &[ban("tokio", "the runtime is chosen in `main.rs`")];

const ADAPTER: &[&[Ban]] = &[NO_PLANNER];
const ENGINE: &[&[Ban]] = &[NO_CLOCK, NO_THREADS, NO_SOCKET, NO_OPENING, NO_RUNTIME];

const fn room(
    place: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static [Ban]],
) -> Room {
    Room {
        place,
        uses,
        never,
        tests_too: false,
    }
}

/// Every room, see the header.
pub(super) const ROOMS: &[Room] = &[
    room(
        "journal-format/src",
        &["serde", "crc32fast"],
        &[
            NO_DISK, NO_SOCKET, NO_THREADS, NO_CLOCK, NO_CHANCE, NO_ASYNC, NO_JSON,
        ],
    ),
    room(
        "journal-format/src/codec",
        &["journal_format", "serde", "bincode"],
        &[
            NO_DISK, NO_SOCKET, NO_THREADS, NO_CLOCK, NO_CHANCE, NO_ASYNC, NO_JSON,
        ],
    ),
    // Behind features: what tools and the command line ask of the format.
    room(
        "journal-format/src/json",
        &["journal_format", "serde", "serde_json"],
        &[
            NO_DISK, NO_SOCKET, NO_THREADS, NO_CLOCK, NO_CHANCE, NO_ASYNC,
        ],
    ),
    room(
        "journal-format/src/vectors",
        &["journal_format", "serde", "serde_json", "crc32fast"],
        &[NO_SOCKET, NO_THREADS, NO_CLOCK, NO_CHANCE, NO_ASYNC],
    ),
    Room {
        place: "src/core",
        uses: &[
            "journal_format",
            "serde",
            "unicode_normalization",
            "xxhash_rust",
        ],
        never: &[
            NO_DISK, NO_SOCKET, NO_THREADS, NO_CLOCK, NO_TIME, NO_CHANCE, NO_ASYNC, NO_FLOATS,
            NO_JSON, NO_RUNTIME,
        ],
        tests_too: true,
    },
    room(
        "src/ports",
        &[
            "journal_format",
            "sync_core",
            "bytes",
            "futures",
            "thiserror",
        ],
        ENGINE,
    ),
    room(
        "src/executor",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "futures",
            "thiserror",
            "tracing",
            "blake3",
        ],
        ENGINE,
    ),
    room(
        "src/daemon",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::executor",
            "futures",
            "thiserror",
            "tracing",
        ],
        ENGINE,
    ),
    // Does the steps that a journal tells.
    room(
        "src/daemon/by_hand",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::executor",
            "pydio_sync::daemon",
            "pydio_sync::journal",
        ],
        ENGINE,
    ),
    // Where the daemon speaks to others: JSON appears here.
    room(
        "src/daemon/stream",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::daemon",
            "futures",
            "serde",
            "serde_json",
            "tracing",
        ],
        ENGINE,
    ),
    room(
        "src/daemon/commands",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::daemon",
            "pydio_sync::journal",
            "futures",
            "serde_json",
        ],
        ENGINE,
    ),
    // Looks at journals that others open: readers and writers are given to it.
    room(
        "src/journal",
        &[
            "journal_format",
            "sync_core",
            "blake3",
            "memchr",
            "serde",
            "serde_json",
            "thiserror",
        ],
        &[NO_CLOCK, NO_THREADS, NO_SOCKET, NO_OPENING, NO_RUNTIME],
    ),
    // The registries name the adapters beneath them and nothing else.
    room("src/adapters/mod", &["pydio_sync::adapters"], ADAPTER),
    room(
        "src/adapters/remote/mod",
        &[
            "journal_format",
            "pydio_sync::adapters::rooted",
            "pydio_sync::adapters::remote",
            "pydio_sync::adapters::secret",
            "pydio_sync::ports",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/remote/place",
        &["journal_format", "pydio_sync::adapters::secret"],
        ADAPTER,
    ),
    room(
        "src/adapters/remote/steps",
        &["journal_format", "pydio_sync::ports", "futures"],
        ADAPTER,
    ),
    room("src/adapters/secret", &["tokio", "zeroize"], ADAPTER),
    room(
        "src/adapters/credentials",
        &[
            "pydio_sync::adapters::secret",
            "keyring_core",
            "serde",
            "serde_json",
            "thiserror",
            "tracing",
            "zbus_secret_service_keyring_store",
            "zeroize",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/digest",
        &["journal_format", "blake3", "md5", "sha1"],
        ADAPTER,
    ),
    room(
        "src/adapters/clock",
        &[
            "journal_format",
            "pydio_sync::ports",
            "futures",
            "tokio",
            "rustix",
        ],
        ADAPTER,
    ),
    // Shared by whatever works beneath a folder without leaving it.
    room(
        "src/adapters/rooted",
        &[
            "pydio_sync::adapters::digest",
            "notify",
            "sync_core",
            "journal_format",
            "pydio_sync::ports",
            "blake3",
            "futures",
            "globset",
            "ignore",
            "rustix",
            "thiserror",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/local_fs",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::adapters::rooted",
            "blake3",
            "futures",
            "globset",
            "ignore",
            "notify",
            "rustix",
            "thiserror",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/remote/folder",
        &[
            "serde",
            "serde_json",
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::adapters::rooted",
            "blake3",
            "futures",
            "globset",
            "ignore",
            "notify",
            "rustix",
            "thiserror",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    // Shared by the remotes that speak HTTP.
    room(
        "src/adapters/http",
        &[
            "journal_format",
            "pydio_sync::ports",
            "pydio_sync::adapters::digest",
            "pydio_sync::adapters::remote",
            "bytes",
            "futures",
            // Answers that a test makes up.
            "http",
            "reqwest",
            "rustls",
            "tokio",
        ],
        ADAPTER,
    ),
    // The one remote that speaks to Pydio servers.
    room(
        "src/adapters/remote/pydio",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::adapters::digest",
            "pydio_sync::adapters::http",
            "pydio_sync::adapters::remote",
            "pydio_sync::adapters::rooted",
            "pydio_sync::adapters::secret",
            "blake3",
            "bytes",
            "futures",
            "hmac",
            "percent_encoding",
            "quick_xml",
            "reqwest",
            "rustls",
            "serde_json",
            "sha2",
            "tokio",
            "tracing",
            "unicode_normalization",
        ],
        ADAPTER,
    ),
    // The one remote that speaks to WebDAV servers.
    room(
        "src/adapters/remote/webdav",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::adapters::digest",
            "pydio_sync::adapters::http",
            "pydio_sync::adapters::remote",
            "pydio_sync::adapters::rooted",
            "pydio_sync::adapters::secret",
            "blake3",
            "bytes",
            "digest_auth",
            "futures",
            "httpdate",
            "memchr",
            "percent_encoding",
            "quick_xml",
            "reqwest",
            "serde_json",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/store",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::journal",
            "pydio_sync::ports",
            "blake3",
            "fjall",
            "futures",
            "rustix",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    room(
        "src/adapters/zmtp",
        &[
            "pydio_sync::ports",
            "bytes",
            "futures",
            "socket2",
            "thiserror",
            "tokio",
            "tracing",
        ],
        ADAPTER,
    ),
    // The composition roots may name everything; they hold no logic.
    room("src/cli", &["*"], &[]),
    room("src/main", &["*"], &[]),
    room("src/lib", &["*"], &[]),
    room(
        "proptests/src",
        &[
            "journal_format",
            "sync_core",
            "pydio_sync::ports",
            "pydio_sync::executor",
            "pydio_sync::daemon",
            "blake3",
            "futures",
            "proptest",
            // Whether two spellings are one name is judged apart from the core.
            "unicode_normalization",
        ],
        &[NO_CLOCK, NO_THREADS, NO_SOCKET, NO_OPENING, NO_RUNTIME],
    ),
    // Servers for tests: they know the wire and nothing of the program.
    room(
        "test-servers/src",
        &[
            "bytes",
            "crc32fast",
            "futures",
            "hmac",
            "http_body_util",
            "httpdate",
            "hyper",
            "hyper_util",
            "md5",
            "percent_encoding",
            "quick_xml",
            "rustls",
            "serde",
            "serde_json",
            "sha2",
            "tokio",
            "tokio_rustls",
            "unicode_normalization",
        ],
        &[NO_CLOCK, NO_PLANNER],
    ),
];
