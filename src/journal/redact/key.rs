//! The secret of one export, and what is made of it.
//!
//! In: bytes and what they are. Out: letters and numbers that nobody without the key can
//! lead back or guess. Invariant: the same bytes give the same result within one export,
//! and another in the next one. Deliberately absent: where the key comes from.

/// A key that is never written anywhere.
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Fills bytes. `what` keeps the pseudonyms of different things apart.
    pub(super) fn fill(&self, what: &str, bytes: &[u8], out: &mut [u8]) {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(what.as_bytes());
        hasher.update(&[0]);
        hasher.update(bytes);
        hasher.finalize_xof().fill(out);
    }

    pub(super) fn bytes<const N: usize>(&self, what: &str, bytes: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        self.fill(what, bytes, &mut out);
        out
    }

    pub(super) fn number(&self, what: &str, bytes: &[u8]) -> u64 {
        u64::from_le_bytes(self.bytes(what, bytes))
    }

    /// Replaces a number that means something to nobody but its origin; 0, which stands
    /// for none, stays.
    pub(super) fn renumbered(&self, what: &str, number: u64) -> u64 {
        match number {
            0 => 0,
            number => self.number(what, &number.to_le_bytes()).max(1),
        }
    }

    /// Returns small letters.
    pub(super) fn letters(&self, what: &str, bytes: &[u8], count: usize) -> String {
        let mut out = vec![0; count];
        self.fill(what, bytes, &mut out);
        out.into_iter()
            .map(|byte| char::from(b'a' + byte % 26))
            .collect()
    }
}
