//! Datagram sockets, read by the one task that owns the endpoint. STUN requests on them are answered here.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::task::Poll;

use bytes::Bytes;
use metrics::counter;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::sip::core::{Flow, StunQuota, Transport, stun};
use crate::time::Timestamp;

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
    // A wildcard socket is told which of our addresses each datagram came to (RFC 3542 §6.1).
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
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
    /// For what the system tells of a datagram beside its octets.
    control: Vec<u8>,
    stun: StunQuota,
}

impl Sockets {
    pub(super) fn new(sockets: Vec<UdpSocket>) -> Self {
        let with_address = |socket: UdpSocket| {
            let address = socket.local_addr().ok()?;
            Some((socket, address))
        };
        let sockets = sockets.into_iter().filter_map(with_address).collect();
        let control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
        let (buffer, stun) = (vec![0; MAX_DATAGRAM], StunQuota::default());
        Self { sockets, first: 0, buffer, control, stun }
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
    pub(super) fn receive(&mut self, most: usize, now: Timestamp, mut take: impl FnMut(Flow, Bytes)) {
        let count = self.sockets.len();
        let share = most.div_ceil(count.max(1));
        self.first = (self.first + 1) % count.max(1);
        for at in (0..count).map(|n| (n + self.first) % count) {
            let (socket, bound) = &self.sockets[at];
            for _ in 0..share {
                match receive_one(socket, *bound, &mut self.buffer, &mut self.control) {
                    Ok((length, local, remote)) => {
                        let datagram = &self.buffer[..length];
                        let flow = Flow { transport: Transport::Udp, local, remote, connection: 0 };
                        if stun::is_stun(datagram) {
                            if self.stun.takes(remote.ip(), now)
                                && let Some(answer) = stun::respond(datagram, remote)
                            {
                                counter!("sayso_sip_stun_total").increment(1);
                                self.send(flow, &answer);
                            }
                        } else if !is_keep_alive(datagram) {
                            take(flow, Bytes::copy_from_slice(datagram));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // What an earlier datagram of ours met; the socket is as good as before.
                    Err(error) => tracing::debug!(%error, local = %bound, "receiving a datagram"),
                }
            }
        }
    }

    /// Sends at once or not at all: SIP sends again what gets lost. An answer leaves from the address that
    /// was asked; a request to an address of our choosing from any socket of the family.
    pub(super) fn send(&self, flow: Flow, bytes: &[u8]) {
        let of_family = |bound: &SocketAddr| bound.is_ipv4() == flow.remote.is_ipv4();
        let exact = self.sockets.iter().find(|(_, bound)| *bound == flow.local);
        let wildcard = || {
            let port = flow.local.port();
            let holds = |bound: &SocketAddr| bound.ip().is_unspecified() && bound.port() == port;
            self.sockets.iter().find(|(_, bound)| holds(bound) && of_family(bound))
        };
        let any = || self.sockets.iter().find(|(_, bound)| of_family(bound));
        let Some((socket, bound)) = exact.or_else(wildcard).or_else(any) else {
            counter!("sayso_sip_send_failed_total", "transport" => "udp").increment(1);
            tracing::warn!(remote = %flow.remote, "no UDP socket of this address family");
            return;
        };
        if let Err(error) = send_one(socket, *bound, flow, bytes) {
            counter!("sayso_sip_send_failed_total", "transport" => "udp").increment(1);
            tracing::debug!(%error, local = %bound, remote = %flow.remote, "sending a datagram");
        }
    }
}

/// Takes a datagram: its length, the address of ours it came to, and where it is from.
fn receive_one(
    socket: &UdpSocket,
    bound: SocketAddr,
    buffer: &mut [u8],
    control: &mut [u8],
) -> io::Result<(usize, SocketAddr, SocketAddr)> {
    if !bound.ip().is_unspecified() {
        let (length, remote) = socket.try_recv_from(buffer)?;
        return Ok((length, bound, remote));
    }
    socket.try_io(Interest::READABLE, || {
        let mut into = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut into, Some(control), flags)?;
        let remote = got.address.as_ref().and_then(address_of).ok_or(io::ErrorKind::InvalidData)?;
        let mut local = bound;
        for message in got.cmsgs()? {
            if let ControlMessageOwned::Ipv4PacketInfo(info) = message {
                local.set_ip(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into());
            } else if let ControlMessageOwned::Ipv6PacketInfo(info) = message {
                local.set_ip(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
        }
        Ok((got.bytes, local, remote))
    })
}

fn send_one(socket: &UdpSocket, bound: SocketAddr, flow: Flow, bytes: &[u8]) -> io::Result<()> {
    let from = flow.local.ip();
    let no_choice = from.is_unspecified() || flow.local.port() != bound.port();
    if !bound.ip().is_unspecified() || no_choice || from.is_ipv4() != bound.is_ipv4() {
        return socket.try_send_to(bytes, flow.remote).map(|_| ());
    }
    let sent = socket.try_io(Interest::WRITABLE, || {
        let (to, octets) = (SockaddrStorage::from(flow.remote), [IoSlice::new(bytes)]);
        let send = |from: &[ControlMessage<'_>]| {
            sendmsg(socket.as_raw_fd(), &octets, from, MsgFlags::MSG_DONTWAIT, Some(&to))
        };
        let sent = match from {
            IpAddr::V4(from) => {
                let s_addr = u32::from(from).to_be();
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                send(&[ControlMessage::Ipv4PacketInfo(&info)])
            }
            IpAddr::V6(from) => {
                let ipi6_addr = libc::in6_addr { s6_addr: from.octets() };
                let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
                send(&[ControlMessage::Ipv6PacketInfo(&info)])
            }
        };
        Ok(sent?)
    });
    match sent {
        // The address we are told to leave from is not ours: a contact behind a NAT. The system chooses.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EINVAL)) => {
            socket.try_send_to(bytes, flow.remote).map(|_| ())
        }
        sent => sent.map(|_| ()),
    }
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
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
