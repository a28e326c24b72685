//! The hot paths that are counted: each runs a known number of steps within one function.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sayso::audit::Head;
use sayso::call::PlayId;
use sayso::engine::{CallMedia, Engine, EngineConfig, MediaEvent};
use sayso::ids::CallId;
use sayso::media::rtp::{HEADER, Header};
use sayso::media::sound::Sound;
use sayso::media::tap::{Chunk, ChunkSink, End, Tap};
use sayso::media::{Codec, Direction, LegMedia};
use sayso::time::Clock;
use tokio::sync::mpsc::{Receiver, channel};

use crate::scene;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Path {
    /// An RTP packet through a media worker: received, judged, rewritten, sent on. Socket to socket, without the kernel.
    Relay,
    /// The same of a call that is recorded: with the tap.
    Recorded,
    /// A whole call through the SIP endpoint: INVITE with an offer, 100, 200, ACK, BYE, 200.
    Sip,
    /// A chunk of the tap (160 ms of both sides), sealed and appended by the vault's writer.
    Chunk,
    /// A row of the audit log: made, sealed, hashed behind the one before.
    Audit,
}

/// How many steps are gone through: enough that what is done once does not show.
const CALLS: u64 = 200;
const CHUNKS: u64 = 256;
const ROWS: u64 = 2_000;
/// Packets of each direction of each call.
const PACKETS: u64 = 300;
/// So few that packets wake the worker and it needs no grid: for that it reads a clock by a way (vDSO, found by
/// PR_GET_AUXV) that older versions of valgrind crash on.
const MEDIA_CALLS: usize = 2;

impl Path {
    pub(crate) const ALL: [Self; 5] = [Self::Relay, Self::Recorded, Self::Sip, Self::Chunk, Self::Audit];

    /// Its word on the command line and in the baseline.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Recorded => "recorded",
            Self::Sip => "sip",
            Self::Chunk => "chunk",
            Self::Audit => "audit",
        }
    }

    /// The function within which is counted, as callgrind's pattern. It matches exactly one that is never inlined
    /// and never calls itself: callgrind would stop counting there.
    pub(super) const fn function(self) -> &'static str {
        match self {
            Self::Relay | Self::Recorded => "*Sessions>::receive",
            Self::Sip => "*paths::sip_step",
            Self::Chunk => "*Sealing<*>::pcm",
            Self::Audit => "*paths::audit_step",
        }
    }

    /// Goes through it; how many steps that were.
    pub(super) fn run(self) -> Result<u64> {
        match self {
            Self::Relay => media(false),
            Self::Recorded => media(true),
            Self::Sip => {
                let mut scene = scene::endpoint::Scene::new();
                for _ in 0..CALLS {
                    let statuses = sip_step(&mut scene);
                    ensure!(statuses == [100, 200, 200], "the endpoint said {statuses:?}");
                }
                ensure!(scene.ends_idle(), "the endpoint holds what is over");
                Ok(CALLS)
            }
            Self::Chunk => scene::vault::Scene::new()?.record(CHUNKS).map(|_| CHUNKS),
            Self::Audit => {
                let head = (0..ROWS).fold(Head::EMPTY, |head, n| audit_step(n, head));
                let chain = scene::audit::chain(ROWS);
                ensure!(chain.last().map(sayso::audit::Row::head) == Some(head), "another chain");
                Ok(ROWS)
            }
        }
    }
}

#[inline(never)]
fn sip_step(scene: &mut scene::endpoint::Scene) -> Vec<u16> {
    scene.call()
}

#[inline(never)]
fn audit_step(n: u64, head: Head) -> Head {
    black_box(scene::audit::append(n, head)).head()
}

/// Takes what the tap hands on, and keeps nothing.
#[derive(Default)]
struct Nowhere(Vec<i16>);

impl ChunkSink for Nowhere {
    fn buffer(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.0)
    }

    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.0 = black_box(chunk.samples);
        Ok(())
    }

    fn finish(self: Box<Self>, _: End) {}
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Under valgrind everything takes long; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call of two legs, and the sockets of its two phones.
struct Talk {
    media: CallMedia,
    phones: [UdpSocket; 2],
    ours: [SocketAddr; 2],
    events: Receiver<MediaEvent>,
}

