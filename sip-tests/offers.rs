//! Offers and answers of a call: late ones, ones that meet, hold in every style, and audio that moves.

use std::time::{Duration, Instant};

use crate::harness::audio::{RATE, rms, seconds_of, tone};
use crate::harness::desk::{
    ADA_HZ, ALWAYS, CALLER_HZ, Desk, LATER, NEVER, NUMBER, Voices, hears, only_recording, talk_for,
};
use crate::harness::phone::SOON;
use crate::harness::rtp::{Law, Stream, Voice};
use crate::harness::shared;
use crate::harness::sip::Message;

#[test]
fn a_late_offer_gets_ours() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    desk.caller.invite(NUMBER, &[], None);
    let answer = desk.caller.response("INVITE");
    assert_eq!(answer.status(), Some(200));
    let offer = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        offer.contains("m=audio") && offer.contains("PCMA/8000") && offer.contains("PCMU/8000"),
        "{offer}"
    );
    let sdp = desk.caller.describe("sendrecv");
    desk.caller.answered_late(&answer, &sdp);
    let voices = desk.meet();
    // And in mid-call: a re-INVITE without an offer.
    desk.caller.ask("INVITE", &[], None);
    let answer = desk.caller.response("INVITE");
    assert!(answer.status() == Some(200) && !answer.body.is_empty(), "{answer:?}");
    let sdp = desk.caller.describe("sendrecv");
    desk.caller.answered_late(&answer, &sdp);
    voices.hear_each_other();
    desk.ends();
}

#[test]
fn a_late_offer_without_an_answer_ends() {
    let _machine = shared();
    let mut desk = Desk::new(NEVER, "");
    desk.caller.invite(NUMBER, &[], None);
    let answer = desk.caller.response("INVITE");
    // An ACK without the answer it must bear.
    desk.caller.answered(&answer);
    desk.caller.take("BYE", SOON);
    desk.is_empty();
}

#[test]
fn offers_that_meet_are_made_again() {
    let _machine = shared();
    let mut desk = Desk::new(ALWAYS, "");
    desk.caller.call_answered(NUMBER);
    let caller = desk.caller.talk(tone(CALLER_HZ));
    desk.ada.rung_within(LATER);
    // A phone that wants to know of the recording is told by an offer of the server's own.
    desk.ada.pick_up_with(&[("Supported", "record-aware")]);
    let ada = desk.ada.talk(tone(ADA_HZ));
    let is_offer = |m: &Message| matches!(m.method(), Some("INVITE" | "UPDATE")) && !m.body.is_empty();
    let theirs = desk.ada.wait(SOON, "the server's offer", is_offer);
    // Ours meets it: refused there, and theirs here. They ask again after a while, alone.
    let offer = desk.ada.describe("sendrecv");
    assert_eq!(desk.ada.asked("INVITE", &[], Some(&offer)).status(), Some(491));
    let refused = Instant::now();
    let tag = desk.ada.own_tag();
    desk.ada.answer(&theirs, &tag, 491, &[], None);
    let again =
        desk.ada.wait(Duration::from_secs(8), "the offer again", |m| is_offer(m) && m.cseq() > theirs.cseq());
    // RFC 3261 §14.1: who drew the Call-ID waits 2.1 to 4 s.
    let waited = refused.elapsed().as_secs_f64();
    assert!((2.0..5.0).contains(&waited), "{waited:.2} s");
    assert!(String::from_utf8_lossy(&again.body).contains("a=record:on"), "{again:?}");
    desk.ada.accept(&again);
    if again.method() == Some("INVITE") {
        desk.ada.expects("ACK", SOON);
    }
    // And ours, made again, is taken.
    let offer = desk.ada.describe("sendrecv");
    assert_eq!(desk.ada.asked("INVITE", &[], Some(&offer)).status(), Some(200));
    Voices { caller, ada }.hear_each_other();
    let server = desk.ends();
    assert!(seconds_of(ADA_HZ, &only_recording(&server)[1]) > 0.5);
}

