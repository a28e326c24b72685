use proptest::prelude::*;

use super::*;
use crate::media::Events;
use crate::sip::core::sdp::Fault;

const BOTH: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

/// Plain audio with `codecs`.
fn plain(codecs: &[Codec], direction: Direction) -> Terms<'_> {
    Terms { codecs, direction, ..Terms::default() }
}

fn both() -> Terms<'static> {
    plain(&BOTH, Direction::SendRecv)
}

fn local() -> Local {
    Local {
        rtp: "203.0.113.1:40000".parse().unwrap(),
        rtcp: "203.0.113.1:40001".parse().unwrap(),
        session_id: 77,
        version: 3,
        rtc: None,
    }
}

fn offer_with(lines: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{lines}")
}

fn answer_to(lines: &str) -> Result<(String, LegMedia), SdpError> {
    let (bytes, media) = answer(offer_with(lines).as_bytes(), &local(), &both())?;
    Ok((String::from_utf8(bytes.to_vec()).unwrap(), media))
}

fn media_of(lines: &str) -> LegMedia {
    answer_to(lines).unwrap().1
}

#[test]
fn a_plain_offer_gets_a_plain_answer() {
    let lines = "m=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";
    let (text, media) = answer_to(lines).unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 77 3 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n"
    );
    assert_eq!(
        media,
        LegMedia {
            remote_rtp: "192.0.2.1:6000".parse().unwrap(),
            remote_rtcp: "192.0.2.1:6001".parse().unwrap(),
            rtcp_mux: false,
            codec: Codec::Pcma,
            payload_type: 8,
            receive: vec![(8, Codec::Pcma)],
            dtmf: Some(Events { send: 101, receive: 101, clock: 8_000 }),
            comfort_noise: None,
            direction: Direction::SendRecv,
            ptime: 20,
            crypto: None,
            rtc: None,
            in_band_digits: false,
            signalled_from: None,
        }
    );
}

#[test]
fn our_preference_decides_and_payload_types_are_theirs() {
    let pick = |prefer: &[Codec], lines: &str| {
        let (_, media) =
            answer(offer_with(lines).as_bytes(), &local(), &plain(prefer, Direction::SendRecv)).unwrap();
        (media.codec, media.payload_type)
    };
    assert_eq!(pick(&[Codec::Pcmu, Codec::Pcma], "m=audio 6000 RTP/AVP 8 0\n"), (Codec::Pcmu, 0));
    assert_eq!(pick(&[Codec::Pcma], "m=audio 6000 RTP/AVP 0 8\n"), (Codec::Pcma, 8));
    let swapped = "m=audio 6000 RTP/AVP 0 8\na=rtpmap:0 PCMA/8000\na=rtpmap:8 pcmu/8000/1\n";
    assert_eq!(pick(&BOTH, swapped), (Codec::Pcma, 0), "rtpmap overrides the static table");
    let dynamic = "m=audio 6000 RTP/AVP 9 97 98\na=rtpmap:97 PCMU/16000\na=rtpmap:98 PCMU/8000\n";
    assert_eq!(pick(&BOTH, dynamic), (Codec::Pcmu, 98));
}

#[test]
fn telephone_event_keeps_the_offers_number() {
    let event =
        "m=audio 6000 RTP/AVP 8 96 97\na=rtpmap:96 telephone-event/48000\na=rtpmap:97 Telephone-Event/8000\n";
    let (text, media) = answer_to(event).unwrap();
    assert_eq!(media.dtmf.map(|events| events.receive), Some(97));
    assert!(text.contains("m=audio 40000 RTP/AVP 8 97\r\n") && text.contains("a=fmtp:97 0-15\r\n"));
    let sipp = "m=audio 6000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n";
    assert_eq!(media_of(sipp).dtmf.map(|events| events.receive), Some(96));
    let unlisted = "m=audio 6000 RTP/AVP 8\na=rtpmap:101 telephone-event/8000\n";
    let (text, media) = answer_to(unlisted).unwrap();
    assert_eq!(media.dtmf.map(|events| events.receive), None);
    assert!(!text.contains("telephone-event"));
}

