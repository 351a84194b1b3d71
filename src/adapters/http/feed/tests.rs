//! When a line counts as silent. Time is paused: it passes while everybody waits.

use super::super::content::tests::content;
use super::*;
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use journal_format::event::FailureClass;

const SILENCE: Duration = Duration::from_secs(20);

/// Sends so many bytes over a line that pauses as it is told after each 64 KiB, for ever
/// where it is told nothing, and answers at the end.
fn sent(
    bytes: usize,
    per_second: Option<u64>,
    gate: LocalBoxFuture<'_, PortResult<()>>,
    pause: impl Fn(usize) -> Option<Duration>,
) -> PortResult<u16> {
    let text = vec![7; bytes];
    let mut content = content(bytes as u64, &text, 1 << 20, false);
    content.guard(gate);
    let load = Load {
        head: Bytes::new(),
        content: &mut content,
        length: bytes as u64,
        tail: Bytes::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(async {
        let (mut slices, feeder) = slices();
        let line = async {
            let mut number = 0;
            while let Some(Ok(slice)) = slices.next().await {
                for _ in 0..slice.len().div_ceil(PIECE_BYTES) {
                    match pause(number) {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => std::future::pending().await,
                    }
                    number += 1;
                }
            }
            Ok(Reply::refused())
        };
        let rate = Bucket::new(per_second);
        let answer = feeder.watch(line, load, &rate, SILENCE).await;
        answer.map(|reply| reply.status)
    })
}

const AT_ONCE: fn(usize) -> Option<Duration> = |_| Some(Duration::ZERO);

/// A last look that takes so long.
fn after(time: Duration) -> LocalBoxFuture<'static, PortResult<()>> {
    let look = async move {
        tokio::time::sleep(time).await;
        Ok(())
    };
    look.boxed_local()
}

#[test]
fn what_takes_its_time_on_our_side_is_no_silence() {
    let quick = after(Duration::ZERO);
    assert_eq!(sent(200_000, Some(1000), quick, AT_ONCE), Ok(401));
    assert_eq!(sent(200_000, None, after(9 * SILENCE), AT_ONCE), Ok(401));
}

#[test]
fn nothing_is_waited_for_between_the_last_look_and_the_last_bytes() {
    let (looked, gone) = (Cell::new(None), Cell::new(None));
    let look = async {
        looked.set(Some(Instant::now()));
        Ok(())
    };
    let slices = 200_000_usize.div_ceil(PIECE_BYTES);
    let line = |number| {
        if number == slices - 1 {
            gone.set(Some(Instant::now()));
        }
        Some(Duration::ZERO)
    };
    let sent = sent(200_000, Some(1000), look.boxed_local(), line);
    assert_eq!(sent, Ok(401));
    let later = gone
        .get()
        .zip(looked.get())
        .map(|(gone, looked)| gone - looked);
    assert!(later.is_some_and(|later| later < QUICK), "{later:?}");
}

#[test]
fn a_line_that_becomes_slow_in_the_middle_is_not_silent() {
    let slow = |number| {
        Some(if number < 100 {
            Duration::ZERO
        } else {
            SILENCE / 2
        })
    };
    assert_eq!(sent(12 << 20, None, after(Duration::ZERO), slow), Ok(401));
}

#[test]
fn a_line_that_stands_still_is_given_up_and_in_doubt_after_the_last_byte() {
    let class = |stop: usize| {
        let line = move |number| (number < stop).then_some(Duration::ZERO);
        let sent = sent(12 << 20, None, after(Duration::ZERO), line);
        sent.expect_err("silence").class
    };
    assert_eq!(class(0), FailureClass::Retry);
    assert_eq!(class(100), FailureClass::Retry);
    assert_eq!(class((12 << 20) / PIECE_BYTES - 1), FailureClass::InDoubt);
}
