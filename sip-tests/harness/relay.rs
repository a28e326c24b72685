//! A TCP relay before the server that can be cut like a network.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running relay; its thread ends with the test process.
pub(crate) struct Relay {
    address: SocketAddr,
    line: Arc<Mutex<Line>>,
}

/// The network it stands for.
#[derive(Default)]
struct Line {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Relay {
    /// Passes everything on to `server`.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let line: Arc<Mutex<Line>> = Arc::default();
        let of_thread = line.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Locked until both ways stand, so that a cut ends them all.
                let mut line = lock(&of_thread);
                if line.cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (clone(from), clone(to));
                    line.open.push(clone(&from));
                    std::thread::spawn(move || pass(from, to));
                }
            }
        });
        Self { address, line }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks what is connected; what comes is closed at once.
    pub(crate) fn cut(&self) {
        let mut line = lock(&self.line);
        line.cut = true;
        for stream in line.open.drain(..) {
            let _gone = stream.shutdown(Shutdown::Both); // it may have ended by itself
        }
    }

    /// Connections are made again.
    pub(crate) fn mend(&self) {
        lock(&self.line).cut = false;
    }
}

fn lock(line: &Mutex<Line>) -> std::sync::MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a socket can be cloned")
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0u8; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Both); // the other way may have ended it
}
