//! Values that are parsed once and never raw afterwards.
//!
//! In: text and numbers from disks, servers and journal files. Out: types whose
//! existence proves that they are well formed. Invariant: no value here can name
//! a place outside a root, and each has a bound on its size. Deliberately absent:
//! IO, time sources, platform types. A crash leaves nothing behind. A new value
//! gets a file of its own and a line here.

mod digest;
mod fingerprint;
mod limits;
mod path;
mod policy;
mod seq;
mod side;

pub use digest::{Digest, DigestKind, bytes_of};
pub use fingerprint::{Entry, Fingerprint, Identity, Kind, RemoteVersion, VersionError};
pub use limits::{
    CHANGES_MAX, FACTS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, TEXT_BYTES_MAX, VERSION_BYTES_MAX,
};
pub use path::{PathError, RelPath};
pub use policy::{Brakes, Direction, Mode, Policy, Solve};
pub use seq::{Seq, Timestamp};
pub use side::Side;