#[test]
fn a_softphones_offer_is_understood() {
    // What baresip 1.0 offers, line by line.
    let offer = "v=0\r\no=- 1909974706 566236777 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
        a=tool:baresip 1.0.0\r\nm=audio 35098 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=label:1\r\na=rtcp-rsize\r\n\
        a=ssrc:1728953348 cname:sip:a@127.0.0.1:15998\r\na=minptime:20\r\na=ptime:20\r\n";
    let (_, media) = answer(offer.as_bytes(), &local(), &both()).unwrap();
    assert_eq!(media.remote_rtp, "192.0.2.2:35098".parse().unwrap());
    assert_eq!(
        (media.payload_type, media.dtmf.map(|events| events.receive), media.ptime),
        (8, Some(101), 20)
    );
}

#[test]
fn other_streams_are_refused_in_place() {
    let lines = "m=video 7000/2 RTP/AVP 31 99\r\na=rtpmap:99 H264/90000\r\nm=audio 0 RTP/AVP 0\r\n\
        m=audio 6000 RTP/SAVP 8\r\nm=audio 6002 RTP/AVP 18\r\nm=audio 6004 RTP/AVP 8\r\n\
        m=audio 6006 RTP/AVP 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    let (text, media) = answer_to(lines).unwrap();
    assert_eq!(media.remote_rtp.port(), 6004);
    let streams: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        streams,
        [
            "m=video 0 RTP/AVP 31 99",
            "m=audio 0 RTP/AVP 0",
            "m=audio 0 RTP/SAVP 8",
            "m=audio 0 RTP/AVP 18",
            "m=audio 40000 RTP/AVP 8",
            "m=audio 0 RTP/AVP 0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
}

#[test]
fn what_cannot_be_used_says_why() {
    let why = |text: &str| match answer(text.as_bytes(), &local(), &both()) {
        Err(error @ SdpError::NoUsableAudio(why)) => {
            assert_eq!(error.status(), 488);
            why
        }
        other => panic!("{text} gave {other:?}"),
    };
    assert_eq!(why(&offer_with("")), Unusable::NoAudio);
    assert_eq!(why(&offer_with("m=video 6000 RTP/AVP 31\n")), Unusable::NoAudio);
    assert_eq!(why(&offer_with("m=audio 0 RTP/AVP 0\n")), Unusable::Refused);
    assert_eq!(why(&offer_with("m=audio 6000 RTP/SAVP 0\n")), Unusable::Sealed);
    assert_eq!(why(&offer_with("m=audio 6000 UDP/TLS/RTP/SAVPF 0\n")), Unusable::Protocol);
    assert_eq!(why(&offer_with("m=audio 6000/2 RTP/AVP 0\n")), Unusable::Protocol);
    assert_eq!(why(&offer_with("m=audio 6000 RTP/AVP 9 18\n")), Unusable::Codec);
    assert_eq!(why("v=0\nm=audio 6000 RTP/AVP 0\n"), Unusable::Address);
    for c in ["IP4 media.example.com", "IP4 239.1.1.1/64", "IP4 255.255.255.255", "IP6 2001:db8::1", "X25 1"]
    {
        assert_eq!(why(&format!("v=0\nc=IN {c}\nm=audio 6000 RTP/AVP 0\n")), Unusable::Address, "{c}");
    }
    let broken = answer(b"v=0\nm=audio\n", &local(), &both()).unwrap_err();
    assert_eq!((broken.status(), broken.to_string().starts_with("SDP line 2: ")), (400, true), "{broken}");
    assert_eq!(broken, SdpError::Malformed { line: 2, fault: Fault::Media });
}

#[test]
fn directions_meet_as_rfc_3264_says() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    // Offer, what we want, what the answer says (RFC 3264 §6.1).
    for (offered, want, expected) in [
        ("sendrecv", SendRecv, SendRecv),
        ("sendrecv", SendOnly, SendOnly),
        ("sendrecv", RecvOnly, RecvOnly),
        ("sendrecv", Inactive, Inactive),
        ("sendonly", SendRecv, RecvOnly),
        ("sendonly", RecvOnly, RecvOnly),
        ("sendonly", SendOnly, Inactive),
        ("recvonly", SendRecv, SendOnly),
        ("recvonly", RecvOnly, Inactive),
        ("inactive", SendRecv, Inactive),
        ("unknown", SendRecv, SendRecv),
    ] {
        let text = offer_with(&format!("m=audio 6000 RTP/AVP 0\r\na={offered}\r\n"));
        let (bytes, media) = answer(text.as_bytes(), &local(), &plain(&BOTH, want)).unwrap();
        assert_eq!(media.direction, expected, "{offered} {want:?}");
        let line = format!("\r\na={}\r\n", write::attribute(expected));
        assert!(std::str::from_utf8(&bytes).unwrap().contains(&line));
    }
}

