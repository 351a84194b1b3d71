//! Signals as orders to the driver: the first one stops cleanly, the second at once.

use crate::daemon::Control;
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
