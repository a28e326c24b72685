//! Audio between legs: sealed and plain, every codec against every ear, untouched where the codecs are the
//! same, packets of any size, senders that change or fall silent, and the figures on the call's record.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::harness::audio::{RATE, clips, find, read};
use crate::harness::baresip::{Baresip, Login, Speech};
use crate::harness::capture::Capture;
use crate::harness::desk::{
    ALWAYS, CALLER, Desk, LATER, NEVER, NUMBER, is_empty, only_call, only_recording, talk_for,
};
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::{Law, Log, Stream, Voice};
use crate::harness::server::{HELD_BY_CALLS, Server, password};
use crate::harness::{alone, shared, until};

/// Audio that nobody decoded on its way.
const SAME: f64 = 0.99;
/// Audio that went through another codec: no waveform is kept exactly.
const ALIKE: f64 = 0.8;
/// What a baresip plays has gone through its jitter buffer, which may cut or stretch in a few windows.
const SLIPS: f64 = 0.1;

/// A caller by baresip at the loopback's trunk and Ada, who speaks A-law and has no jitter buffer.
fn server(trunk: &str, recording: &str) -> Server {
    let settings = Desk::settings(recording, trunk, "");
    Server::start(&settings.replace("\"127.0.0.2/32\"", "\"127.0.0.1/32\""))
}

fn ada(server: &Server) -> Phone {
    let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    ada.register(&password("ada"), 3600);
    ada
}

fn caller_says() -> Arc<Vec<i16>> {
    Arc::new(read(&clips().caller))
}

fn ada_says() -> Arc<Vec<i16>> {
    Arc::new(read(&clips().agent))
}

/// The figures of the only call's leg `n`, once they are kept.
fn quality(server: &Server, n: usize) -> Value {
    let kept = || Some(only_call(server)["legs"][n]["quality"].clone()).filter(|quality| !quality.is_null());
    until(SOON * 2, "the leg's figures", kept)
}

/// A baresip that speaks like this talks to Ada: each hears the other, and both are recorded.
fn converses(trunk: &str, speech: Speech, (least, slips): (f64, f64)) -> (Value, Value) {
    let _machine = shared();
    let server = server(trunk, ALWAYS);
    let mut ada = ada(&server);
    let mut caller = Baresip::start_as(CALLER, Baresip::address(), &clips().caller, &Login::None, speech);
    caller.dial(&format!("sip:{NUMBER}@{}", server.udp));
    caller.expect("CALL_ESTABLISHED", SOON);
    ada.rung_within(LATER);
    ada.pick_up();
    let voice = ada.talk(ada_says());
    talk_for(Duration::from_secs(12));
    caller.hang_up();
    ada.take("BYE", SOON);
    let (caller, ada) = (caller.quit(), voice.finish());
    let what = |what: &str| format!("{speech:?}: {what}");
    find(&ada.heard, &caller.said).assert(&what("Ada hears the caller"), 10, least, slips);
    find(&ada.said, &caller.heard).assert(&what("the caller hears Ada"), 10, least, 2.0 * SLIPS);
    let [left, right] = only_recording(&server);
    assert_eq!(left.len(), right.len());
    let begun = RATE / 50; // capture begins between two packets
    find(&left[begun..], &caller.said).assert(&what("channel 0 is the caller"), 10, least, slips);
    find(&right[begun..], &ada.said).assert(&what("channel 1 is Ada"), 10, SAME, 2.0 * slips);
    is_empty(&server);
    (quality(&server, 0), quality(&server, 1))
}

#[test]
fn a_sealed_caller_talks_to_a_plain_agent() {
    let speech = Speech { sealed: true, ..Speech::USUAL };
    let (caller, ada) = converses("srtp = \"required\"", speech, (SAME, 0.0));
    assert_eq!(caller["srtp"], "AES_CM_128_HMAC_SHA1_80", "{caller}");
    assert_eq!(ada["srtp"], Value::Null, "{ada}");
    // baresip 1.0 sends its first report and its last in the open: these were refused, and nothing else.
    assert!(caller["auth_failures"].as_u64().is_some_and(|n| n <= 2), "{caller}");
    assert_eq!(caller["lost"], 0, "{caller}");
}

