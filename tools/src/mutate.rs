//! Feeds mutated conversations to a parser, for as long as one likes.
//!
//! In: a parser, seconds, a seed. Out: the first input that breaks a promise, as a line
//! of hexadecimal digits, or how many inputs held. Invariants checked: no panic, the
//! same result whatever the chunks, memory that follows the bytes that came. The
//! properties beside the parsers check the same with shrinking; this looks longer.
//! The next one: a variant of [`Target`] with its samples and its check.

mod journal;

use pydio_sync::adapters::zmtp::{Caps, Event, Session, SocketType, Violation};
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
}

impl Target {
    fn samples(self) -> Vec<Vec<u8>> {
        match self {
            Self::Zmtp => samples(),
            Self::Envelope | Self::Decoder => journal::samples("bin"),
            Self::Portable => journal::samples("pydiojournal"),
        }
    }

    /// Gives how far an input was understood, or which promise was broken.
    fn check(self, input: &[u8], seed: u64) -> Result<usize, String> {
        match self {
            Self::Zmtp => check(input, seed),
            Self::Envelope => journal::envelope(input),
            Self::Decoder => journal::fields(input),
            Self::Portable => journal::portable(input, seed),
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
                mutate(&mut input, &pool, &mut chance);
            }
            input.truncate(journal::INPUT_BYTES_MAX);
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

const CAPS: Caps = Caps {
    part_bytes_max: 300,
    message_bytes_max: 500,
    parts_max: 4,
    ready_bytes_max: 128,
    command_bytes_max: 64,
};

#[derive(PartialEq, Eq)]
struct Heard {
    events: Vec<Event>,
    sent: Vec<u8>,
    violation: Option<Violation>,
}

/// Feeds an input to each kind of socket, whole and in chunks. Gives how many events
/// came of it at most, or which promise was broken.
fn check(input: &[u8], seed: u64) -> Result<usize, String> {
    let mut depth = 0;
    for socket in [
        SocketType::Pub,
        SocketType::Router,
        SocketType::Sub,
        SocketType::Req,
    ] {
        let whole = hear(socket, input, || usize::MAX)?;
        let mut chance = Chance(seed);
        let chunked = hear(socket, input, || 1 + chance.below(40))?;
        let single = hear(socket, input, || 1)?;
        if whole != chunked || whole != single {
            return Err(format!("{socket:?} hears something else in chunks"));
        }
        if whole.sent.len() > 64 + 128 + input.len() {
            return Err(format!("{socket:?} sends more than it was sent"));
        }
        depth = depth.max(whole.events.len());
    }
    Ok(depth)
}

fn hear(
    socket: SocketType,
    input: &[u8],
    mut chunk: impl FnMut() -> usize,
) -> Result<Heard, String> {
    let mut sent = Vec::new();
    let mut session = Session::new(socket, CAPS, &mut sent);
    let mut events = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (mut now, later) = rest.split_at(chunk().min(rest.len()));
        rest = later;
        loop {
            match session.next(&mut now, &mut sent) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => {
                    let violation = Some(violation);
                    return Ok(Heard {
                        events,
                        sent,
                        violation,
                    });
                }
            }
        }
        let fed = input.len() - rest.len();
        let bound = CAPS.message_bytes_max + CAPS.part_bytes_max + 32 * CAPS.parts_max;
        if session.held_bytes() > bound.min(2 * fed + 256) {
            return Err(format!("{socket:?} holds {} bytes", session.held_bytes()));
        }
    }
    let violation = None;
    Ok(Heard {
        events,
        sent,
        violation,
    })
}

/// One conversation for each kind of peer.
const SAMPLES: usize = 4;

fn samples() -> Vec<Vec<u8>> {
    let talk: [(&str, &[u8]); SAMPLES] = [
        (
            "SUB",
            b"\x04\x0b\x09SUBSCRIBEa\x00\x02\x01b\x04\x08\x06CANCELa\x00\x02\x00b",
        ),
        (
            "DEALER",
            b"\x01\x00\x00\x02hi\x00\x02hi\x04\x0a\x04PING\x00\x64abc\x01\x01a\x01\x00\x00\x01b",
        ),
        (
            "PUB",
            b"\x01\x05topic\x01\x08\0\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x05words\x00\x06status",
        ),
        (
            "ROUTER",
            b"\x01\x00\x00\x02hi\x04\x06\x04PONGa\x04\x05\x04JOIN",
        ),
    ];
    talk.map(|(socket, rest)| {
        let mut bytes = vec![0; 64];
        bytes[0] = 0xFF;
        bytes[9] = 0x7F;
        bytes[10] = 3;
        bytes[12..16].copy_from_slice(b"NULL");
        let name = u8::try_from(socket.len()).expect("short");
        bytes.extend_from_slice(&[4, 22 + name]);
        bytes.extend_from_slice(b"\x05READY\x0bSocket-Type\0\0\0");
        bytes.push(name);
        bytes.extend_from_slice(socket.as_bytes());
        bytes.extend_from_slice(rest);
        bytes
    })
    .to_vec()
}

/// Changes one thing, mostly behind the handshake.
fn mutate(input: &mut Vec<u8>, pool: &[Vec<u8>], chance: &mut Chance) {
    let from = if chance.below(4) == 0 { 0 } else { 92 };
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
