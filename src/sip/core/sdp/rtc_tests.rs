//! WebRTC: what browsers say, what we say to them, and properties over both.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::ids::Redacted;
use crate::media::Events;
use crate::media::rtc::{DtlsRole, Fingerprint, IceLogin, Ours};
use crate::sip::core::sdp::{RecordState, ice_restarts, is_webrtc};

const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

fn ours() -> Ours {
    let ice = IceLogin { ufrag: "sayS".into(), password: Redacted("abcdefghijklmnopqrstuv".into()) };
    Ours { ice, fingerprint: Fingerprint([0xAB; 32]), role: None }
}

fn local() -> Local {
    let rtp = "203.0.113.1:40000".parse().unwrap();
    Local { rtp, rtcp: rtp, session_id: 77, version: 3, rtc: Some(ours()) }
}

fn terms(codecs: &[Codec]) -> Terms<'_> {
    Terms { codecs, ..Terms::default() }
}

const FINGERPRINT: &str = "6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:\
     DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08";

/// As Chromium offers by JsSIP, in its order of lines.
fn browsers_offer() -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS d6a8c2f0\r\n\
         m=audio 54311 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 198.51.100.7\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=candidate:2155 1 udp 2113937151 5f0f3c2e-19a1-4f6e-9c1a-77d2a3b1c0de.local 54311 typ host generation 0\r\n\
         a=candidate:842163049 1 udp 1677729535 198.51.100.7 54311 typ srflx raddr 0.0.0.0 rport 0\r\n\
         a=candidate:99 1 tcp 1518214911 198.51.100.7 9 typ host tcptype active\r\n\
         a=ice-ufrag:Fq3+\r\na=ice-pwd:qWeRtYuIoPaSdFgHjKlZxC12\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-1 00:11:22\r\na=fingerprint:SHA-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:d6a8c2f0 9b1c\r\n\
         a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
         a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
         a=ssrc:2485877649 cname:Pz3\r\na=ssrc:2485877649 msid:d6a8c2f0 9b1c\r\n"
    )
}

fn answered(offer: &str, codecs: &[Codec]) -> (String, LegMedia) {
    let (bytes, media) = answer(offer.as_bytes(), &local(), &terms(codecs)).unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), media)
}

#[test]
fn a_browsers_offer_is_answered_with_its_numbers() {
    let offer = browsers_offer();
    assert!(is_webrtc(offer.as_bytes()));
    let (text, media) = answered(&offer, &CODECS);
    let fingerprint = "AB:".repeat(32);
    assert_eq!(
        text,
        format!(
            "v=0\r\no=- 77 3 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\na=ice-lite\r\n\
             a=group:BUNDLE 0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111 110\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 useinbandfec=1;minptime=10\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
             a=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\na=rtcp-mux\r\na=mid:0\r\n\
             a=extmap:7 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=msid:sayso voice\r\na=ice-ufrag:sayS\r\n\
             a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 {}\r\na=setup:passive\r\n\
             a=candidate:1 1 udp 2130706431 203.0.113.1 40000 typ host\r\na=end-of-candidates\r\n",
            &fingerprint[..95]
        )
    );
    let theirs = media.rtc.as_deref().unwrap();
    assert_eq!(theirs.ice.ufrag, "Fq3+");
    assert_eq!(theirs.ice.password.0, "qWeRtYuIoPaSdFgHjKlZxC12");
    assert_eq!(theirs.fingerprint.to_string(), FINGERPRINT);
    assert_eq!(
        (theirs.role, theirs.mid.as_str(), theirs.mid_extension, theirs.ssrc),
        (DtlsRole::Passive, "0", Some(7), Some(2_485_877_649))
    );
    assert_eq!(media.dtmf, Some(Events { send: 110, receive: 110, clock: 48_000 }));
    assert!(media.crypto.is_none() && media.rtcp_mux && media.direction == Direction::SendRecv);
    // Keys ride on the clock of the codec that is spoken.
    let (_, media) = answered(&offer, &[Codec::Pcma]);
    assert_eq!(media.dtmf, Some(Events { send: 126, receive: 126, clock: 8_000 }));
    assert_eq!((media.codec, media.payload_type), (Codec::Pcma, 8));
}