#[test]
fn hold_by_address_stops_our_sending() {
    let hold = |c: &str, direction: &str| {
        let text = format!("v=0\nc=IN {c}\na={direction}\nm=audio 6000 RTP/AVP 0\n");
        answer(text.as_bytes(), &local(), &both()).unwrap().1.direction
    };
    assert_eq!(hold("IP4 0.0.0.0", "sendrecv"), Direction::RecvOnly);
    assert_eq!(hold("IP4 0.0.0.0", "sendonly"), Direction::RecvOnly);
    assert_eq!(hold("IP4 0.0.0.0", "inactive"), Direction::Inactive);
    assert_eq!(hold("IP4 0.0.0.0", "recvonly"), Direction::Inactive);
    assert_eq!(hold("IP6 held.invalid", "sendrecv"), Direction::RecvOnly);
}

#[test]
fn rtcp_goes_where_it_is_wanted() {
    let rtcp = |lines: &str| {
        let media = media_of(&format!("m=audio 6000 RTP/AVP 8\r\n{lines}"));
        (media.remote_rtcp.to_string(), media.rtcp_mux)
    };
    assert_eq!(rtcp(""), ("192.0.2.1:6001".to_owned(), false));
    assert_eq!(rtcp("a=rtcp:7001\r\n"), ("192.0.2.1:7001".to_owned(), false));
    assert_eq!(rtcp("a=rtcp:7001 IN IP4 192.0.2.9\r\n"), ("192.0.2.9:7001".to_owned(), false));
    assert_eq!(rtcp("a=rtcp:7001\r\na=rtcp-mux\r\n"), ("192.0.2.1:6000".to_owned(), true));
    assert!(answer_to("m=audio 6000 RTP/AVP 8\r\na=rtcp-mux\r\n").unwrap().0.contains("a=rtcp-mux\r\n"));
    let clash = "m=audio 6000 RTP/AVP 72\r\na=rtpmap:72 PCMA/8000\r\na=rtcp-mux\r\n";
    assert!(!media_of(clash).rtcp_mux, "payload type 72 with a marker looks like RTCP 200");
    assert_eq!(media_of("m=audio 65535 RTP/AVP 8\r\n").remote_rtcp.port(), 65_535);
}

#[test]
fn our_own_rtcp_port_is_named_when_it_is_not_the_next() {
    let at = |rtcp: &str| {
        let local = Local { rtcp: rtcp.parse().unwrap(), ..local() };
        String::from_utf8(offer(&local, &both()).to_vec()).unwrap()
    };
    assert!(!at("203.0.113.1:40001").contains("a=rtcp:"));
    assert!(at("203.0.113.1:40000").contains("a=rtcp:40000\r\n"));
    assert!(at("203.0.113.2:40001").contains("a=rtcp:40001 IN IP4 203.0.113.2\r\n"));
}

