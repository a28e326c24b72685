//! A leg's sockets. RTP is received on a bound socket; once the peer is sure, a twin on the same port
//! is connected to it.
//!
//! Why a twin: sending on a connected socket costs about 14 % less, but a connected socket hears
//! nobody else, and strangers must be seen to be counted. With both, the system hands the peer's
//! packets to the twin and all others to the bound socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{Domain, Protocol, Socket, Type};

use super::ports::Lease;

/// Expedited forwarding (RFC 3246), as the DS field holds it: 46 << 2.
const DSCP_EF: u32 = 46 << 2;
/// Octets asked for in the receive buffer; the system doubles it for its own bookkeeping. About two
/// seconds of 20 ms packets; more would only keep audio that is too old to be of use.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// The same for a port that many legs share: 200 ms of 2,500 of them.
const SHARED_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The sockets of a leg. Closed first, then the port pair is given back.
#[derive(Debug)]
pub(super) struct Sockets {
    twin: Option<UdpSocket>,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    lease: Lease,
}

impl Sockets {
    pub(super) fn new(rtp: UdpSocket, rtcp: UdpSocket, lease: Lease) -> Self {
        Self { twin: None, rtp, rtcp, lease }
    }

    pub(super) fn rtp_port(&self) -> u16 {
        self.lease.even()
    }

    pub(super) fn rtp(&self) -> &UdpSocket {
        &self.rtp
    }

    pub(super) fn rtcp(&self) -> &UdpSocket {
        &self.rtcp
    }

    pub(super) fn twin(&self) -> Option<&UdpSocket> {
        self.twin.as_ref()
    }

    /// Connects a twin to the peer; its descriptor is to be watched for packets.
    pub(super) fn connect(&mut self, peer: SocketAddr) -> io::Result<BorrowedFd<'_>> {
        let local = self.rtp.local_addr()?;
        // Reuse is allowed only while the twin is bound, so that no other process shares the port.
        let rtp = socket2::SockRef::from(&self.rtp);
        rtp.set_reuse_address(true)?;
        let twin = bind_with(local, true);
        rtp.set_reuse_address(false)?;
        let twin = twin?;
        twin.connect(peer)?;
        socket2::SockRef::from(&twin).set_reuse_address(false)?;
        let twin: &UdpSocket = self.twin.insert(twin);
        Ok(twin.as_fd())
    }

    /// Closes the twin: the peer may change.
    pub(super) fn disconnect(&mut self) {
        self.twin = None;
    }

    /// Receives a datagram of the peer's; `None` without a twin. By the system call itself, as what is sent: libc
    /// prepares each for the cancelling of threads, which there is not.
    pub(super) fn receive_twin(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let received = recv(self.twin.as_ref()?, buffer, RecvFlags::empty());
        Some(received.map(|(len, _)| len).map_err(io::Error::from))
    }

    /// Sends RTP to `peer`.
    pub(super) fn send_rtp(&self, packet: &[u8], peer: SocketAddr) -> io::Result<usize> {
        match &self.twin {
            Some(twin) => Ok(send(twin, packet, SendFlags::empty())?),
            None => self.rtp.send_to(packet, peer),
        }
    }
}

/// A non-blocking UDP socket bound to `address`, marked as voice.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    bind_with(address, false)
}

/// One for many peers: its receive buffer is large, whatever the system's limit if we may go past that.
pub(super) fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind_with(address, false)?;
    let wanted = SHARED_RECEIVE_BUFFER;
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, wanted).is_err() {
        let socket = socket2::SockRef::from(&socket);
        socket.set_recv_buffer_size(wanted)?;
        // The system doubles what it grants.
        let granted = socket.recv_buffer_size()? / 2;
        if granted < wanted {
            tracing::info!(granted, wanted, "WebRTC receive buffer is small: raise net.core.rmem_max");
        }
    }
    Ok(socket)
}

fn bind_with(address: SocketAddr, reuse: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if reuse {
        socket.set_reuse_address(true)?;
    }
    match address {
        SocketAddr::V4(_) => socket.set_tos_v4(DSCP_EF)?,
        SocketAddr::V6(_) => socket.set_tclass_v6(DSCP_EF)?,
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::Ports;
    use crate::engine::tests::rig::own_loopback;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn packets_are_marked_for_expedited_forwarding() {
        let ports = Arc::new(Ports::new(own_loopback(), 21_020..=21_021).unwrap());
        let sockets = ports.open_pair().unwrap();
        assert_eq!(socket2::SockRef::from(sockets.rtp()).tos_v4().unwrap(), 0xB8);
    }

    #[test]
    fn the_twin_hears_the_peer_and_the_bound_socket_hears_strangers() {
        let ports = Arc::new(Ports::new(own_loopback(), 21_022..=21_023).unwrap());
        let mut sockets = ports.open_pair().unwrap();
        let peer = UdpSocket::bind((own_loopback(), 0)).unwrap();
        let stranger = UdpSocket::bind((own_loopback(), 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        sockets.connect(peer.local_addr().unwrap()).unwrap();
        for socket in [sockets.twin().unwrap(), sockets.rtp()] {
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        }

        let to = (own_loopback(), 21_022);
        stranger.send_to(b"stranger", to).unwrap();
        peer.send_to(b"peer", to).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(sockets.twin().unwrap().recv(&mut buffer).unwrap(), 4);
        assert_eq!(sockets.rtp().recv(&mut buffer).unwrap(), 8);

        sockets.send_rtp(b"answer", peer.local_addr().unwrap()).unwrap();
        let (len, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"answer"[..], to.into()));
        assert!(UdpSocket::bind(to).is_err(), "no other socket may share the port");
    }
}
