//! The one source of chance.
//!
//! In: a seed. Out: numbers, the same ones for the same seed on every machine.
//! Invariant: nothing else in this package is random; watched by running every
//! seed twice. Deliberately absent: entropy of the system, floating point.
//! A crash of the simulated process does not touch it. A new kind of draw is a
//! method here.

/// A seeded generator (SplitMix64, after S. Vigna's public domain text).
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

/// How often something happens: `hits` times in `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// How many times.
    pub hits: u32,
    /// In how many tries; never 0.
    pub of: u32,
}

impl Ratio {
    /// Never.
    pub const NEVER: Self = Self { hits: 0, of: 1 };
    /// Each time.
    pub const ALWAYS: Self = Self { hits: 1, of: 1 };

    /// Once in `of` tries.
    #[must_use]
    pub const fn one_in(of: u32) -> Self {
        Self { hits: 1, of }
    }
}

impl Rng {
    /// Starts from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`; 0 when `limit` is 0.
    pub const fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        if limit == 0 {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below a usize")]
        let number = (self.bits() % limit) as usize;
        number
    }

    /// Tells whether something of this rate happens now.
    pub const fn chance(&mut self, ratio: Ratio) -> bool {
        ratio.hits > 0 && self.bits() % (ratio.of as u64) < ratio.hits as u64
    }

    /// Picks one of several.
    ///
    /// # Panics
    /// When there is nothing to pick from.
    pub const fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = self.below(choices.len());
        &choices[at]
    }

    /// Starts an independent generator.
    pub const fn fork(&mut self) -> Self {
        Self::new(self.bits())
    }
}