#[test]
fn our_offer_is_what_browsers_expect() {
    let terms = Terms { record: Some(RecordState::On), ..terms(&CODECS) };
    let text = String::from_utf8(offer(&local(), &terms).to_vec()).unwrap();
    assert!(is_webrtc(text.as_bytes()));
    for line in [
        "a=ice-lite\r\na=group:BUNDLE 0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111 9 8 0 110 101\r\n",
        "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\na=rtpmap:101 telephone-event/8000\r\n",
        "a=record:on\r\na=rtcp-mux\r\na=mid:0\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
        "a=setup:actpass\r\na=candidate:1 1 udp 2130706431 203.0.113.1 40000 typ host\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("a=rtcp:") && !text.contains("a=crypto"));
    // A browser answers with our numbers, here before it has gathered candidates.
    let reply = browsers_offer()
        .replace("audio 54311", "audio 9")
        .replace("198.51.100.7\r\na=rtcp:", "0.0.0.0\r\na=rtcp:")
        .replace("actpass", "active")
        .replace("111 63 9 0 8 13 110 126", "8 111 101 110")
        .replace("126 telephone", "101 telephone");
    let media = accept(reply.as_bytes(), text.as_bytes(), &local(), &terms).unwrap();
    assert_eq!((media.codec, media.payload_type, media.direction), (Codec::Pcma, 8, Direction::SendRecv));
    assert_eq!(media.dtmf, Some(Events { send: 101, receive: 101, clock: 8_000 }));
    assert_eq!(media.rtc.as_deref().unwrap().role, DtlsRole::Passive);
    let passive = reply.replace("setup:active", "setup:passive");
    let media = accept(passive.as_bytes(), text.as_bytes(), &local(), &terms).unwrap();
    assert_eq!(media.rtc.unwrap().role, DtlsRole::Active);
}

#[test]
fn what_is_said_for_the_session_counts_for_its_streams() {
    let moved = ["a=ice-ufrag:Fq3+", "a=ice-pwd:qWeRtYuIoPaSdFgHjKlZxC12", "a=setup:actpass"];
    let fingerprint = format!("a=fingerprint:SHA-256 {FINGERPRINT}");
    let mut offer = browsers_offer();
    for line in moved.into_iter().chain([fingerprint.as_str()]) {
        offer =
            offer.replace(&format!("{line}\r\n"), "").replace("t=0 0\r\n", &format!("t=0 0\r\n{line}\r\n"));
    }
    let (_, media) = answered(&offer.replace("setup:actpass", "setup:passive"), &CODECS);
    let theirs = media.rtc.unwrap();
    assert_eq!((theirs.ice.ufrag.as_str(), theirs.role), ("Fq3+", DtlsRole::Active));
    assert_eq!(theirs.fingerprint.to_string(), FINGERPRINT);
    let (text, _) = answered(&offer.replace("setup:actpass", "setup:passive"), &CODECS);
    assert!(text.contains("a=setup:active\r\n"));
}

#[test]
fn what_is_missing_is_named() {
    let why = |from: &str, to: &str| {
        let offer = browsers_offer().replace(from, to);
        let error = answer(offer.as_bytes(), &local(), &terms(&CODECS)).unwrap_err();
        assert_eq!(error.status(), 488);
        let SdpError::NoUsableAudio(why) = error else { panic!("{error}") };
        why
    };
    assert_eq!(why("a=ice-ufrag:Fq3+\r\n", ""), Unusable::NoIce);
    assert_eq!(why("a=ice-ufrag:Fq3+\r\n", "a=ice-ufrag:F q\r\n"), Unusable::NoIce);
    assert_eq!(why("qWeRtYuIoPaSdFgHjKlZxC12", "short"), Unusable::NoIce);
    assert_eq!(why("SHA-256", "sha-512"), Unusable::NoFingerprint);
    assert_eq!(why(":19:08\r\n", "\r\n"), Unusable::NoFingerprint);
    assert_eq!(why(":19:08\r\n", ":19:08:08\r\n"), Unusable::NoFingerprint);
    assert_eq!(why(":19:08\r\n", ":19:+8\r\n"), Unusable::NoFingerprint);
    assert_eq!(why("a=rtcp-mux\r\n", ""), Unusable::NoMux);
    assert_eq!(why("UDP/TLS/RTP/SAVPF", "RTP/AVP"), Unusable::NotWebrtc);
    assert_eq!(why("UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"), Unusable::NotWebrtc);
    assert_eq!(why("audio 54311", "audio 0"), Unusable::Refused);
    // And a leg of plain RTP takes no browser.
    let plain = Local { rtc: None, ..local() };
    let error = answer(browsers_offer().as_bytes(), &plain, &terms(&CODECS)).unwrap_err();
    assert_eq!(error, SdpError::NoUsableAudio(Unusable::Protocol));
}

#[test]
fn other_streams_are_refused_in_their_place() {
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\n\
        a=ice-ufrag:vvvv\r\na=ice-pwd:vvvvvvvvvvvvvvvvvvvvvv\r\na=rtcp-mux\r\na=sendrecv\r\n";
    let data = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:data\r\na=bundle-only\r\n";
    let base = browsers_offer().replace("BUNDLE 0", "BUNDLE v 0 data");
    let (head, audio) = base.split_once("m=audio").unwrap();
    let offer = format!("{head}{video}m=audio{audio}{data}");
    let (text, media) = answered(&offer, &CODECS);
    assert!(text.contains("a=group:BUNDLE 0\r\n"), "{text}");
    assert!(text.contains("m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:v\r\nm=audio 40000 "), "{text}");
    assert!(text.ends_with("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:data\r\n"), "{text}");
    assert_eq!(media.rtc.unwrap().ice.ufrag, "Fq3+");
    // Our later offer keeps all of it, and answers to that do as well.
    let later = reoffer(text.as_bytes(), &Local { version: 4, ..local() }, &terms(&CODECS)).unwrap();
    let later = std::str::from_utf8(&later).unwrap();
    let places: Vec<_> =
        later.lines().filter(|line| line.starts_with("m=") || line.starts_with("a=mid")).collect();
    assert_eq!(
        places,
        [
            "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
            "a=mid:v",
            "m=audio 40000 UDP/TLS/RTP/SAVPF 111 9 8 0 110 101",
            "a=mid:0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "a=mid:data"
        ]
    );
    assert!(later.contains("a=setup:actpass\r\n") && later.contains("a=extmap:7 urn:"), "{later}");
    assert!(later.contains("a=group:BUNDLE 0\r\n"));
}

#[test]
fn the_agreed_role_stays_when_the_peer_leaves_it_open_again() {
    for (role, setup) in [(DtlsRole::Active, "active"), (DtlsRole::Passive, "passive")] {
        let agreed = Local { rtc: Some(Ours { role: Some(role), ..ours() }), ..local() };
        let (text, media) = answer(browsers_offer().as_bytes(), &agreed, &terms(&CODECS)).unwrap();
        assert_eq!(media.rtc.unwrap().role, role);
        assert!(String::from_utf8_lossy(&text).contains(&format!("a=setup:{setup}\r\n")));
        let passive = browsers_offer().replace("setup:actpass", "setup:passive");
        let (_, media) = answer(passive.as_bytes(), &agreed, &terms(&CODECS)).unwrap();
        assert_eq!(media.rtc.unwrap().role, DtlsRole::Active, "the peer has chosen");
    }
}

#[test]
fn a_stream_that_goes_with_its_bundle_only_is_taken() {
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtcp-mux\r\n\
        a=ice-ufrag:vvvv\r\na=ice-pwd:vvvvvvvvvvvvvvvvvvvvvv\r\na=setup:active\r\n";
    let mut base = browsers_offer().replace("BUNDLE 0", "BUNDLE v 0").replace("audio 54311", "audio 0");
    for line in ["a=ice-ufrag:Fq3+\r\n", "a=ice-pwd:qWeRtYuIoPaSdFgHjKlZxC12\r\n", "a=setup:actpass\r\n"] {
        base = base.replace(line, "");
    }
    let (head, audio) = base.split_once("m=audio").unwrap();
    let offer = format!("{head}{video}m=audio{audio}a=bundle-only\r\n");
    assert!(is_webrtc(offer.as_bytes()));
    let (text, media) = answered(&offer, &CODECS);
    assert!(text.contains("m=audio 40000 "), "{text}");
    let theirs = media.rtc.unwrap();
    assert_eq!((theirs.ice.ufrag.as_str(), theirs.role), ("vvvv", DtlsRole::Passive));
}

#[test]
fn holds_and_restarts_are_understood() {
    let (_, media) = answered(&browsers_offer().replace("a=sendrecv", "a=sendonly"), &CODECS);
    assert_eq!(media.direction, Direction::RecvOnly);
    let (text, media) = answered(&browsers_offer().replace("a=sendrecv", "a=inactive"), &CODECS);
    assert!(text.contains("a=inactive\r\n") && media.direction == Direction::Inactive);
    let theirs = media.rtc.unwrap();
    assert!(!ice_restarts(browsers_offer().as_bytes(), &theirs));
    assert!(ice_restarts(browsers_offer().replace("Fq3+", "Fq4+").as_bytes(), &theirs));
    assert!(ice_restarts(browsers_offer().replace("xC12", "xC13").as_bytes(), &theirs));
    assert!(!ice_restarts(b"v=0\r\n", &theirs));
}

#[test]
fn a_peer_without_mids_and_extensions_is_answered_without() {
    let offer = browsers_offer()
        .replace("a=group:BUNDLE 0\r\n", "")
        .replace("a=mid:0\r\n", "")
        .replace("sdes:mid", "sdes:rtp-stream-id");
    let (text, media) = answered(&offer, &CODECS);
    assert!(!text.contains("a=mid") && !text.contains("a=group") && !text.contains("a=extmap"), "{text}");
    let theirs = media.rtc.unwrap();
    assert_eq!((theirs.mid.as_str(), theirs.mid_extension), ("0", None));
    let odd = browsers_offer().replace("a=mid:0\r\n", "a=mid:0 a=evil\rx\r\n");
    assert!(!answered(&odd, &CODECS).0.contains("evil"));
}

#[test]
fn what_is_secret_is_not_shown() {
    let session = Session::parse(browsers_offer().as_bytes()).map(|session| format!("{session:?}")).unwrap();
    assert!(!session.contains("qWeRtY"));
    let (_, media) = answered(&browsers_offer(), &CODECS);
    assert!(!format!("{media:?}{:?}", local()).contains("qWeRtY"));
    assert!(!format!("{:?}", local()).contains("abcdefgh"));
}

fn any_side() -> impl Strategy<Value = Local> {
    let ice = "[a-zA-Z0-9+/]{4,20}";
    let password = "[a-zA-Z0-9+/]{22,40}";
    (any::<[u8; 3]>(), 1024u16.., ice, password, any::<[u8; 32]>(), any::<u64>()).prop_map(
        |([a, b, c], port, ufrag, password, fingerprint, session_id)| {
            let rtp = (IpAddr::from([10, a, b, c]), port).into();
            let ice = IceLogin { ufrag, password: Redacted(password) };
            let rtc = Some(Ours { ice, fingerprint: Fingerprint(fingerprint), role: None });
            Local { rtp, rtcp: rtp, session_id, version: 1, rtc }
        },
    )
}

fn any_codecs() -> impl Strategy<Value = Vec<Codec>> {
    prop::sample::subsequence(CODECS.to_vec(), 1..=4).prop_shuffle()
}

fn any_direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ])
}

