//! Signals as orders to the driver: the first one stops cleanly, the second at once.

use crate::daemon::Control;
use futures::StreamExt;
use futures::stream::LocalBoxStream;
use tokio::signal::unix::{SignalKind, signal};

/// Starts to listen for SIGINT and SIGTERM.
pub(super) fn orders() -> std::io::Result<LocalBoxStream<'static, Control>> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let stream = futures::stream::unfold(
        (interrupt, terminate),
        |(mut interrupt, mut terminate)| async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            Some((Control::Stop, (interrupt, terminate)))
        },
    );
    Ok(stream.boxed_local())
}
