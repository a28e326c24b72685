//! `sayso-load floor`: the least that a relay with recording can cost on this machine, for the ratio in `bench`. A bare
//! loop in a process of its own: sockets connected to their peers, all read on a 2 ms grid, each packet sent on with a new
//! header; both sides decoded into one buffer, which is sealed (AES-256-GCM) and appended to a file every 160 ms. No SIP,
//! no checks, no jitter, no reports.

mod generator;

use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::event::{Timespec, epoll};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::clock_gettime;
use sayso::media::g711::ALAW_TO_PCM;

use crate::report::Report;

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Calls relayed at once.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) calls: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 20)]
    pub(crate) hold: u64,
    /// Print JSON instead of a table, or write it to this file.
    #[arg(long, num_args = 0..=1, value_name = "FILE")]
    pub(crate) json: Option<Option<PathBuf>>,
    /// Be the relay (which the command starts for itself).
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub(crate) here: Option<PathBuf>,
}

const FRAME: usize = 160;
const HEADER: usize = 12;
/// Bytes of 160 ms of both sides.
const CHUNK: usize = 8 * FRAME * 4;
const GRID: u64 = 2_000_000;

/// Measures; what the relay used stands in the report as a server's.
pub(crate) fn floor(options: &Options) -> Result<Report> {
    let dir = std::env::temp_dir().join(format!("sayso-floor-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let mut relay = Relay::start(options.calls, &dir)?;
    generator::run(options, &mut relay)
}

/// The relay's process; its folder goes with it.
struct Relay {
    child: Child,
    /// Its ports, of call 0's caller, call 0's agent, call 1's caller, …
    ports: Vec<u16>,
    dir: PathBuf,
}

impl Relay {
    fn start(calls: u32, dir: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor", "--calls", &calls.to_string(), "--here"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its output")?;
        std::io::BufReader::new(stdout).read_line(&mut line)?;
        let ports = serde_json::from_str(&line).context("the relay does not start")?;
        Ok(Self { child, ports, dir: dir.to_owned() })
    }

    /// Tells it where packets go, in the order of its ports; it begins.
    fn begin(&mut self, peers: &[u16]) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("its input")?;
        writeln!(stdin, "{}", serde_json::to_string(peers)?)?;
        Ok(stdin.flush()?)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // For this run only; errors mean it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One recorded call.
struct Call {
    /// Samples of both sides, as they are written.
    chunk: Vec<u8>,
    chunks: u32,
    file: std::fs::File,
}

/// The relay itself: until its input ends.
pub(crate) fn relay(calls: u32, dir: &Path) -> Result<()> {
    // Refused: the delays are that much longer.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    let sockets: Vec<UdpSocket> = (0..calls * 2)
        .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<_>>()
        .context("sockets: raise the limit of open files (ulimit -n)")?;
    let ports: Vec<u16> =
        sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect::<std::io::Result<_>>()?;
    println!("{}", serde_json::to_string(&ports)?);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let peers: Vec<u16> = serde_json::from_str(&line).context("the peers' ports")?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for ((n, socket), peer) in (0u64..).zip(&sockets).zip(peers) {
        socket.connect((Ipv4Addr::LOCALHOST, peer))?;
        socket.set_nonblocking(true)?;
        epoll::add(&epoll, socket, epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    std::thread::spawn(move || {
        // Whatever comes, and if nothing can come any more: it is over.
        let _ = std::io::stdin().read_line(&mut String::new());
        told.store(true, Relaxed);
    });
    let open = |n: u32| std::fs::File::create(dir.join(format!("{n}.rec")));
    let mut recorded: Vec<Call> = (0..calls)
        .map(|n| Ok(Call { chunk: vec![0; CHUNK], chunks: 0, file: open(n)? }))
        .collect::<std::io::Result<_>>()?;
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map(LessSafeKey::new).context("a key")?;
    let mut events = Vec::with_capacity(4_096);
    let mut buffer = [0u8; 2_048];
    while !over.load(Relaxed) {
        sleep_to_grid();
        loop {
            events.clear();
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&none))?;
            for event in &events {
                let at = event.data.u64() as usize;
                let Ok(length) = sockets[at].recv(&mut buffer) else { continue };
                if length == HEADER + FRAME {
                    buffer[8..12].copy_from_slice(&(at as u32).to_be_bytes());
                    record(&mut recorded[at / 2], at % 2, &buffer[..length], &key)?;
                }
                // A full buffer is a lost packet, and is missed where it is counted.
                let _ = sockets[at ^ 1].send(&buffer[..length]);
            }
            if events.len() < events.capacity() {
                break;
            }
        }
    }
    Ok(())
}

fn sleep_to_grid() {
    let now = clock_gettime(ClockId::Monotonic);
    let nanos = now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs();
    let point = Duration::from_nanos((nanos / GRID + 1) * GRID);
    let at = Timespec { tv_sec: point.as_secs().cast_signed(), tv_nsec: i64::from(point.subsec_nanos()) };
    // A signal may wake us early: the tick is early then.
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &at);
}

/// Lays a packet in its place by its sequence number; a chunk is sealed when the caller's last packet of it is there.
fn record(call: &mut Call, side: usize, packet: &[u8], key: &LessSafeKey) -> Result<()> {
    let place = usize::from(packet[3] % 8) * FRAME;
    for (n, octet) in packet[HEADER..].iter().enumerate() {
        let at = (place + n) * 4 + side * 2;
        call.chunk[at..at + 2].copy_from_slice(&ALAW_TO_PCM[usize::from(*octet)].to_le_bytes());
    }
    if side == 0 && packet[3] % 8 == 7 {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&call.chunks.to_be_bytes());
        call.chunks += 1;
        let mut sealed = call.chunk.clone();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .context("a chunk is within the cipher's limit")?;
        call.file.write_all(&sealed)?;
    }
    Ok(())
}