#[test]
fn packet_time_is_the_peers_wish_within_limits() {
    let ptime = |lines: &str| media_of(&format!("m=audio 6000 RTP/AVP 8\r\n{lines}")).ptime;
    assert_eq!(ptime(""), 20);
    assert_eq!(ptime("a=ptime:30\r\n"), 30);
    assert_eq!(ptime("a=ptime:25\r\n"), 20);
    assert_eq!(ptime("a=ptime:1000\r\n"), 60);
    assert_eq!(ptime("a=maxptime:10\r\n"), 10);
    assert_eq!(ptime("a=ptime:40\r\na=maxptime:30\r\n"), 30);
    assert_eq!(ptime("a=ptime:0\r\na=maxptime:0\r\n"), 20);
    assert_eq!(ptime("a=ptime:4\r\n"), 10);
}

#[test]
fn ipv6_is_spoken() {
    let local = Local {
        rtp: "[2001:db8::5]:40000".parse().unwrap(),
        rtcp: "[2001:db8::5]:40001".parse().unwrap(),
        ..local()
    };
    let text = "v=0\nc=IN IP6 2001:db8::1\nt=3034423619 3042462419\nm=audio 6000 RTP/AVP 0\n";
    let (bytes, media) = answer(text.as_bytes(), &local, &both()).unwrap();
    assert_eq!(media.remote_rtp, "[2001:db8::1]:6000".parse().unwrap());
    let answer = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(answer.contains("c=IN IP6 2001:db8::5\r\n"), "{answer}");
    assert!(answer.contains("t=3034423619 3042462419\r\n"), "the offer's time is repeated");
}

#[test]
fn their_answer_is_read_in_their_order() {
    let read =
        |lines: &str| accept(offer_with(lines).as_bytes(), &offer(&local(), &both()), &local(), &both());
    assert_eq!(read("m=audio 6000 RTP/AVP 0 8\r\n").unwrap().codec, Codec::Pcmu);
    assert_eq!(read("m=audio 0 RTP/AVP 8\r\n").unwrap_err(), SdpError::NoUsableAudio(Unusable::Refused));
    assert_eq!(read("m=video 1 RTP/AVP 8\r\n").unwrap_err(), SdpError::NoUsableAudio(Unusable::NoAudio));
    let only = accept(
        offer_with("m=audio 6000 RTP/AVP 0 8\n").as_bytes(),
        &offer(&local(), &plain(&[Codec::Pcma], Direction::SendRecv)),
        &local(),
        &plain(&[Codec::Pcma], Direction::SendRecv),
    )
    .unwrap();
    assert_eq!(only.payload_type, 8, "what we did not offer does not count");
    assert_eq!(read("m=audio 6000 RTP/AVP 8\r\na=recvonly\r\n").unwrap().direction, Direction::SendOnly);
}

#[test]
fn a_later_offer_keeps_places_and_payload_types() {
    let lines = "m=video 7000 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 98 96\r\na=rtpmap:98 PCMU/8000\r\n\
        a=rtpmap:96 telephone-event/8000\r\nm=audio 6002 RTP/AVP 0\r\n";
    let (ours, media) = answer_to(lines).unwrap();
    assert_eq!((media.payload_type, media.dtmf.map(|events| events.receive)), (98, Some(96)));
    let later = Local { version: 4, ..local() };
    let bytes =
        reoffer(ours.as_bytes(), &later, &plain(&[Codec::Pcmu, Codec::Pcma], Direction::SendOnly)).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let streams: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(streams, ["m=video 0 RTP/AVP 31", "m=audio 40000 RTP/AVP 98 8 96", "m=audio 0 RTP/AVP 0"]);
    assert!(text.contains("o=- 77 4 IN") && text.contains("a=sendonly\r\n"), "{text}");
    let theirs =
        Local { rtp: "192.0.2.1:6000".parse().unwrap(), rtcp: "192.0.2.1:6001".parse().unwrap(), ..local() };
    let (reply, _) = answer(&bytes, &theirs, &both()).unwrap();
    let agreed = accept(&reply, &bytes, &later, &both()).unwrap();
    assert_eq!((agreed.codec, agreed.dtmf.map(|events| events.receive)), (Codec::Pcma, Some(96)));
    assert_eq!((agreed.remote_rtp, agreed.direction), (theirs.rtp, Direction::SendOnly));
    assert!(reoffer(b"v=0\r\n", &later, &both()).is_err());
}