#[test]
fn what_is_sealed_cannot_be_read_on_the_wire() {
    let _machine = shared();
    let server = server("srtp = \"required\"", NEVER);
    let speech = Speech { sealed: true, ..Speech::USUAL };
    let mut caller = Baresip::start_as(CALLER, Baresip::address(), &clips().caller, &Login::None, speech);
    let (first, last) = server.media_ports;
    let capture = Capture::start(first, last);
    caller.dial(&format!("sip:{NUMBER}@{}", server.udp));
    caller.expect("CALL_ESTABLISHED", SOON);
    talk_for(Duration::from_secs(3));
    caller.hang_up();
    let packets = capture.stop(101);
    let audio: Vec<_> = packets.iter().filter(|packet| packet.payload_type == 8).collect();
    let inward = audio.iter().filter(|packet| (first..=last).contains(&packet.to)).count();
    assert!(inward > 100 && audio.len() - inward > 100, "{inward} of {} packets in", audio.len());
    // 160 octets of audio and a tag of 10 (RFC 3711 §4.2.1): none went out plain.
    assert!(audio.iter().all(|packet| packet.payload == 170), "{:?}", audio.first().map(|p| p.payload));
    is_empty(&server);
}

#[test]
fn a_sealed_offer_is_refused_where_nothing_is_sealed() {
    let _machine = shared();
    let server = server("srtp = \"off\"", NEVER);
    let speech = Speech { sealed: true, ..Speech::USUAL };
    let mut caller = Baresip::start_as(CALLER, Baresip::address(), &clips().caller, &Login::None, speech);
    caller.dial(&format!("sip:{NUMBER}@{}", server.udp));
    let closed = caller.expect("CALL_CLOSED", SOON);
    assert!(closed["param"].as_str().is_some_and(|why| why.contains("488")), "{closed}");
    // There was no call, so there is no gauge of calls.
    server.empty(&HELD_BY_CALLS[1..3], SOON);
    server.nothing_captured();
}

#[test]
fn g722_is_understood_by_a_g711_agent() {
    let speech = Speech { codec: "G722", sealed: false };
    let (caller, ada) = converses("codecs = [\"g722\", \"pcma\"]", speech, (ALIKE, SLIPS));
    assert_eq!((&caller["codec"], &ada["codec"]), (&"g722".into(), &"pcma".into()));
}

#[test]
fn opus_is_understood_by_a_g711_agent() {
    let speech = Speech { codec: "opus", sealed: false };
    let (caller, ada) = converses("codecs = [\"opus\", \"pcma\"]", speech, (ALIKE, SLIPS));
    assert_eq!((&caller["codec"], &ada["codec"]), (&"opus".into(), &"pcma".into()));
}

/// Speech of two scripted phones for `span`; the caller speaks like `voice`, by this offer.
struct Scene {
    desk: Desk,
    caller: Stream,
    ada: Stream,
}

impl Scene {
    fn new(recording: &str, trunk: &str, (formats, lines): (&str, &[&str]), voice: Voice) -> Self {
        let mut desk = Desk::new(recording, trunk);
        let offer = desk.caller.describe_as(formats, lines);
        assert_eq!(desk.caller.invited(NUMBER, &[], Some(&offer)).status(), Some(200), "{formats}");
        let at = desk.caller.audio.expect("a place for audio");
        let caller = Stream::start_as(&desk.caller.rtp, at, caller_says(), voice);
        desk.ada.rung_within(LATER);
        match voice.law {
            Law::A => desk.ada.pick_up(),
            Law::Mu => {
                let answer = desk.ada.describe_as("0 101", &["rtpmap:101 telephone-event/8000"]);
                let tag = desk.ada.own_tag();
                desk.ada.reply_as(&tag, 200, &[], Some(&answer));
                desk.ada.expects("ACK", SOON);
                desk.ada.enter(&tag);
            }
        }
        let at = desk.ada.audio.expect("a place for audio");
        let usual =
            Voice { law: voice.law, payload_type: if voice.law == Law::A { 8 } else { 0 }, ..Voice::USUAL };
        let ada = Stream::start_as(&desk.ada.rtp, at, ada_says(), usual);
        Self { desk, caller, ada }
    }

