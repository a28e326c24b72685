//! When a datagram arrived, by the kernel's clock: what the generator's own threads do meanwhile is in no delay.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

/// Longer than this nothing lies in a socket that is read all the time: the wall clock was set.
const LONGEST: u64 = 10_000_000_000;

/// Asks the kernel to note when datagrams arrive.
pub(crate) fn stamp(socket: &UdpSocket) -> io::Result<()> {
    Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
}

/// What arrived.
pub(crate) struct Arrived {
    pub(crate) length: usize,
    pub(crate) from: SocketAddr,
    /// Nanoseconds that it has lain in the socket.
    pub(crate) age: u64,
}

/// Room for what the kernel says beside a datagram.
pub(crate) fn room() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec)
}

/// Takes a datagram if there is one. `room` is of [`room`].
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8], room: &mut [u8]) -> Option<Arrived> {
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    // Nothing there, or an ICMP error that tells of an earlier packet: that one is missed where it is counted.
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(room), flags).ok()?;
    let from = address(message.address.as_ref()?)?;
    let stamp = message.cmsgs().ok()?.find_map(|told| {
        if let ControlMessageOwned::ScmTimestampns(at) = told {
            Some(nanos(at.tv_sec(), at.tv_nsec()))
        } else {
            None
        }
    });
    let length = message.bytes;
    let now = clock_gettime(ClockId::Realtime);
    let age = nanos(now.tv_sec, now.tv_nsec).saturating_sub(stamp?);
    Some(Arrived { length, from, age: if age < LONGEST { age } else { 0 } })
}

fn nanos(seconds: i64, nanos: i64) -> u64 {
    seconds.unsigned_abs() * 1_000_000_000 + nanos.unsigned_abs()
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|at| SocketAddr::from((at.ip(), at.port())));
    v4.or_else(|| storage.as_sockaddr_in6().map(|at| SocketAddr::from((at.ip(), at.port()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_ages_while_it_lies_in_the_socket() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        stamp(&socket).expect("the kernel notes arrivals");
        let at = socket.local_addr().expect("an address");
        let (mut buffer, mut room) = ([0; 64], room());
        assert!(receive(&socket, &mut buffer, &mut room).is_none(), "nothing was sent");
        let before = clock_gettime(ClockId::Realtime);
        socket.send_to(b"hello", at).expect("loopback");
        let arrived = receive(&socket, &mut buffer, &mut room).expect("it is there");
        let after = clock_gettime(ClockId::Realtime);
        let most = nanos(after.tv_sec, after.tv_nsec) - nanos(before.tv_sec, before.tv_nsec);
        assert_eq!((arrived.length, arrived.from), (5, at));
        assert!(arrived.age > 0 && arrived.age <= most, "{} of {most} ns", arrived.age);
    }
}
