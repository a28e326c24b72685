//! Accepting connections, and the handshakes that come before SIP: bounded in number, also for each
//! source, and in time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::connections::Inbound;
use super::link::{Link, tune};
use super::tls::Certificates;
use super::web;
use crate::sip::core::Transport;

/// Connections the system keeps for us until we accept them.
const BACKLOG: i32 = 1_024;
/// When accepting fails (no descriptors left), before it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Handshakes under way at once; each holds a few ten kB.
const MAX_HANDSHAKES: usize = 512;
/// Of these from one address: a NAT's users that all come back at once, but not all there is room for.
const MAX_FROM_ONE: usize = 64;

/// A socket that accepts, and its address.
pub(super) fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Lets a restarted server bind while old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// What accepted connections need before they can speak SIP.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) inbound: mpsc::Sender<Inbound>,
    pub(super) certificates: Certificates,
    pub(super) origins: Arc<[String]>,
    pub(super) handshakes: Handshakes,
    pub(super) patience: Duration,
}

/// Accepts until the stack ends.
pub(super) async fn accept(listener: TcpListener, address: SocketAddr, transport: Transport, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                // On a wildcard socket each connection has an address of its own.
                let local = stream.local_addr().unwrap_or(address);
                tune(&stream);
                if !door.enter(stream, transport, local, remote).await {
                    return;
                }
            }
            Err(error) => {
                counter!("sayso_sip_accept_failed_total").increment(1);
                tracing::warn!(%error, %address, "accepting a SIP connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

impl Door {
    /// Takes a connection in, after its handshake if it has one, which goes on by itself. `false`: the
    /// stack has ended.
    async fn enter(
        &self,
        stream: TcpStream,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> bool {
        if matches!(transport, Transport::Tcp | Transport::Udp) {
            return self
                .inbound
                .send(Inbound::Accepted { link: Link::Tcp(stream), local, remote })
                .await
                .is_ok();
        }
        let Some(ticket) = self.handshakes.begin(remote.ip()) else {
            counter!("sayso_sip_connections_refused_total").increment(1);
            return !self.inbound.is_closed();
        };
        let door = self.clone();
        tokio::spawn(async move {
            let shaken = timeout(door.patience, door.shake(stream, transport)).await;
            drop(ticket);
            match shaken {
                Ok(Ok(link)) => {
                    let _ = door.inbound.send(Inbound::Accepted { link, local, remote }).await;
                }
                Ok(Err(error)) => {
                    counter!("sayso_sip_handshakes_failed_total", "transport" => transport.param())
                        .increment(1);
                    tracing::debug!(%error, %remote, ?transport, "a handshake failed");
                }
                Err(_) => {
                    counter!("sayso_sip_handshakes_failed_total", "transport" => transport.param())
                        .increment(1);
                    tracing::debug!(%remote, ?transport, "a handshake took too long");
                }
            }
        });
        true
    }

    async fn shake(&self, stream: TcpStream, transport: Transport) -> io::Result<Link> {
        Ok(match transport {
            Transport::Udp | Transport::Tcp => Link::Tcp(stream),
            Transport::Tls => {
                let acceptor = self.certificates.acceptor().ok_or(io::ErrorKind::NotFound)?;
                Link::Tls(Box::new(acceptor.accept(stream).await?.into()))
            }
            Transport::Ws => web::accept(Box::new(stream), &self.origins, false).await?,
            Transport::Wss => {
                let acceptor = self.certificates.web_acceptor().ok_or(io::ErrorKind::NotFound)?;
                let stream = acceptor.accept(stream).await?;
                web::accept(Box::new(stream), &self.origins, true).await?
            }
        })
    }
}

/// The handshakes under way. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Handshakes(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until dropped.
pub(super) struct Ticket {
    handshakes: Handshakes,
    source: IpAddr,
}

impl Handshakes {
    /// `None`: there are too many.
    fn begin(&self, source: IpAddr) -> Option<Ticket> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // At most MAX_HANDSHAKES entries are there to be summed.
        if sources.values().sum::<usize>() >= MAX_HANDSHAKES {
            return None;
        }
        let count = sources.entry(source).or_default();
        if *count >= MAX_FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Ticket { handshakes: self.clone(), source })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut sources = self.handshakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_bounded_for_each_source_and_for_all() {
        let handshakes = Handshakes::default();
        let from = |n: u16| IpAddr::from([10, 0, (n >> 8) as u8, n as u8]);
        let one: Vec<_> = (0..MAX_FROM_ONE).map(|_| handshakes.begin(from(0)).unwrap()).collect();
        assert!(handshakes.begin(from(0)).is_none());
        let others: Vec<_> = (1..).map_while(|n| handshakes.begin(from(n))).collect();
        assert_eq!(one.len() + others.len(), MAX_HANDSHAKES);
        drop(one);
        assert!(handshakes.begin(from(0)).is_some());
        drop(others);
        assert!(handshakes.0.lock().unwrap().is_empty());
    }
}