impl Talk {
    fn new(engine: &Engine, n: usize) -> Result<Self> {
        let (sender, events) = channel(32);
        let mut media = engine.open(CallId::new(ulid::Ulid(n as u128 + 1)), sender);
        let phone = || UdpSocket::bind((LOCAL, 0));
        let phones = [phone()?, phone()?];
        let mut ours = [SocketAddr::from((LOCAL, 0)); 2];
        for leg in 0..2u16 {
            let at = usize::from(leg);
            ours[at] = media.add_leg(leg)?.rtp;
            let remote = phones[at].local_addr()?;
            phones[at].set_read_timeout(Some(PATIENCE))?;
            media.configure(leg, g711(remote));
        }
        media.bridge(0, 1);
        Ok(Self { media, phones, ours, events })
    }

    /// Returns when all commands so far are done: an empty sound is over as soon as it is begun.
    fn barrier(&mut self) -> Result<()> {
        self.media.play(0, PlayId(7), Arc::new(Sound::default()), false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let next = async { tokio::time::timeout(PATIENCE, self.events.recv()).await };
        let event = runtime.block_on(next).context("the engine is silent")?.context("the call is closed")?;
        ensure!(matches!(event, MediaEvent::PlayDone { .. }), "{event:?} instead of the sound's end");
        Ok(())
    }

    fn say(&self, leg: usize, n: u64) -> Result<()> {
        let (sequence, timestamp) = (n as u16, (n * 160) as u32);
        let header =
            Header { marker: n == 0, payload_type: 8, sequence, timestamp, ssrc: 0x1000 + leg as u32 };
        let mut packet = [0u8; HEADER + 160];
        header.write(&mut packet);
        packet[HEADER..].iter_mut().zip(0u8..).for_each(|(octet, i)| *octet = i.wrapping_mul(37) ^ n as u8);
        self.phones[leg].send_to(&packet, self.ours[leg])?;
        Ok(())
    }
}

fn g711(remote: SocketAddr) -> LegMedia {
    LegMedia {
        remote_rtp: remote,
        remote_rtcp: remote,
        rtcp_mux: true,
        codec: Codec::Pcma,
        payload_type: 8,
        receive: vec![(8, Codec::Pcma)],
        dtmf: None,
        comfort_noise: None,
        direction: Direction::SendRecv,
        ptime: 20,
        crypto: None,
        rtc: None,
        in_band_digits: false,
        signalled_from: None,
    }
}

/// Waits for the next audio packet; reports come on the same port.
fn hear(phone: &UdpSocket) -> Result<()> {
    let mut buffer = [0u8; 2_048];
    loop {
        let (len, _) = phone.recv_from(&mut buffer).context("a packet was not relayed")?;
        if !sayso::media::rtp::is_rtcp(&buffer[..len]) {
            ensure!(len == HEADER + 160, "{len} octets came");
            return Ok(());
        }
    }
}

/// Calls through an engine as the server has it, each side with 50 packets a second; every packet is waited for.
fn media(recorded: bool) -> Result<u64> {
    let clock = Clock::start();
    let config = EngineConfig {
        workers: 1,
        bind: LOCAL,
        advertise: None,
        ports: 30_000..=39_999,
        webrtc_port: None,
        media_timeout: Duration::ZERO,
    };
    let engine = Engine::start(config, clock)?;
    let mut talks: Vec<Talk> = (0..MEDIA_CALLS).map(|n| Talk::new(&engine, n)).collect::<Result<_>>()?;
    for (n, talk) in talks.iter_mut().enumerate() {
        if recorded {
            let permit = scene::permit::permit(n as u64);
            talk.media.record(Tap::new(permit, Box::new(Nowhere::default()), clock.now()), 0, 1);
        }
        talk.barrier()?;
    }
    let mut due = Instant::now();
    for n in 0..PACKETS {
        // In real time: the tap lays packets where they were heard. What is late is not made up for.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due = Instant::now() + Duration::from_millis(20);
        for talk in &talks {
            for leg in 0..2 {
                talk.say(leg, n)?;
            }
        }
        for talk in &talks {
            for phone in &talk.phones {
                hear(phone)?;
            }
        }
    }
    // The worker tells its figures at the end of a tick, which may be after the last packet was heard.
    let (expected, end) = (PACKETS * 2 * MEDIA_CALLS as u64, Instant::now() + PATIENCE);
    let counted = || engine.stats().iter().map(|worker| worker.packets_in).sum::<u64>();
    while counted() < expected && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    let packets = counted();
    ensure!(packets == expected, "{packets} of {expected} packets went through the worker");
    drop(talks);
    Ok(packets)
}
