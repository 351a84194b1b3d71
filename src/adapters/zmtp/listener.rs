//! Accepts connections and gives each a seat and a task.
//!
//! In: a bound listener, what to do with an arrival. Out: [`Serving`], whose drop ends
//! all of it. Invariants: never more connections than seats; a failing accept (no file
//! descriptors left) waits instead of spinning; a panic ends one connection only.

use super::slots::{Seat, Slots};
use socket2::{SockRef, TcpKeepalive};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// How long to wait after an accept that failed, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A peer whose machine has gone is noticed after about two minutes.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15));

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    /// Its address, for logs.
    pub(super) peer: String,
    pub(super) seat: Seat,
}

/// A listener at work; dropping it closes all of its connections.
#[derive(Debug)]
pub(super) struct Serving {
    slots: Arc<Slots>,
    accepting: JoinHandle<()>,
}

impl Serving {
    /// Starts to accept, in the current runtime.
    pub(super) fn start<F>(
        listener: TcpListener,
        seats_max: usize,
        attend: impl Fn(Arrival) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Slots::new(seats_max));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&slots), attend));
        Self { slots, accepting }
    }

    /// Returns the connections.
    pub(super) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<F>(listener: TcpListener, slots: Arc<Slots>, attend: impl Fn(Arrival) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Dropped with this future, and all connections with it.
    let mut connections = JoinSet::new();
    let mut pause = PAUSE_MIN;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    pause = PAUSE_MIN;
                    prepare(&stream);
                    // Who finds all seats in use is turned away here.
                    if let Some(seat) = slots.admit().await {
                        let peer = address.to_string();
                        connections.spawn(attend(Arrival { stream, peer, seat }));
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!("a connection ended in a fault: {error}");
                }
            }
        }
    }
}

/// Neither setting is needed for anything to be right.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_keepalive(&KEEPALIVE))
    {
        tracing::debug!("socket options: {error}");
    }
}
