//! Bounds of every variable-sized value, in bytes.

/// The longest name of one path component (POSIX `NAME_MAX` on Linux).
pub const NAME_BYTES_MAX: usize = 255;
/// The longest relative path (POSIX `PATH_MAX` less the terminator).
pub const PATH_BYTES_MAX: usize = 4095;
/// The longest remote version (an entity tag or a revision).
pub const VERSION_BYTES_MAX: usize = 512;
/// The most facts that one event holds.
pub const FACTS_MAX: usize = 64;
/// The most changes of the local folder that one event tells of.
pub const CHANGES_MAX: usize = 64;
/// The longest free text in an event: labels, error details, names of people.
pub const TEXT_BYTES_MAX: usize = 4096;