#[test]
fn every_codec_is_offered_with_its_events() {
    let all = [Codec::Opus, Codec::G722, Codec::Pcma];
    let terms = Terms { codecs: &all, comfort_noise: true, ptime: Some(30), ..Terms::default() };
    let text = String::from_utf8(offer(&local(), &terms).to_vec()).unwrap();
    for line in [
        "m=audio 40000 RTP/AVP 111 9 8 13 110 101\r\n",
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1;minptime=10\r\n",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:13 CN/8000\r\n",
        "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\na=rtpmap:101 telephone-event/8000\r\n",
        "a=ptime:30\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    // The answer gives numbers of its own, and the same codec another than ours.
    let reply = "m=audio 6000 RTP/AVP 96 97 8\r\na=rtpmap:96 OPUS/48000/2\r\na=fmtp:96 stereo=0; minptime=40\r\n\
        a=rtpmap:97 telephone-event/48000\r\na=ptime:20\r\n";
    let media = accept(offer_with(reply).as_bytes(), text.as_bytes(), &local(), &terms).unwrap();
    assert_eq!((media.codec, media.payload_type, media.ptime), (Codec::Opus, 96, 40));
    assert_eq!(media.receive, [(111, Codec::Opus), (96, Codec::Opus), (8, Codec::Pcma)]);
    assert_eq!(media.dtmf, Some(Events { send: 97, receive: 110, clock: 48_000 }));
    assert_eq!(media.comfort_noise, None);
    let reply = "m=audio 6000 RTP/AVP 9 13 100\r\na=rtpmap:100 telephone-event/8000\r\n";
    let media = accept(offer_with(reply).as_bytes(), text.as_bytes(), &local(), &terms).unwrap();
    assert_eq!((media.codec, media.comfort_noise), (Codec::G722, Some(13)));
    assert_eq!(media.dtmf, Some(Events { send: 100, receive: 101, clock: 8_000 }));
}

#[test]
fn events_go_by_the_clock_of_the_audio_or_what_there_is() {
    let terms = Terms { codecs: &[Codec::Opus], ..Terms::default() };
    let opus =
        "m=audio 6000 RTP/AVP 96 97 98\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/8000\r\n";
    let both = format!("{opus}a=rtpmap:98 telephone-event/48000\r\n");
    let clock =
        |text: &str| answer(offer_with(text).as_bytes(), &local(), &terms).unwrap().1.dtmf.map(|e| e.clock);
    assert_eq!((clock(opus), clock(&both)), (Some(8_000), Some(48_000)));
}

#[test]
fn opus_gets_packets_it_can_make() {
    let terms = Terms { codecs: &[Codec::Opus], ..Terms::default() };
    for (asked, made) in [(10, 10), (30, 20), (40, 40), (50, 40), (60, 60), (120, 60)] {
        let lines = format!("m=audio 6000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\na=ptime:{asked}\n");
        assert_eq!(answer(offer_with(&lines).as_bytes(), &local(), &terms).unwrap().1.ptime, made);
    }
}

#[test]
fn a_number_keeps_its_meaning_in_later_offers() {
    // They gave the numbers we like best to other things.
    let lines =
        "m=audio 6000 RTP/AVP 111 101\r\na=rtpmap:111 telephone-event/8000\r\na=rtpmap:101 PCMA/8000\r\n";
    let (ours, _) = answer_to(lines).unwrap();
    let terms = Terms { codecs: &[Codec::Opus, Codec::Pcma, Codec::Pcmu], ..Terms::default() };
    let later = reoffer(ours.as_bytes(), &local(), &terms).unwrap();
    let session = Session::parse(&later).unwrap();
    let formats = formats::of(&session.media[0]);
    assert_eq!(formats::number(&formats, Encoding::Audio(Codec::Pcma)), Some(101));
    assert_eq!(formats::number(&formats, Encoding::Events(8_000)), Some(111));
    assert_eq!(formats::number(&formats, Encoding::Audio(Codec::Opus)), Some(96));
}

#[test]
fn recording_is_told_and_wishes_are_read() {
    use crate::sip::core::sdp::{RecordState, RecordWish, record_wish};
    for (state, line) in [
        (RecordState::On, "a=record:on\r\n"),
        (RecordState::Off, "a=record:off\r\n"),
        (RecordState::Paused, "a=record:paused\r\n"),
    ] {
        let terms = Terms { record: Some(state), ..Terms::default() };
        let text = offer(&local(), &terms);
        assert!(std::str::from_utf8(&text).unwrap().contains(line));
        let (reply, _) = answer(&text, &local(), &terms).unwrap();
        assert!(std::str::from_utf8(&reply).unwrap().contains(line));
    }
    assert!(!std::str::from_utf8(&offer(&local(), &both())).unwrap().contains("a=record"));
    let wish = |line: &str| record_wish(offer_with(&format!("m=audio 6000 RTP/AVP 0\r\n{line}")).as_bytes());
    assert_eq!(wish("a=recordpref:off\r\n"), Some(RecordWish::Off));
    assert_eq!(wish("a=recordpref:pause\r\n"), Some(RecordWish::Pause));
    assert_eq!(
        (wish("a=recordpref:what\r\n"), wish("a=record:on\r\n"), record_wish(b"x")),
        (None, None, None)
    );
}

#[test]
fn hold_is_understood_in_every_style() {
    let held = |head: &str, stream: &str| {
        let text = format!("v=0\n{head}m=audio 6000 RTP/AVP 0\n{stream}");
        answer(text.as_bytes(), &local(), &both()).unwrap().1.direction
    };
    let here = "c=IN IP4 192.0.2.1\n";
    assert_eq!(held(here, "a=sendonly\n"), Direction::RecvOnly);
    assert_eq!(held(&format!("{here}a=inactive\n"), ""), Direction::Inactive);
    assert_eq!(
        held(&format!("{here}a=sendonly\n"), "a=sendrecv\n"),
        Direction::SendRecv,
        "the stream's own counts"
    );
    assert_eq!(held(here, "c=IN IP4 0.0.0.0\n"), Direction::RecvOnly);
    assert_eq!(held("c=IN IP6 ::\n", ""), Direction::RecvOnly);
    assert_eq!(held(here, "c=IN IP6 ::\na=inactive\n"), Direction::Inactive);
}

fn any_direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::SendRecv),
        Just(Direction::SendOnly),
        Just(Direction::RecvOnly),
        Just(Direction::Inactive)
    ]
}