    fn ends(self) -> (Server, Log, Log) {
        let (caller, ada) = (self.caller.finish(), self.ada.finish());
        (self.desk.ends(), caller, ada)
    }
}

const EVENTS: [&str; 2] = ["rtpmap:101 telephone-event/8000", "fmtp:101 0-15"];

/// Whether `heard` is one piece of `sent`, packet by packet and octet by octet.
fn is_piece(heard: &[(u8, Vec<u8>)], sent: &[Vec<u8>]) -> bool {
    let same = |piece: &[Vec<u8>]| piece.iter().zip(heard).all(|(sent, (_, heard))| sent == heard);
    sent.windows(heard.len()).any(same)
}

#[test]
fn the_same_codec_passes_untouched() {
    let _machine = shared();
    for (law, payload_type, formats) in [(Law::A, 8, "8 101"), (Law::Mu, 0, "0 101")] {
        let voice = Voice { law, payload_type, ..Voice::USUAL };
        let scene = Scene::new(NEVER, "", (formats, &EVENTS), voice);
        talk_for(Duration::from_secs(4));
        let (server, caller, ada) = scene.ends();
        // The caller heard Welcome and music before; Ada heard nobody but the caller.
        let (first, last) = (ada.received.len() / 10, ada.received.len() - 5);
        assert!(last > 150, "{formats}: {last} packets");
        assert!(is_piece(&ada.received[first..last], &caller.sent), "{formats}: Ada hears other octets");
        let to = caller.received.len() - 5;
        assert!(
            is_piece(&caller.received[to - 150..to], &ada.sent),
            "{formats}: the caller hears other octets"
        );
        assert_eq!(server.metrics().sum("sayso_transcoded_total").unwrap_or(0.0), 0.0);
    }
}

#[test]
fn packets_of_10_30_and_60_ms_are_the_same_speech() {
    let _machine = shared();
    for ptime in [10, 30, 60] {
        let voice = Voice { ptime, ..Voice::USUAL };
        let line = format!("ptime:{ptime}");
        let scene = Scene::new(ALWAYS, "", ("8 101", &[EVENTS[0], EVENTS[1], &line]), voice);
        talk_for(Duration::from_secs(7));
        let (server, caller, ada) = scene.ends();
        let what = |what: &str| format!("{ptime} ms: {what}");
        // Cut anew on their way, so a jitter buffer is in it, which settles at the start.
        find(&ada.heard, &caller.said).assert(&what("Ada hears the caller"), 6, ALIKE, 2.0 * SLIPS);
        find(&ada.said, &caller.heard).assert(&what("the caller hears Ada"), 6, ALIKE, 2.0 * SLIPS);
        let last = |log: &Log| log.received[log.received.len() - 50].1.len();
        assert_eq!(
            (last(&caller), last(&ada)),
            (voice.ptime as usize * 8, 160),
            "{ptime} ms: as each asked for"
        );
        let [left, right] = only_recording(&server);
        assert_eq!(left.len(), right.len());
        let begun = RATE * ptime as usize / 1000;
        find(&left[begun..], &caller.said).assert(&what("channel 0"), 6, ALIKE, 2.0 * SLIPS);
        find(&right[begun..], &ada.said).assert(&what("channel 1"), 6, ALIKE, 2.0 * SLIPS);
    }
}

#[test]
fn a_new_ssrc_in_mid_call_is_the_same_caller() {
    let _machine = shared();
    let mut scene = Scene::new(ALWAYS, "", ("8 101", &EVENTS), Voice::USUAL);
    talk_for(Duration::from_secs(4));
    let first = std::mem::replace(&mut scene.caller, scene.desk.caller.talk(caller_says())).finish();
    let switched = scene.ada.log(|log| log.heard.len());
    talk_for(Duration::from_secs(6));
    let (server, second, ada) = scene.ends();
    find(&ada.heard[..switched], &first.said).assert("before", 3, SAME, 0.0);
    find(&ada.heard[switched + 800..], &second.said).assert("after", 5, SAME, 0.0);
    let [left, right] = only_recording(&server);
    let half = left.len() / 2;
    // A caller of these tests that a busy machine holds up is late: a recording stretches over that.
    find(&left[left.len() - 4 * RATE..], &second.said).assert("recorded after", 3, SAME, 2.0 * SLIPS);
    assert!(half > 4 * RATE && left.len() == right.len(), "{} and {} samples", left.len(), right.len());
    assert_eq!(quality(&server, 0)["strangers"], 0, "the same address is no stranger");
}

