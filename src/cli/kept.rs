//! Small files that the program keeps for itself in the state folder.
//!
//! In: a path. Out: its bytes, up to a bound. Invariant: nothing but a file is opened, since
//! opening a pipe waits for whoever writes into it. Deliberately absent: what a person
//! names, which may well be a pipe (`-f <(...)`), and writing. Leaves nothing behind.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

/// Reads a file up to a bound in bytes; what lies behind that is left out.
///
/// # Errors
/// It is not there, no file, or cannot be read.
pub(super) fn bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};

    #[test]
    fn a_pipe_is_no_file_and_a_file_is_read_up_to_its_bound() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (pipe, file) = (dir.path().join("pipe"), dir.path().join("file"));
        mkfifoat(CWD, &pipe, Mode::RWXU).expect("a pipe");
        std::fs::write(&file, b"0123456789").expect("written");
        assert!(bytes(&pipe, 4).is_err());
        assert_eq!(bytes(&file, 4).expect("read"), b"0123");
    }
}
