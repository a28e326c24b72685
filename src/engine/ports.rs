//! The port range: even/odd pairs, bound in the calling thread, given back when their sockets close.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::EngineError;
use super::socket::{Sockets, bind, bind_shared};

/// The free pairs, longest free first: a port is used again as late as can be, so that packets of an
/// old call do not reach a new one.
#[derive(Debug)]
pub(super) struct Ports {
    address: IpAddr,
    pairs: usize,
    /// Even ports.
    free: Mutex<VecDeque<u16>>,
    /// Ports that WebRTC legs share, taken for as long as the engine runs.
    shared: AtomicUsize,
}

/// A pair that is taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    ports: Arc<Ports>,
    even: u16,
}

impl Ports {
    /// All pairs of `range`, in an order that differs from start to start.
    pub(super) fn new(address: IpAddr, range: RangeInclusive<u16>) -> Result<Self, EngineError> {
        let (first, last) = (*range.start(), *range.end());
        let mut free: Vec<u16> = (first.max(2)..last).filter(|port| port % 2 == 0).collect();
        if free.is_empty() {
            return Err(EngineError::NoPairs { first, last });
        }
        let order = RandomState::new();
        free.sort_by_cached_key(|port| order.hash_one(port));
        Ok(Self { address, pairs: free.len(), free: Mutex::new(free.into()), shared: AtomicUsize::new(0) })
    }

    /// Binds the next free pair. A pair that another process holds goes to the end of the line.
    pub(super) fn open_pair(self: &Arc<Self>) -> Result<Sockets, EngineError> {
        for _ in 0..self.pairs {
            let Some(lease) = self.take() else { break };
            let even = SocketAddr::new(self.address, lease.even);
            let odd = SocketAddr::new(self.address, lease.even + 1);
            let bound = bind(even).map_err(|e| (even, e)).and_then(|rtp| {
                let rtcp = bind(odd).map_err(|e| (odd, e))?;
                Ok((rtp, rtcp))
            });
            match bound {
                Ok((rtp, rtcp)) => return Ok(Sockets::new(rtp, rtcp, lease)),
                Err((_, error)) if error.kind() == ErrorKind::AddrInUse => {}
                Err((address, source)) => return Err(EngineError::Socket { address, source }),
            }
        }
        Err(EngineError::PortsExhausted { in_use: self.in_use() })
    }

    /// Binds the even port of the next free pair, for many peers; the odd one stays unused.
    pub(super) fn open_shared(self: &Arc<Self>) -> Result<(UdpSocket, Lease), EngineError> {
        for _ in 0..self.pairs {
            let Some(lease) = self.take() else { break };
            let address = SocketAddr::new(self.address, lease.even);
            match bind_shared(address) {
                Ok(socket) => {
                    self.shared.fetch_add(1, Ordering::Relaxed);
                    return Ok((socket, lease));
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(source) => return Err(EngineError::Socket { address, source }),
            }
        }
        Err(EngineError::PortsExhausted { in_use: self.in_use() })
    }

    /// Binds this port for many peers, whether it is one of the range or not.
    pub(super) fn open_fixed(&self, port: u16) -> Result<UdpSocket, EngineError> {
        let address = SocketAddr::new(self.address, port);
        bind_shared(address).map_err(|source| EngineError::Socket { address, source })
    }

    /// Pairs that live legs hold. A shared port is no leg's.
    pub(super) fn in_use(&self) -> usize {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).len();
        // A shared port is taken before it is counted here.
        (self.pairs - free).saturating_sub(self.shared.load(Ordering::Relaxed))
    }

    fn take(self: &Arc<Self>) -> Option<Lease> {
        let even = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some(Lease { ports: Arc::clone(self), even })
    }
}

impl Lease {
    pub(super) fn even(&self) -> u16 {
        self.even
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ports.free.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.even);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::rig::own_loopback;
    use std::net::UdpSocket;

    #[test]
    fn a_port_given_back_is_used_again_last() {
        let ports = Arc::new(Ports::new(own_loopback(), 21_000..=21_007).unwrap());
        let first = ports.open_pair().unwrap();
        let port = first.rtp_port();
        assert_eq!(port % 2, 0);
        drop(first);
        assert_eq!(ports.in_use(), 0);
        let taken: Vec<_> = (0..4).map(|_| ports.open_pair().unwrap()).collect();
        assert_eq!(taken[3].rtp_port(), port);
        assert!(matches!(ports.open_pair(), Err(EngineError::PortsExhausted { in_use: 4 })));
    }

    #[test]
    fn pairs_held_by_others_are_passed_over() {
        let other = UdpSocket::bind((own_loopback(), 21_013)).unwrap();
        let ports = Arc::new(Ports::new(own_loopback(), 21_012..=21_015).unwrap());
        assert_eq!(ports.open_pair().unwrap().rtp_port(), 21_014);
        drop(other);
    }

    #[test]
    fn a_range_without_a_pair_is_refused() {
        assert!(matches!(Ports::new(own_loopback(), 20_001..=20_002), Err(EngineError::NoPairs { .. })));
        assert_eq!(Ports::new(own_loopback(), 20_001..=20_003).unwrap().pairs, 1);
        assert_eq!(Ports::new(own_loopback(), 0..=u16::MAX).unwrap().pairs, 32_767);
    }
}
