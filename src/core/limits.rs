//! Every bound and every fixed time of the engine.

/// Version of the fold: changed whenever the same journal folds differently.
pub const FOLD_VERSION: u32 = 6;
/// Version of the merge rules that new journals begin with.
pub const RULES_VERSION: u32 = 1;
/// Operations in flight at once.
pub const OPEN_OPERATIONS_MAX: usize = 2048;
/// Bytes of transfers in flight at once, beyond which no further one starts.
pub const OPEN_BYTES_MAX: u64 = 256 << 20;
/// How long a file must have been left alone before it is transferred, in ms.
pub const SETTLE_MS: i64 = 500;
/// Tries after which a single run gives an item up and reports it.
pub const TRIES_MAX: u32 = 3;
/// The first wait after a failure, in ms; doubled with each further one.
pub const BACKOFF_FIRST_MS: i64 = 1_000;
/// The longest wait after a failure, in ms.
pub const BACKOFF_MAX_MS: i64 = 300_000;
/// The first wait after a failure that only a person can mend, in ms.
pub const BACKOFF_LASTING_MS: i64 = 300_000;
/// The longest wait after such a failure, in ms.
pub const BACKOFF_LASTING_MAX_MS: i64 = 86_400_000;
/// The window of the deletion brake, in ms.
pub const BRAKE_WINDOW_MS: i64 = 3_600_000;
/// Below this many known entries an emptied root is not a reason to halt.
pub const EMPTIED_ENTRIES_MIN: u64 = 2;
/// Bytes of an error's detail that are journaled.
pub const DETAIL_BYTES_MAX: usize = 1_000;

const _: () = assert!(BACKOFF_FIRST_MS < BACKOFF_MAX_MS, "waits grow");
const _: () = assert!(
    DETAIL_BYTES_MAX <= journal_format::value::TEXT_BYTES_MAX,
    "it must fit"
);
