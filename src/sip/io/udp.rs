//! Datagram sockets, read by the one task that owns the endpoint.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use bytes::Bytes;
use metrics::counter;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::sip::core::{Flow, Transport};

/// Socket buffers in bytes, as far as the system allows: about 4,000 INVITEs, so that a burst while
/// the task works is not lost.
const BUFFER: usize = 4 << 20;
/// DSCP CS3, for signalling (RFC 4594 §2.3), as the byte it is part of.
const CS3: u32 = 24 << 2;
/// The longest datagram.
const MAX_DATAGRAM: usize = 65_535;

/// Binds a socket.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Smaller buffers than wished for are the system's choice and no reason not to start.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    mark(&SockRef::from(&socket), address);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Marks a socket's packets as signalling. Where that is not allowed they go unmarked.
pub(super) fn mark(socket: &SockRef<'_>, address: SocketAddr) {
    let marked = if address.is_ipv6() { socket.set_tclass_v6(CS3) } else { socket.set_tos_v4(CS3) };
    if let Err(error) = marked {
        tracing::debug!(%error, "SIP packets go without DSCP");
    }
}

/// All datagram sockets.
pub(super) struct Sockets {
    sockets: Vec<(UdpSocket, SocketAddr)>,
    /// Which one is asked first; it moves on, so that a busy one does not starve the others.
    first: usize,
    buffer: Vec<u8>,
}

impl Sockets {
    pub(super) fn new(sockets: Vec<UdpSocket>) -> Self {
        let with_address = |socket: UdpSocket| {
            let address = socket.local_addr().ok()?;
            Some((socket, address))
        };
        let sockets = sockets.into_iter().filter_map(with_address).collect();
        Self { sockets, first: 0, buffer: vec![0; MAX_DATAGRAM] }
    }

    pub(super) fn local(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(_, address)| *address)
    }

    /// Waits until some socket has a datagram; for ever if there is no socket.
    pub(super) async fn readable(&self) {
        poll_fn(|cx| {
            let ready = |(socket, _): &(UdpSocket, _)| socket.poll_recv_ready(cx).is_ready();
            // Every socket is polled, so that each knows whom to wake.
            if self.sockets.iter().map(ready).fold(false, |any, ready| any | ready) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Takes up to `most` datagrams that are there now.
    pub(super) fn receive(&mut self, most: usize, mut take: impl FnMut(Flow, Bytes)) {
        let count = self.sockets.len();
        let share = most.div_ceil(count.max(1));
        self.first = (self.first + 1) % count.max(1);
        for at in (0..count).map(|n| (n + self.first) % count) {
            let (socket, local) = &self.sockets[at];
            for _ in 0..share {
                match socket.try_recv_from(&mut self.buffer) {
                    Ok((length, remote)) => {
                        let datagram = &self.buffer[..length];
                        if !is_keep_alive(datagram) {
                            let flow =
                                Flow { transport: Transport::Udp, local: *local, remote, connection: 0 };
                            take(flow, Bytes::copy_from_slice(datagram));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // What an earlier datagram of ours met; the socket is as good as before.
                    Err(error) => tracing::debug!(%error, %local, "receiving a datagram"),
                }
            }
        }
    }

    /// Sends at once or not at all: SIP sends again what gets lost.
    pub(super) fn send(&self, flow: Flow, bytes: &[u8]) {
        let same = self.sockets.iter().find(|(_, local)| *local == flow.local);
        // A request to an address of our choosing comes from any socket of the family.
        let family = || self.sockets.iter().find(|(_, local)| local.is_ipv4() == flow.remote.is_ipv4());
        let Some((socket, local)) = same.or_else(family) else {
            counter!("sayso_sip_send_failed_total", "transport" => "udp").increment(1);
            tracing::warn!(remote = %flow.remote, "no UDP socket of this address family");
            return;
        };
        if let Err(error) = socket.try_send_to(bytes, flow.remote) {
            counter!("sayso_sip_send_failed_total", "transport" => "udp").increment(1);
            tracing::debug!(%error, %local, remote = %flow.remote, "sending a datagram");
        }
    }
}

/// What phones send to keep a NAT's mapping open: line breaks or a zero byte, or nothing.
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_are_marked_and_have_room() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = bind(address.parse().unwrap()) else {
                assert!(address.starts_with('['), "a host may lack IPv6, not IPv4");
                continue;
            };
            let socket = SockRef::from(&socket);
            let mark = if address.starts_with('[') { socket.tclass_v6() } else { socket.tos_v4() };
            assert_eq!(mark.unwrap(), 0x60);
            assert!(socket.recv_buffer_size().unwrap() >= 200_000);
        }
    }

    #[test]
    fn keep_alives_are_no_messages() {
        assert!(is_keep_alive(b"\r\n\r\n") && is_keep_alive(b"") && is_keep_alive(b"\0"));
        assert!(!is_keep_alive(b"\r\nOPTIONS"));
    }
}
