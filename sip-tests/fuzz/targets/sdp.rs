//! Session descriptions: an offer is answered on different terms, and read as an answer to one of ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sayso::ids::Redacted;
use sayso::media::rtc::{Fingerprint, IceLogin, Ours};
use sayso::media::srtp::{MasterKey, Suite};
use sayso::media::{Codec, Direction};
use sayso::settings::SrtpPolicy;
use sayso::sip::core::sdp::{self, Local, RecordState, Terms};

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let local = Local {
        rtp: "10.0.0.1:4000".parse().unwrap(),
        rtcp: "10.0.0.1:4001".parse().unwrap(),
        session_id: 1,
        version: 1,
        rtc: None,
    };
    let keys: Vec<MasterKey> = Suite::ALL
        .iter()
        .map(|suite| MasterKey::new(*suite, vec![7; suite.key_len() + suite.salt_len()].into()).unwrap())
        .collect();
    let srtp = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required][usize::from(choice % 3)];
    let terms = Terms {
        codecs: &[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
        direction: Direction::SendRecv,
        srtp,
        keys: &keys,
        record: Some(RecordState::On),
        comfort_noise: choice & 4 != 0,
        ptime: Some(choice & 0x7F),
        in_band_digits: false,
        signalled_from: None,
    };
    let _ = sdp::record_wish(text);
    if let Ok((answer, media)) = sdp::answer(text, &local, &terms) {
        assert!(srtp != SrtpPolicy::Required || media.crypto.is_some(), "never downgraded");
        assert!(srtp != SrtpPolicy::Off || media.crypto.is_none());
        // What we say in answer can be said again as an offer.
        let _ = sdp::reoffer(&answer, &local, &terms).expect("our own description can be read");
    }
    let offer = sdp::offer(&local, &terms);
    webrtc(text, &local, &terms);
    if let Ok(media) = sdp::accept(text, &offer, &local, &terms) {
        assert!(srtp != SrtpPolicy::Required || media.crypto.is_some(), "never downgraded");
    }
});

/// The same as a browser's: offered, answered, said again, and compared with itself.
fn webrtc(text: &[u8], plain: &Local, terms: &Terms<'_>) {
    let ice = IceLogin { ufrag: "ours".into(), password: Redacted("0123456789abcdefghijkl".into()) };
    let rtc = Some(Ours { ice, fingerprint: Fingerprint([7; 32]), role: None });
    let local = Local { rtc, rtcp: plain.rtp, ..plain.clone() };
    if let Ok((answer, media)) = sdp::answer(text, &local, terms) {
        assert!(sdp::is_webrtc(&answer) && media.rtcp_mux && media.crypto.is_none());
        let theirs = media.rtc.expect("a WebRTC leg agrees on its keys");
        let _ = sdp::ice_restarts(text, &theirs);
        let again = sdp::reoffer(&answer, &local, terms).expect("our own description can be read");
        let (reply, _) = sdp::answer(&again, &local, terms).expect("what we offer we can answer");
        sdp::accept(&reply, &again, &local, terms).expect("and what we answer we can read");
    }
    let offer = sdp::offer(&local, terms);
    if let Ok(media) = sdp::accept(text, &offer, &local, terms) {
        assert!(media.rtc.is_some() && media.crypto.is_none());
    }
}
