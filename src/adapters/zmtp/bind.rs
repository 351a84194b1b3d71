//! Opens the two sockets of a daemon.
//!
//! In: where and on which ports. Out: [`Sockets`], or a [`BindError`] that says what
//! is in the way. Invariant: nothing but this machine can connect unless that was
//! asked for in so many words. Deliberately absent: writing down which ports were
//! taken, which is the state directory's business.

use super::holder;
use super::limits::Limits;
use super::publisher::PubSocket;
use super::router::CommandSocket;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// What the system may buffer for a connection, each way. It comes on top of our own
/// queues, and the system's default grows to megabytes for each peer.
const SYSTEM_BUFFER_BYTES: u32 = 256 << 10;
/// How many pairs of free ports are tried before giving up.
const PAIRS_TRIED: usize = 64;

/// Where to listen, and within which bounds.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen at.
    pub address: IpAddr,
    /// Whether others than this machine may connect: without it, any other address
    /// than a loopback one is refused. The channel is neither encrypted nor
    /// authenticated.
    pub expose: bool,
    /// Which ports.
    pub port: Port,
    /// Bounds of the publishing socket.
    pub publishing: Limits,
    /// Bounds of the command socket.
    pub commands: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            expose: false,
            port: Port::Auto,
            publishing: Limits::publishing(),
            commands: Limits::commands(),
        }
    }
}

/// Which ports to listen on: always two in a row, the first one publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This one and the next.
    Fixed(u16),
    /// Any two that are free.
    Auto,
}

/// Why the sockets could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Something else listens there.
    #[error("port {port} is in use{}", by(.holder.as_deref()))]
    Taken {
        /// The port.
        port: u16,
        /// Who has it, as far as this user can see.
        holder: Option<String>,
    },
    /// The address is not this machine's alone, and that was not allowed.
    #[error("{0} can be reached from other machines, and the channel is not encrypted")]
    Exposed(IpAddr),
    /// There is no such pair of ports.
    #[error("port {0} cannot be used: it and the next one are needed")]
    NoPair(u16),
    /// No two free ports in a row were found.
    #[error("no two free ports in a row were found")]
    NoneFree,
    /// Anything else.
    #[error("cannot listen at {address}: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

fn by(holder: Option<&str>) -> String {
    holder.map_or_else(String::new, |holder| format!(", by {holder}"))
}

/// The two sockets of a daemon.
#[derive(Debug)]
pub struct Sockets {
    /// The port that publishes; the next one takes commands.
    pub port: u16,
    /// Publishes.
    pub publisher: PubSocket,
    /// Takes commands.
    pub commands: CommandSocket,
}

impl Sockets {
    /// Opens both sockets and serves them by tasks of the current runtime, until
    /// they are dropped.
    ///
    /// # Errors
    /// See [`BindError`]; nothing is left open.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(options: Options) -> Result<Self, BindError> {
        if !options.expose && !options.address.is_loopback() {
            return Err(BindError::Exposed(options.address));
        }
        let (port, first, second) = match options.port {
            Port::Fixed(port) => pair(options.address, port)?,
            Port::Auto => free_pair(options.address)?,
        };
        Ok(Self {
            port,
            publisher: PubSocket::new(first, options.publishing),
            commands: CommandSocket::new(second, options.commands),
        })
    }

    /// Gives what was published and answered a moment to leave, then closes.
    pub async fn finish(self, within: Duration) {
        let all_sent = async {
            self.publisher.drained().await;
            self.commands.slots().rested().await;
        };
        // Whoever has not read until then does without.
        let _in_time = timeout(within, all_sent).await;
    }
}

fn pair(address: IpAddr, port: u16) -> Result<(u16, TcpListener, TcpListener), BindError> {
    let next = port.checked_add(1).filter(|_| port > 0);
    let next = next.ok_or(BindError::NoPair(port))?;
    let first = listen(SocketAddr::new(address, port))?;
    let second = listen(SocketAddr::new(address, next))?;
    Ok((port, first, second))
}

fn free_pair(address: IpAddr) -> Result<(u16, TcpListener, TcpListener), BindError> {
    // Those whose neighbour is taken are held meanwhile, or they might come again.
    let mut passed_over = Vec::new();
    for _ in 0..PAIRS_TRIED {
        let at = SocketAddr::new(address, 0);
        let first = listen(at)?;
        let port = first
            .local_addr()
            .map_err(|source| BindError::Io {
                address: at,
                source,
            })?
            .port();
        match port
            .checked_add(1)
            .map(|next| listen(SocketAddr::new(address, next)))
        {
            Some(Ok(second)) => return Ok((port, first, second)),
            Some(Err(BindError::Taken { .. })) | None => passed_over.push(first),
            Some(Err(error)) => return Err(error),
        }
    }
    Err(BindError::NoneFree)
}

fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let listening = socket.and_then(|socket| {
        // Ports of connections that ended a moment ago are free again.
        socket.set_reuseaddr(true)?;
        socket.set_send_buffer_size(SYSTEM_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(SYSTEM_BUFFER_BYTES)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    });
    listening.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => BindError::Taken {
            port: address.port(),
            holder: holder::of_port(address.port()),
        },
        _ => BindError::Io { address, source },
    })
}
