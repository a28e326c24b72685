//! The HTTP port's connections, in the clear or in TLS. Handshakes go on beside accepting, bounded in
//! number and in time, so that a slow one holds up nobody.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Handshakes under way at once; who comes when there are so many waits in the system's queue.
const MAX_HANDSHAKES: usize = 128;
/// A handshake takes at most this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// When accepting fails (no descriptors left), before it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Octets both ways, whatever carries them.
pub trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

/// Makes TLS of an accepted connection.
pub type Secure = Arc<dyn Fn(TcpStream) -> BoxFuture<'static, io::Result<Box<dyn Octets>>> + Send + Sync>;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
}

impl Connected<IncomingStream<'_, Door>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// Where connections come in.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    secure: Option<Secure>,
    room: Arc<Semaphore>,
    shaking: JoinSet<Option<(Box<dyn Octets>, Ends)>>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, address: SocketAddr, secure: Option<Secure>) -> Self {
        let room = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        Self { listener, address, secure, room, shaking: JoinSet::new() }
    }
}

impl Listener for Door {
    type Io = Box<dyn Octets>;
    type Addr = Ends;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.room.available_permits() > 0;
            let (stream, remote) = tokio::select! {
                Some(shaken) = self.shaking.join_next() => match shaken {
                    Ok(Some(ready)) => return ready,
                    Ok(None) | Err(_) => continue,
                },
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "accepting an HTTP connection");
                        sleep(ACCEPT_AGAIN).await;
                        continue;
                    }
                },
            };
            let ends = Ends { local: stream.local_addr().unwrap_or(self.address), remote };
            let Some(secure) = &self.secure else { return (Box::new(stream), ends) };
            // Only this loop takes permits, and it has seen that there is one.
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { continue };
            let shake = secure(stream);
            self.shaking.spawn(async move {
                let _permit = permit;
                match timeout(HANDSHAKE, shake).await {
                    Ok(Ok(stream)) => Some((stream, ends)),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, %remote, "an HTTPS handshake failed");
                        None
                    }
                    Err(_) => None,
                }
            });
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Ends { local: self.address, remote: self.address })
    }
}