#[test]
fn pauses_of_comfort_noise_keep_their_length() {
    let _machine = alone();
    let voice = Voice { noise: true, ..Voice::USUAL };
    let scene = Scene::new(ALWAYS, "", ("8 13 101", &EVENTS), voice);
    talk_for(Duration::from_secs(9));
    let (server, caller, ada) = scene.ends();
    assert!(caller.sent.len() > 400);
    // Ada's phone knows no comfort noise: the pauses are filled for it.
    // A pause may be a packet longer or shorter: in a window with one in it no lag fits.
    let words = find(&ada.heard, &caller.said);
    words.assert("Ada hears the caller", 6, SAME, 5.0 * SLIPS);
    let [left, right] = only_recording(&server);
    let found = find(&left[RATE / 50..], &caller.said);
    found.assert("channel 0", 6, SAME, 5.0 * SLIPS);
    // Half a second of pauses and more lie between the words.
    let mut lags: Vec<_> = found.windows.iter().filter(|w| w.score > SAME).map(|w| w.lag).collect();
    lags.sort_unstable();
    let (least, most) = (lags[0], lags[lags.len() - 1]);
    assert!(most - least <= 400, "pauses are as long as they were: lags {least} to {most}");
    find(&right[RATE / 50..], &ada.said).assert("channel 1", 6, SAME, SLIPS);
    assert_eq!(quality(&server, 0)["lost"], 0, "a pause is no loss");
}

#[test]
fn the_record_tells_how_it_sounded() {
    let _machine = shared();
    let voice = Voice { lose: Some(12), ..Voice::USUAL };
    let scene = Scene::new(NEVER, "", ("8 101", &EVENTS), voice);
    talk_for(Duration::from_secs(6));
    let (server, caller, ada) = scene.ends();
    let (bad, good) = (quality(&server, 0), quality(&server, 1));
    let number =
        |quality: &Value, name: &str| quality[name].as_u64().unwrap_or_else(|| panic!("{name}: {quality}"));
    let lost = (caller.sent.len() / 12) as u64;
    assert!(number(&bad, "lost").abs_diff(lost) <= 3, "{lost} were lost: {bad}");
    assert!(number(&bad, "packets_in").abs_diff(caller.sent.len() as u64 - lost) <= 5, "{bad}");
    assert_eq!(number(&good, "lost"), 0, "{good}");
    assert!(number(&good, "packets_in").abs_diff(ada.sent.len() as u64) <= 5, "{good}");
    // ITU-T G.107: clean G.711 is 4.4; 8 % of single losses without concealment are bad.
    assert!((400..=445).contains(&number(&good, "mos_x100")), "{good}");
    assert!(number(&bad, "mos_x100") + 50 < number(&good, "mos_x100"), "{bad} {good}");
    let shown = server.run(
        &["calls", "show", only_call(&server)["call"]["id"].as_str().expect("an id"), "--config"],
        &[&server.config()],
    );
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.to_lowercase().contains("mos"), "{shown}");
}

#[test]
fn a_phone_s_reports_are_on_the_record() {
    let (caller, _) = converses("", Speech::USUAL, (SAME, 0.0));
    // baresip reports every few seconds over a loopback without loss (RFC 3550 §6.4).
    assert_eq!((&caller["lost"], &caller["peer_lost"]), (&0.into(), &0.into()), "{caller}");
    assert!(caller["round_trip_us"].as_u64().is_some_and(|us| us < 200_000), "{caller}");
    assert!(caller["jitter_us"].as_u64().is_some_and(|us| us < 20_000), "{caller}");
    for name in ["mos_x100", "peer_mos_x100"] {
        assert!(caller[name].as_u64().is_some_and(|mos| mos > 400), "{name}: {caller}");
    }
}