#[test]
fn hold_in_every_style_is_music_there_and_silence_in_the_recording() {
    let _machine = shared();
    let mut desk = Desk::new(ALWAYS, "");
    let voices = desk.connect();
    let mut held = 0.0;
    for style in ["sendonly", "inactive", "0.0.0.0"] {
        let direction = if style == "0.0.0.0" { "sendrecv" } else { style };
        let mut offer = desk.ada.describe(direction);
        if style == "0.0.0.0" {
            offer = offer.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
        }
        let answer = desk.ada.asked("INVITE", &[], Some(&offer));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let ours = if style == "inactive" { "a=inactive" } else { "a=recvonly" };
        assert!(answer.status() == Some(200) && body.contains(ours), "{style}: {body}");
        let (from, silent) =
            (voices.caller.log(|log| log.heard.len()), voices.ada.log(|log| log.heard.len()));
        talk_for(Duration::from_millis(2_500));
        let music = voices.caller.log(|log| log.heard[from + 1600..].to_vec());
        assert!(rms(&music) > 50.0, "{style}: music to the caller, RMS {}", rms(&music));
        assert!(seconds_of(ADA_HZ, &music) < 0.2, "{style}: not Ada");
        // What was on its way when the hold came may be heard yet.
        let more = voices.ada.log(|log| seconds_of(CALLER_HZ, &log.heard[silent..]));
        assert!(more < 0.2, "{style}: Ada does not hear the caller");
        held += 2.0;
        let offer = desk.ada.describe("sendrecv");
        let answer = desk.ada.asked("INVITE", &[], Some(&offer));
        assert!(String::from_utf8_lossy(&answer.body).contains("a=sendrecv"), "{style}: {answer:?}");
        voices.hear_each_other();
    }
    let server = desk.ends();
    let channels = only_recording(&server);
    let silence =
        |channel: &[i16]| channel.chunks_exact(RATE / 20).filter(|c| rms(c) < 20.0).count() as f64 / 20.0;
    for (n, (channel, hz)) in channels.iter().zip([CALLER_HZ, ADA_HZ]).enumerate() {
        assert!(
            silence(channel) >= held,
            "channel {n}: {:.1} s of silence, {held} expected",
            silence(channel)
        );
        assert!(seconds_of(hz, channel) > 1.5, "channel {n}: the talk between is there");
    }
}

#[test]
fn a_reinvite_moves_the_audio_to_another_address_codec_and_type() {
    let _machine = shared();
    let mut desk = Desk::new(ALWAYS, "");
    let Voices { caller, ada } = desk.connect();
    drop(caller);
    let events = ["rtpmap:101 telephone-event/8000", "fmtp:101 0-15", "ptime:20"];
    let speaks = |desk: &mut Desk, formats: &str, map: &[&str], voice: Voice| {
        desk.caller.move_audio();
        let offer = desk.caller.describe_as(formats, &[map, &events].concat());
        let answer = desk.caller.asked("INVITE", &[], Some(&offer));
        assert_eq!(answer.status(), Some(200), "{formats}");
        let to = desk.caller.audio.expect("a place for audio");
        let stream = Stream::start_as(&desk.caller.rtp, to, tone(CALLER_HZ), voice);
        hears(&stream, ADA_HZ, 1.0, &format!("{formats}: the caller hears Ada"));
        hears(&ada, CALLER_HZ, 1.0, &format!("{formats}: Ada hears the caller"));
        let types = stream.log(|log| log.received.iter().map(|(kind, _)| *kind).collect::<Vec<_>>());
        let last = types.last().copied();
        assert_eq!(last, Some(voice.payload_type), "{formats}: as asked for");
    };
    let mu = Voice { law: Law::Mu, payload_type: 0, ..Voice::USUAL };
    speaks(&mut desk, "0 101", &[], mu);
    let dynamic = Voice { payload_type: 110, ..Voice::USUAL };
    speaks(&mut desk, "110 101", &["rtpmap:110 PCMA/8000"], dynamic);
    speaks(&mut desk, "8 101", &[], Voice::USUAL);
    drop(ada);
    let server = desk.ends();
    let [caller, ada] = only_recording(&server);
    assert!(seconds_of(CALLER_HZ, &caller) > 2.5, "{:.1} s", seconds_of(CALLER_HZ, &caller));
    assert!(seconds_of(ADA_HZ, &ada) > 2.5, "{:.1} s", seconds_of(ADA_HZ, &ada));
}
