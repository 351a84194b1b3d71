//! Feeds mutated inputs to a parser, for as long as one likes.
//!
//! In: a parser, seconds, a seed. Out: the first input that breaks a promise, as a line
//! of hexadecimal digits, or how many inputs held. Invariant checked for all: no panic;
//! the others are each target's. The properties beside the parsers check the same with
//! shrinking; this looks longer. The next one: a variant of [`Target`], and a file with
//! its samples and its check.

mod journal;
mod text;
mod zmtp;

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What to feed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which parser.
    target: Target,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where to begin; the same seed gives the same inputs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Target {
    /// The sockets' protocol.
    Zmtp,
    /// A journal's record, as it comes.
    Envelope,
    /// A record's fields, behind a checksum that is right.
    Decoder,
    /// A journal as a file.
    Portable,
    /// A small journal as text.
    Fixture,
    /// What another release planned, for `journal compare`.
    Compare,
}

impl Target {
    fn samples(self) -> Vec<Vec<u8>> {
        match self {
            Self::Zmtp => zmtp::samples(),
            Self::Envelope | Self::Decoder => journal::samples("bin"),
            Self::Portable => journal::samples("pydiojournal"),
            Self::Fixture => text::fixtures(),
            Self::Compare => text::outputs(),
        }
    }

    /// Bytes at the beginning that are mostly left as they are, since nothing behind them
    /// is looked at otherwise.
    const fn head_bytes(self) -> usize {
        match self {
            Self::Zmtp => zmtp::HANDSHAKE_BYTES,
            Self::Envelope | Self::Decoder | Self::Portable | Self::Fixture | Self::Compare => 0,
        }
    }

    /// Gives how far an input was understood, or which promise was broken.
    fn check(self, input: &[u8], seed: u64) -> Result<usize, String> {
        match self {
            Self::Zmtp => zmtp::check(input, seed),
            Self::Envelope => journal::envelope(input),
            Self::Decoder => journal::fields(input),
            Self::Portable => journal::portable(input, seed),
            Self::Fixture => text::fixture(input),
            Self::Compare => text::output(input),
        }
    }
}

/// Runs until the time is over or a promise is broken.
#[expect(clippy::print_stdout, reason = "a command")]
#[expect(clippy::disallowed_methods, reason = "tools measure")]
pub(crate) fn run(args: &Args) -> ExitCode {
    let target = args.target;
    let mut chance = Chance(args.seed);
    let mut pool = target.samples();
    let kept = pool.len();
    let began = Instant::now();
    let (mut inputs, mut bytes) = (0_u64, 0_u64);
    while began.elapsed() < Duration::from_secs(args.seconds) {
        for _ in 0..256 {
            let mut input = pool[chance.below(pool.len())].clone();
            for _ in 0..=chance.below(6) {
                mutate(&mut input, target.head_bytes(), &pool, &mut chance);
            }
            input.truncate(INPUT_BYTES_MAX);
            let held = std::panic::catch_unwind(|| target.check(&input, args.seed ^ inputs));
            let depth = match held {
                Ok(Ok(depth)) => depth,
                Ok(Err(broken)) => return report(&input, &broken),
                Err(_) => return report(&input, "a panic"),
            };
            inputs += 1;
            bytes += input.len() as u64;
            // Inputs that get far are where the next ones start from.
            if depth > 3 && chance.below(64) == 0 {
                let place = chance.below(512);
                match pool.get_mut(place) {
                    Some(old) if place >= kept => *old = input,
                    Some(_) => {}
                    None => pool.push(input),
                }
            }
        }
    }
    println!(
        "{inputs} inputs, {bytes} bytes, seed {}: all held",
        args.seed
    );
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "a command")]
fn report(input: &[u8], broken: &str) -> ExitCode {
    let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{broken}: {digits}");
    ExitCode::FAILURE
}

/// Changes one thing, mostly behind the head.
fn mutate(input: &mut Vec<u8>, head: usize, pool: &[Vec<u8>], chance: &mut Chance) {
    let from = if chance.below(4) == 0 { 0 } else { head };
    let place = (from + chance.below(input.len().saturating_sub(from).max(1))).min(input.len());
    let odd = [0, 1, 2, 3, 4, 6, 7, 8, 0x7F, 0x80, 0xFE, 0xFF];
    match chance.below(7) {
        0 if place < input.len() => input[place] ^= 1 << chance.below(8),
        1 if place < input.len() => input[place] = odd[chance.below(odd.len())],
        2 => input.insert(place, odd[chance.below(odd.len())]),
        3 => {
            let end = (place + 1 + chance.below(8)).min(input.len());
            input.drain(place.min(end)..end);
        }
        4 => {
            let end = (place + chance.below(64)).min(input.len());
            let again = input[place..end].to_vec();
            input.extend_from_slice(&again);
        }
        5 => {
            let other = &pool[chance.below(pool.len())];
            let start = chance.below(other.len().max(1)).min(other.len());
            input.truncate(place);
            input.extend_from_slice(&other[start..]);
        }
        _ => {
            let length = (1_u64 << chance.below(64)).wrapping_sub(chance.next() & 1);
            let frame = [&[2 | (chance.next() as u8 & 5)][..], &length.to_be_bytes()].concat();
            input.splice(place..place, frame);
        }
    }
}

/// A sequence of numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

const INPUT_BYTES_MAX: usize = 4096;
