//! Signals as orders: the first SIGINT or SIGTERM stops cleanly, the second at once;
//! SIGHUP has the daemon read its jobs again.

use crate::daemon::Control;
use crate::daemon::supervisor::Signal;
use futures::StreamExt;
use futures::stream::LocalBoxStream;
use std::cell::Cell;
use std::rc::Rc;
use tokio::signal::unix::{SignalKind, signal};

/// Starts to listen for SIGINT and SIGTERM. The flag tells whether one came.
pub(super) fn orders() -> std::io::Result<(LocalBoxStream<'static, Control>, Rc<Cell<bool>>)> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let came = Rc::new(Cell::new(false));
    let flag = Rc::clone(&came);
    let stream = futures::stream::unfold(
        (interrupt, terminate, flag),
        |(mut interrupt, mut terminate, flag)| async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            flag.set(true);
            Some((Control::Stop, (interrupt, terminate, flag)))
        },
    );
    Ok((stream.boxed_local(), came))
}

/// Starts to listen for SIGINT, SIGTERM and SIGHUP.
pub(super) fn signals() -> std::io::Result<LocalBoxStream<'static, Signal>> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let hangup = signal(SignalKind::hangup())?;
    let stream = futures::stream::unfold(
        (interrupt, terminate, hangup),
        |(mut interrupt, mut terminate, mut hangup)| async {
            let signal = tokio::select! {
                _ = interrupt.recv() => Signal::Stop,
                _ = terminate.recv() => Signal::Stop,
                _ = hangup.recv() => Signal::Reload,
            };
            Some((signal, (interrupt, terminate, hangup)))
        },
    );
    Ok(stream.boxed_local())
}
