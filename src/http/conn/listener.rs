//! The listening socket.
//!
//! glommio binds with `SO_REUSEPORT`, by which the router cores share one port; it would as silently
//! share it with another server. So the port is checked before the first core binds it.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use glommio::net::{TcpListener, TcpStream};

/// How long to wait for somebody who may listen on our address.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Why nobody can listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    #[error(
        "address {address} is in use by another program; stop it or choose another address with --listen"
    )]
    InUse { address: SocketAddr },
    #[error(
        "no permission to listen on {address}; choose a port above 1023 with --listen or grant CAP_NET_BIND_SERVICE"
    )]
    Denied { address: SocketAddr },
    #[error("{address} is not an address of this machine; choose another with --listen")]
    NotOurs { address: SocketAddr },
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Other { address: SocketAddr, source: io::Error },
}

impl ListenError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::Denied { address },
            io::ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            _ => Self::Other { address, source },
        }
    }
}

/// Checks that nobody else listens on `address` and returns it, with a free port in the place of
/// port 0. Works on any thread.
pub fn check_address(address: SocketAddr) -> Result<SocketAddr, ListenError> {
    match std::net::TcpListener::bind(address) {
        Ok(listener) => listener.local_addr().map_err(|source| ListenError::new(address, source)),
        // Connections of a server that has just gone linger without `SO_REUSEADDR` and look like a
        // user of the port. They do not answer.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match StdStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(address),
                _ => Err(ListenError::InUse { address }),
            }
        }
        Err(error) => Err(ListenError::new(address, error)),
    }
}

/// A listening socket of one router core.
pub struct Listener {
    inner: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds on the calling core. Check the address first, see [`check_address`].
    pub fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let bound = TcpListener::bind(address)
            .and_then(|inner| inner.local_addr().map(|address| Self { inner, address }));
        bound.map_err(|error| ListenError::new(address, io::Error::from(error)))
    }

    /// The address with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        self.inner.accept().await.map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_and_a_free_one_is_found() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check_address(other.local_addr().unwrap()).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("--listen"), "{error}");
        let free = check_address("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(free.port(), 0);
        let error = check_address("192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("not an address of this machine"), "{error}");
    }
}