fn any_codecs() -> impl Strategy<Value = Vec<Codec>> {
    prop_oneof![
        Just(vec![Codec::Pcma]),
        Just(vec![Codec::Pcmu]),
        Just(vec![Codec::Pcma, Codec::Pcmu]),
        Just(vec![Codec::Pcmu, Codec::Pcma, Codec::Pcmu])
    ]
}

fn any_local() -> impl Strategy<Value = Local> {
    (any::<[u8; 3]>(), 1024u16..65_000, 1024u16..65_000, any::<u64>(), any::<u64>()).prop_map(
        |([a, b, c], rtp, rtcp, session_id, version)| {
            let ip = IpAddr::from([10, a, b, c]);
            Local { rtp: (ip, rtp).into(), rtcp: (ip, rtcp).into(), session_id, version, rtc: None }
        },
    )
}

/// Lines that look like SDP more often than not.
fn any_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => prop_oneof![6 => "audio", 1 => "video", 1 => "image"].prop_flat_map(|kind| {
            prop_oneof![1 => "0", 6 => "6000", 1 => "6000/2"].prop_flat_map(move |port| {
                let kind = kind.clone();
                prop_oneof![6 => "RTP/AVP", 1 => "RTP/SAVPF", 1 => "udptl"].prop_flat_map(move |protocol| {
                    let start = format!("m={kind} {port} {protocol}");
                    "( (0|8|9|18|96|101)){1,5}".prop_map(move |formats| format!("{start}{formats}"))
                })
            })
        }),
        4 => "a=rtpmap:(0|8|96|101) (PCMA|PCMU|telephone-event|G729)/(8000|16000)",
        2 => "c=IN (IP4 (0\\.0\\.0\\.0|192\\.0\\.2\\.7)|IP6 2001:db8::7)",
        2 => "a=(sendonly|recvonly|inactive|sendrecv|rtcp-mux|ptime:[0-9]{1,3}|rtcp:[0-9]{1,4})",
        1 => "[a-z]=[ -~]{0,20}",
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\r\n"))
}

