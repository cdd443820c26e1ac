//! The listening socket and the thread that accepts.
//!
//! One thread accepts for all router cores and deals the connections out in turn. glommio's own
//! listener would do without it, but only by `SO_REUSEPORT`: then another server on the port goes
//! unnoticed, a few long-lived senders may all land on one core, and an accept that is still in the
//! ring keeps the port open after the listener is gone.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use rustix::net::Shutdown;

/// Accepted connections that wait for their core to take them.
const WAITING_MAX: usize = 1024;
/// Rest after a failed accept, most likely for want of file descriptors.
const FAILURE_REST: Duration = Duration::from_millis(50);

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

/// A bound socket: from here on clients may connect, though nobody answers yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds, on any thread. Port 0 becomes a free port.
    pub fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        TcpListener::bind(address)
            .and_then(|socket| Ok(Self { address: socket.local_addr()?, socket }))
            .map_err(|source| ListenError::new(address, source))
    }

    /// The address with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to accept for so many cores. The thread ends when a core closes its [`Incoming`].
    pub fn start(self, cores: usize) -> io::Result<Vec<Incoming>> {
        assert!(cores > 0, "somebody must take the connections");
        let socket = Arc::new(self.socket);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..cores).map(|_| async_channel::bounded(WAITING_MAX)).unzip();
        let accepting = Arc::clone(&socket);
        std::thread::Builder::new().name("accept".into()).spawn(move || accept_all(&accepting, &senders))?;
        Ok(receivers.into_iter().map(|receiver| Incoming { socket: Arc::clone(&socket), receiver }).collect())
    }
}

/// The connections dealt to one core.
#[derive(Debug, Clone)]
pub struct Incoming {
    socket: Arc<TcpListener>,
    receiver: Receiver<TcpStream>,
}

impl Incoming {
    /// The next connection; `None` when there will be no more.
    pub(super) async fn next(&self) -> Option<TcpStream> {
        self.receiver.recv().await.ok()
    }

    /// Ends accepting for all cores; later connections are refused by the system.
    pub(super) fn close(&self) {
        // Makes the thread's accept return. Fails only when another core was faster.
        let _ = rustix::net::shutdown(&*self.socket, Shutdown::Both);
        self.receiver.close();
        // Connections that were dealt but not taken would wait for an answer that never comes.
        while self.receiver.try_recv().is_ok() {}
    }
}

fn accept_all(socket: &TcpListener, cores: &[Sender<TcpStream>]) {
    for (number, accepted) in socket.incoming().enumerate() {
        match accepted {
            Ok(stream) => {
                if !deal(stream, cores, number) {
                    return;
                }
            }
            // How a socket answers that was shut down.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                std::thread::sleep(FAILURE_REST);
            }
        }
    }
}

/// Gives a connection to the core whose turn it is, or the next that has room; `false` when the
/// cores take no more.
fn deal(stream: TcpStream, cores: &[Sender<TcpStream>], turn: usize) -> bool {
    let mut stream = stream;
    for core in cores.iter().cycle().skip(turn % cores.len()).take(cores.len()) {
        match core.try_send(stream) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => return false,
            Err(TrySendError::Full(back)) => stream = back,
        }
    }
    // All are far behind: more connections wait in the system's own queue.
    cores.get(turn % cores.len()).is_some_and(|core| core.send_blocking(stream).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_in_words() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(first.address().port(), 0);
        let error = Listener::bind(first.address()).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("--listen"), "{error}");
        let error = Listener::bind("192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("not an address of this machine"), "{error}");
    }

    #[test]
    fn connections_that_nobody_took_end_with_the_listener() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let cores = listener.start(1).unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        while cores[0].receiver.is_empty() {
            std::thread::yield_now();
        }
        cores[0].close();
        let ended = std::io::Read::read(&mut client, &mut [0]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }

    #[test]
    fn connections_are_dealt_in_turn_until_a_core_closes() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let cores = listener.start(3).unwrap();
        let clients: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
        for (index, client) in clients.iter().enumerate() {
            let dealt = cores[index % 3].receiver.recv_blocking().unwrap();
            assert_eq!(dealt.peer_addr().unwrap(), client.local_addr().unwrap());
        }
        cores[1].close();
        assert!(TcpStream::connect(address).is_err());
        assert!(cores[0].receiver.recv_blocking().is_err(), "the thread ended and its channels with it");
    }
}
