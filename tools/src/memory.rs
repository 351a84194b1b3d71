//! What a process has of the memory, as the kernel tells.
//!
//! In: this process or a child. Out: KiB, resident now or at most so far. Invariant: what
//! cannot be read is nothing, never zero. Deliberately absent: sampling.

/// Whose memory.
#[derive(Clone, Copy)]
pub(crate) enum Process {
    /// This one's.
    Own,
    /// That of the child with this id.
    Child(u32),
}

impl Process {
    /// Resident memory in KiB.
    pub(crate) fn resident_kib(self) -> Option<u64> {
        in_status(&self.status()?, "VmRSS:")
    }

    /// The most that was resident so far, in KiB.
    pub(crate) fn peak_kib(self) -> Option<u64> {
        in_status(&self.status()?, "VmHWM:")
    }

    fn status(self) -> Option<String> {
        let path = match self {
            Self::Own => "/proc/self/status".to_owned(),
            Self::Child(id) => format!("/proc/{id}/status"),
        };
        std::fs::read_to_string(path).ok()
    }
}

fn in_status(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_status_file() {
        let status = "Name:\tx\nVmHWM:\t    3184 kB\n";
        assert_eq!(in_status(status, "VmHWM:"), Some(3184));
        assert_eq!(in_status(status, "VmRSS:"), None);
        // Not compared: other tests of this process take memory between two readings.
        assert!(Process::Own.resident_kib() > Some(0));
        assert!(Process::Own.peak_kib() > Some(0));
    }
}
