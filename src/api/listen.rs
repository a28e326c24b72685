//! The HTTP port's connections, in the clear or in TLS. Handshakes go on beside accepting, bounded in
//! number and in time, so that a slow one holds up nobody. A connection whose other end stops taking what it is sent is
//! broken off: an answer on its way may hold a recording's key, or much memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};

/// Handshakes under way at once; who comes when there are so many waits in the system's queue.
const MAX_HANDSHAKES: usize = 128;
/// A handshake takes at most this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Who takes nothing of what is sent for so long is gone, or holds on to it for another reason.
const STALLED: Duration = Duration::from_secs(60);
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
    shaking: JoinSet<Option<(Patient, Ends)>>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, address: SocketAddr, secure: Option<Secure>) -> Self {
        let room = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        Self { listener, address, secure, room, shaking: JoinSet::new() }
    }
}

impl Listener for Door {
    type Io = Patient;
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
            let Some(secure) = &self.secure else { return (Patient::new(Box::new(stream)), ends) };
            // Only this loop takes permits, and it has seen that there is one.
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { continue };
            let shake = secure(stream);
            self.shaking.spawn(async move {
                let _permit = permit;
                match timeout(HANDSHAKE, shake).await {
                    Ok(Ok(stream)) => Some((Patient::new(stream), ends)),
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

/// A connection that waits for its other end, but not for ever.
pub(super) struct Patient {
    stream: Box<dyn Octets>,
    patience: Duration,
    /// Runs while something waits to be taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: Box<dyn Octets>) -> Self {
        Self { stream, patience: STALLED, stalled: None }
    }

    fn told<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "what was sent is not taken")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.told(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.told(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.told(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.told(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_broken_off() {
        let (ours, _theirs) = duplex(16);
        let mut patient = Patient { patience: Duration::from_millis(10), ..Patient::new(Box::new(ours)) };
        let told = timeout(Duration::from_secs(20), patient.write_all(&[7; 200])).await;
        assert_eq!(told.expect("no wait for ever").expect_err("not taken").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_a_little_is_waited_for_anew() {
        let (ours, mut theirs) = duplex(16);
        let mut patient = Patient::new(Box::new(ours));
        let mut some = [0; 4];
        assert_eq!(patient.write(&[7; 200]).await.expect("there is room"), 16);
        for _ in 0..3 {
            assert!(poll!(std::pin::pin!(patient.write(&[7; 4]))).is_pending());
            assert!(patient.stalled.is_some(), "it waits");
            theirs.read_exact(&mut some).await.expect("there is something");
            assert_eq!(patient.write(&[7; 4]).await.expect("there is room again"), 4);
            assert!(patient.stalled.is_none(), "and waits no more");
        }
    }
}
