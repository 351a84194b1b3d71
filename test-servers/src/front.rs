//! What stands between a client and a server: TLS, and a proxy.
//!
//! In: connections on a loopback port. Out: the same bytes to a server on another one.
//! Invariant: nothing is altered but what TLS and the first line of `CONNECT` ask for,
//! so the server behind is the one that is tested. Deliberately absent: keeping
//! connections apart by request: what was connected once stays connected.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::socket::{Listening, Running};

/// Something in front of a server, until it is dropped.
pub struct Front {
    port: u16,
    heads: Heads,
    _running: Running,
}

type Heads = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
enum Kind {
    Tls(TlsAcceptor, u16),
    Proxy(Heads),
}

impl Front {
    /// Speaks TLS with a certificate and its key, both PEM, before the server on a port.
    ///
    /// # Errors
    /// If they are none, or no port is free.
    pub fn tls(certificate: &[u8], key: &[u8], to: u16) -> io::Result<Self> {
        Self::tls_among(certificate, key, None, to)
    }

    /// The same for clients only that show a certificate signed by `clients`, PEM as well.
    ///
    /// # Errors
    /// As [`Self::tls`].
    pub fn tls_among(
        certificate: &[u8],
        key: &[u8],
        clients: Option<&[u8]>,
        to: u16,
    ) -> io::Result<Self> {
        let certificates = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(authority) {
                    let certificate = certificate.map_err(io::Error::other)?;
                    roots.add(certificate).map_err(io::Error::other)?;
                }
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                config.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
            }
        };
        let config = config
            .with_single_cert(certificates, key)
            .map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start(Kind::Tls(acceptor, to), Heads::default())
    }

    /// Leads on to wherever the first line of a connection says, by `CONNECT` as well.
    ///
    /// # Errors
    /// If no port is free.
    pub fn proxy() -> io::Result<Self> {
        let heads = Heads::default();
        Self::start(Kind::Proxy(Arc::clone(&heads)), heads)
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the connections of a proxy began with: the first request's line and headers.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        let heads = self.heads.lock();
        heads.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn start(kind: Kind, heads: Heads) -> io::Result<Self> {
        let listening = Listening::on(0)?;
        let port = listening.port();
        let running = listening.serve("front", move |stream| lead(kind.clone(), stream))?;
        Ok(Self {
            port,
            heads,
            _running: running,
        })
    }
}

async fn lead(kind: Kind, stream: TcpStream) {
    // Whoever is refused or leaves has its connection ended; that is all there is.
    drop(match kind {
        Kind::Tls(acceptor, to) => secured(&acceptor, stream, to).await,
        Kind::Proxy(heads) => proxied(stream, &heads).await,
    });
}

async fn secured(acceptor: &TlsAcceptor, stream: TcpStream, to: u16) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
    copy_bidirectional(&mut stream, &mut server).await.map(drop)
}

async fn proxied(mut stream: TcpStream, heads: &Heads) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    heads
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(text.clone());
    let mut words = text.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let place = target.strip_prefix("http://").unwrap_or(target);
    let place = place.split('/').next().unwrap_or(place);
    let mut server = TcpStream::connect(place).await?;
    if method == Some("CONNECT") {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        server.write_all(&head).await?;
    }
    copy_bidirectional(&mut stream, &mut server).await.map(drop)
}

const HEAD_BYTES_MAX: usize = 64 * 1024;