/// A browser's offer with lines of it left out, doubled, or garbled.
fn any_browser() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..4u8, any::<prop::sample::Index>(), any::<char>());
    proptest::collection::vec(change, 0..8).prop_map(|changes| {
        let mut lines: Vec<String> = browsers_offer().lines().map(str::to_owned).collect();
        for (line, what, at, with) in changes {
            let count = lines.len();
            let line = line.index(count);
            match what {
                0 if lines.len() > 1 => drop(lines.remove(line)),
                1 => lines.insert(at.index(count), lines[line].clone()),
                2 => lines.swap(line, at.index(count)),
                _ => {
                    let text = lines[line].clone();
                    let place = at.index(text.chars().count());
                    lines[line] =
                        text.chars().enumerate().map(|(n, c)| if n == place { with } else { c }).collect();
                }
            }
        }
        lines.iter().fold(String::new(), |mut text, line| {
            let _ = write!(text, "{line}\r\n");
            text
        })
    })
}

fn says(ours: &Local, theirs: &crate::media::rtc::Theirs) -> bool {
    let ours = ours.rtc.as_ref().unwrap();
    ours.ice == theirs.ice && ours.fingerprint == theirs.fingerprint
}

proptest! {
    #[test]
    fn offer_answer_and_accept_agree(
        ours in any_side(), theirs in any_side(), codecs in any_codecs(), prefer in any_codecs(),
        direction in any_direction(), want in any_direction(),
    ) {
        let offered = offer(&ours, &Terms { direction, ..terms(&codecs) });
        match answer(&offered, &theirs, &Terms { direction: want, ..terms(&prefer) }) {
            Err(error) => {
                prop_assert_eq!(error, SdpError::NoUsableAudio(Unusable::Codec));
                prop_assert!(!prefer.iter().any(|codec| codecs.contains(codec)));
            }
            Ok((bytes, at_theirs)) => {
                let at_ours = accept(&bytes, &offered, &ours, &Terms { direction, ..terms(&codecs) }).unwrap();
                prop_assert_eq!((at_ours.codec, at_ours.payload_type), (at_theirs.codec, at_theirs.payload_type));
                prop_assert_eq!(at_ours.dtmf, at_theirs.dtmf);
                prop_assert_eq!(at_ours.dtmf.map(|events| events.clock), Some(at_ours.codec.clock()));
                let (send, recv) = flows(at_ours.direction);
                prop_assert_eq!(flows(at_theirs.direction), (recv, send));
                let (a, b) = (at_ours.rtc.unwrap(), at_theirs.rtc.unwrap());
                prop_assert!(says(&theirs, &a) && says(&ours, &b));
                prop_assert_ne!(a.role, b.role);
                prop_assert_eq!((a.mid, a.mid_extension), (b.mid, b.mid_extension));
                prop_assert!(!ice_restarts(&offered, &at_theirs_again(&b.ice, &offered, &theirs)));
                // And once more, the other way round.
                let again = reoffer(&bytes, &theirs, &terms(&[at_theirs.codec])).unwrap();
                let (reply, media) = answer(&again, &ours, &terms(&[at_theirs.codec])).unwrap();
                prop_assert_eq!(media.payload_type, at_theirs.payload_type);
                prop_assert!(accept(&reply, &again, &theirs, &terms(&[at_theirs.codec])).is_ok());
            }
        }
    }

    #[test]
    fn whatever_a_browser_says_the_answer_fits(offer in any_browser(), prefer in any_codecs()) {
        if let Ok((bytes, media)) = answer(offer.as_bytes(), &local(), &terms(&prefer)) {
            let (offered, answered) = (Session::parse(offer.as_bytes()).unwrap(), Session::parse(&bytes).unwrap());
            prop_assert_eq!(offered.media.len(), answered.media.len());
            for (theirs, ours) in offered.media.iter().zip(&answered.media) {
                prop_assert_eq!((theirs.kind, theirs.protocol, theirs.mid), (ours.kind, ours.protocol, ours.mid));
            }
            prop_assert!(media.rtc.is_some() && media.rtcp_mux && media.crypto.is_none());
            prop_assert!(prefer.contains(&media.codec));
            prop_assert!(reoffer(&bytes, &local(), &terms(&prefer)).is_ok());
        }
        let ours = super::offer(&local(), &terms(&prefer));
        if let Ok(media) = accept(offer.as_bytes(), &ours, &local(), &terms(&prefer)) {
            prop_assert!(media.rtc.is_some() && prefer.contains(&media.codec));
        }
    }
}

/// The peer's side as the answerer of `offered` has it, with these credentials.
fn at_theirs_again(ice: &IceLogin, offered: &[u8], local: &Local) -> crate::media::rtc::Theirs {
    let media = answer(offered, local, &terms(&CODECS)).unwrap().1;
    crate::media::rtc::Theirs { ice: ice.clone(), ..*media.rtc.unwrap() }
}
