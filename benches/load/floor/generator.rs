//! Packets for the relay: each side of each call with 50 a second, spread over the 20 ms, every one counted.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::event::{Timespec, epoll};

use super::{Options, Relay};
use crate::arrival;
use crate::flow::Direction;
use crate::process::Usage;
use crate::report::{Cost, Report, Spread};
use crate::rtp::{Talker, mark};

/// The first packets find cold caches and are not measured.
const WARM: u64 = 2_000;
const MS: Duration = Duration::from_millis(1);
/// What is on its way at the end has this long to arrive.
const LINGER: u64 = 100;

/// A phone, and what it hears.
struct Phone {
    socket: UdpSocket,
    talker: Talker,
    hears: Direction,
}

/// Talks through the relay for as long as is wanted, and reports.
pub(super) fn run(options: &Options, relay: &mut Relay) -> Result<Report> {
    let clock = Instant::now();
    let now = || clock.elapsed().as_nanos() as u64;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut phones: Vec<Phone> = Vec::new();
    for (n, port) in (0u32..).zip(&relay.ports) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, *port))?;
        arrival::stamp(&socket)?;
        epoll::add(&epoll, &socket, epoll::EventData::new_u64(n.into()), epoll::EventFlags::IN)?;
        phones.push(Phone { socket, talker: Talker::new(n), hears: Direction::default() });
    }
    let ports = phones.iter().map(|phone| Ok(phone.socket.local_addr()?.port()));
    relay.begin(&ports.collect::<std::io::Result<Vec<u16>>>()?)?;
    let pid = relay.child.id();
    let look = || Usage::of(pid).context("the relay is gone");
    let span = options.hold * 1_000;
    let bar = ProgressBar::new(span)
        .with_style(ProgressStyle::with_template("floor            {bar:30} {pos}/{len} ms {elapsed}")?);
    let idle = look()?;
    let (mut before, mut delays, mut jitter, mut late) = (idle.clone(), Vec::new(), Vec::new(), 0);
    let (mut events, mut room, mut buffer) = (Vec::with_capacity(4_096), arrival::room(), [0u8; 2_048]);
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut after = None;
    let mut own = Usage::of(std::process::id());
    for step in 0..WARM + span + LINGER {
        let due = clock + MS * step as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if step == WARM {
            (before, own) = (look()?, Usage::of(std::process::id()));
        }
        if step == WARM + span {
            after = Some((look()?, Usage::of(std::process::id())));
        }
        if step < WARM + span {
            // A step of 7 spreads neighbours over the 20 ms.
            for n in (0..phones.len()).filter(|n| (n * 7) as u64 % 20 == step % 20) {
                let (at, mut packet) = (now(), [0u8; 172]);
                let phone = &mut phones[n];
                let length = phone.talker.packet(n as u32 / 2, at, &mut packet);
                // A full buffer is a lost packet, and is missed below.
                let _ = phone.socket.send(&packet[..length]);
            }
        }
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&none))?;
        for event in &events {
            let phone = &mut phones[event.data.u64() as usize];
            while let Some(came) = arrival::receive(&phone.socket, &mut buffer, &mut room) {
                let Some(mark) = mark(&buffer[..came.length]) else { continue };
                let seen = phone.hears.note(mark, now().saturating_sub(came.age));
                if (WARM..WARM + span).contains(&step) {
                    late += u64::from(seen.is_late());
                    delays.push(seen.delay);
                    jitter.extend(seen.jitter);
                }
            }
        }
        bar.set_position(step.saturating_sub(WARM).min(span));
    }
    bar.finish_and_clear();
    let (after, own_after) = after.context("it ran to its end")?;
    let mut report = Report { profile: "floor".to_owned(), calls: options.calls, ..Report::default() };
    for n in 0..phones.len() {
        let [due, received, lost, doubles] = phones[n].hears.counts(phones[n ^ 1].talker.sent);
        report.packets.sent += due;
        report.packets.received += received;
        report.packets.lost += lost;
        report.packets.doubles += doubles;
    }
    let written: u64 =
        std::fs::read_dir(&relay.dir)?.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    let seconds = options.hold as f64;
    let expected = f64::from(options.calls) * seconds * 32_000.0;
    ensure!(
        written as f64 > expected * 0.9,
        "{written} bytes recorded, {expected} expected: nothing was measured"
    );
    report.packets.late = late;
    report.connected = options.calls;
    report.delay_us = Spread::of(delays);
    report.jitter_us = Spread::of(jitter);
    let held = f64::from(options.calls) * seconds;
    report.server = Some(Cost::of_talks(&before, &after, &idle, held, options.calls));
    if let Some((before, after)) = own.zip(own_after) {
        report.generator_cpu_percent = 100.0 * (after.cpu_ms - before.cpu_ms) / seconds / 1_000.0;
    }
    Ok(report)
}