proptest! {
    #[test]
    fn offer_answer_accept_agree(
        ours in any_local(), theirs in any_local(), codecs in any_codecs(),
        prefer in any_codecs(), direction in any_direction(), want in any_direction(),
    ) {
        let offered = offer(&ours, &plain(&codecs, direction));
        prop_assert!(Session::parse(&offered).is_ok());
        match answer(&offered, &theirs, &plain(&prefer, want)) {
            Err(error) => {
                prop_assert_eq!(error, SdpError::NoUsableAudio(Unusable::Codec));
                prop_assert!(!prefer.iter().any(|codec| codecs.contains(codec)));
            }
            Ok((bytes, at_theirs)) => {
                let at_ours = accept(&bytes, &offered, &ours, &plain(&codecs, direction)).unwrap();
                prop_assert_eq!(at_ours.codec, at_theirs.codec);
                prop_assert_eq!(at_ours.payload_type, at_theirs.payload_type);
                prop_assert_eq!(at_ours.dtmf.map(|events| events.receive), Some(101));
                prop_assert_eq!(at_theirs.dtmf.map(|events| events.receive), Some(101));
                let (send, recv) = flows(at_ours.direction);
                prop_assert_eq!(flows(at_theirs.direction), (recv, send), "one sends what the other receives");
                prop_assert_eq!(at_theirs.direction, meet(at_theirs.direction, want));
                prop_assert_eq!(at_ours.direction, meet(at_ours.direction, direction));
                prop_assert_eq!(at_ours.remote_rtp, theirs.rtp);
                prop_assert_eq!(at_theirs.remote_rtp, ours.rtp);
                prop_assert!(at_ours.rtcp_mux && at_theirs.rtcp_mux);
            }
        }
    }

    #[test]
    fn an_answer_has_the_offers_streams(lines in any_lines()) {
        let text = offer_with(&lines);
        if let Ok((bytes, media)) = answer(text.as_bytes(), &local(), &both()) {
            let (offer, answer) = (Session::parse(text.as_bytes()).unwrap(), Session::parse(&bytes).unwrap());
            prop_assert_eq!(offer.media.len(), answer.media.len());
            for (theirs, ours) in offer.media.iter().zip(&answer.media) {
                prop_assert_eq!(theirs.kind, ours.kind);
                prop_assert_eq!(theirs.protocol, ours.protocol);
                prop_assert!(ours.port == 0 && ours.formats == theirs.formats
                    || ours.formats.iter().all(|format| theirs.formats.contains(format)));
            }
            let accepted = answer.media.iter().filter(|stream| stream.port != 0).count();
            prop_assert_eq!(accepted, 1);
            prop_assert!(!media.remote_rtp.ip().is_unspecified() || !flows(media.direction).0);
            let later = reoffer(&bytes, &local(), &plain(&[media.codec, Codec::Pcma, Codec::Pcmu], media.direction)).unwrap();
            let later = Session::parse(&later).unwrap();
            prop_assert_eq!(later.media.len(), answer.media.len());
            for (now, before) in later.media.iter().zip(&answer.media) {
                let unique: std::collections::BTreeSet<_> = now.formats.iter().collect();
                prop_assert!(now.port == 0 || unique.len() == now.formats.len());
                prop_assert!(before.formats.iter().all(|format| now.formats.contains(format)));
                prop_assert_eq!(now.port, before.port);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = answer(&bytes, &local(), &both());
        let _ = accept(&[&b"v=0\n"[..], &bytes].concat(), &offer(&local(), &both()), &local(), &both());
    }
}
