//! Writes the first inputs of each target into `corpus/<target>/`: calls in full, descriptions,
//! packets, a WAV. The fuzzer goes on from there.

use std::fs;
use std::path::Path;

// Brings the counters' runtime, which our instrumented library wants.
use libfuzzer_sys as _;
use sayso::prompts::wav;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 9 96 101 13\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n\
    a=crypto:2 AEAD_AES_256_GCM inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXI=\r\n\
    a=rtcp:4001\r\na=rtcp-mux\r\na=record:on\r\na=recordpref:off\r\nm=video 0 RTP/AVP 31\r\n";

/// A browser's offer, with a second stream in its bundle.
const WEBRTC: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:aaaa\r\n\
    a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\na=sendrecv\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtpmap:111 opus/48000/2\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=ssrc:7 cname:x\r\n\
    m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=bundle-only\r\na=rtcp-mux\r\n";

const CERTIFICATE: &str = "{\"algorithm\":\"Ed25519\",\"certificate\":{\"document\":\"x\",\"version\":1,\"audit\":{\"n\":1}},\
    \"public_key\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"signature\":\"00\"}";

/// What a certificate says, in canonical form.
const CONTENT: &str = "{\"audit\":{\"hash\":\"abababababababababababababababababababababababababababababababab\",\"n\":4711},\
    \"by\":\"system\",\"call\":\"00000000000000000000000008\",\"document\":\"sayso deletion certificate\",\"found_after\":[],\
    \"found_before\":[\"object x\"],\"key_destroyed_at\":\"2026-11-22T09:30:00Z\",\"looked_in\":[\"spool 01K\"],\"not_seen\":[],\
    \"product\":\"sayso\",\"reason\":\"r\",\"recording\":\"00000000000000000000000007\",\"removed_at\":\"2026-11-22T09:30:02Z\",\
    \"rule\":\"withdrawal\",\"version\":1}";

/// A request of the peer: `to` may hold a tag, the body goes last.
fn request(method: &str, cseq: u32, to: &str, extra: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:100@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+4930@10.0.0.2>;tag=f\r\nTo: <sip:100@10.0.0.1>{to}\r\n\
         Call-ID: c\r\nCSeq: {cseq} {method}\r\nContact: <sip:x@10.0.0.2>\r\n{extra}{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A response of the peer to the last request of ours.
fn response(status: &str, method: &str, extra: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=\x01;rport\r\n\
         From: <sip:+4930123@10.0.0.1>;tag=\x02\r\nTo: <sip:x@10.0.0.2>;tag=peer\r\nCall-ID: \x03\r\n\
         CSeq: 1 {method}\r\nContact: <sip:x@10.0.0.2>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Whole calls, in the script of `lib.rs`.
fn scripts() -> Vec<(&'static str, String)> {
    let ours = ";tag=\x02";
    let supported = "Supported: 100rel, timer, replaces\r\nAllow: INVITE, UPDATE, PRACK\r\n\
                     Session-Expires: 90;refresher=uas\r\nMin-SE: 90\r\n";
    let invite = request("INVITE", 1, "", supported, OFFER);
    let ack = request("ACK", 1, ours, "", "");
    let bye = request("BYE", 9, ours, "", "");
    let refer = request("REFER", 3, ours, "Refer-To: <sip:bob@10.0.0.1>\r\nReferred-By: <sip:ada@x>\r\n", "");
    let attended = "Refer-To: <sip:bob@10.0.0.1?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\n";
    let info = "Content-Type: application/dtmf-relay\r\n";
    let in_call = |middle: &str| [&invite, "\x04", &ack, "\x04", middle, "\x04", &bye].concat();
    vec![
        ("call", in_call("")),
        ("update", in_call(&request("UPDATE", 2, ours, supported, OFFER))),
        ("reinvite", in_call(&request("INVITE", 2, ours, supported, OFFER))),
        ("prack", [&invite, "\x04", &request("PRACK", 2, ours, "RAck: 1 1 INVITE\r\n", OFFER)].concat()),
        ("refer", in_call(&refer)),
        ("attended", in_call(&request("REFER", 3, ours, attended, ""))),
        ("notify", in_call(&request("NOTIFY", 4, ours, "Event: refer\r\nSubscription-State: active\r\n", ""))),
        ("info", in_call(&request("INFO", 5, ours, info, "Signal=5\r\nDuration=160\r\n"))),
        ("cancel", [&invite, "\x05", &request("CANCEL", 1, "", "Reason: SIP;cause=200\r\n", "")].concat()),
        ("replaces", request("INVITE", 1, "", "Replaces: a;to-tag=b;from-tag=c\r\n", OFFER)),
        ("register", request("REGISTER", 1, "", "Expires: 60\r\n", "")),
        ("late", [&request("INVITE", 1, "", "", ""), "\x04", &request("ACK", 1, ours, "", OFFER)].concat()),
        ("out", ["\x06", &response("200 OK", "INVITE", supported, OFFER), "\x05"].concat()),
        ("ring", {
            let reliable = "Require: 100rel\r\nRSeq: 1\r\n";
            let ring = response("183 Session Progress", "INVITE", reliable, OFFER);
            ["\x06", &ring, "\x04", &response("486 Busy Here", "INVITE", "", "")].concat()
        }),
        ("challenge", {
            let challenge = "WWW-Authenticate: Digest realm=\"x\",nonce=\"y\",qop=\"auth\",algorithm=MD5\r\n";
            ["\x06", &response("401 Unauthorized", "INVITE", challenge, "")].concat()
        }),
        ("interval", ["\x06", &response("422 Small", "INVITE", "Min-SE: 1900\r\n", "")].concat()),
    ]
}

fn rtp(sequence: u8, payload_type: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80, payload_type, 0, sequence, 0, 0, sequence, 0, 9, 9, 9, 9], payload].concat()
}

/// Sealed files in the script of `targets/sealed.rs`: two full chunks of 8 octets, a short one, an end that fits.
fn sealed() -> Vec<(&'static str, Vec<u8>)> {
    // G.711 has two octets a frame: ten samples.
    let mut end = vec![1];
    end.extend(10u64.to_le_bytes());
    end.extend(0u64.to_le_bytes());
    end.extend(1u32.to_le_bytes());
    end.extend(2u64.to_le_bytes());
    end.extend(2u64.to_le_bytes());
    end.push(16);
    let audio = [3, 5, 0xFF, 3, 6, 0xFF, 0, 1, 2, 3, 4, 0xFF];
    let with = |how: u8, last: &[u8]| [&[how, 1, 1][..], &audio, last].concat();
    vec![
        ("whole", with(0, &[&[1], &end[..]].concat())),
        ("salvaged", with(0, &[&[2], &end[..]].concat())),
        ("cut", with(0, &[])),
        ("trailing", with(0, &[&[1], &end[..], &[0xFF, 9, 8, 7]].concat())),
        ("leftover", with(1, &[9, 0, 1, 2])),
        ("leftover-whole", with(1, &[&[1], &end[..]].concat())),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).ok_or("where to? give a folder")?;
    let put = |target: &str, name: &str, octets: &[u8]| -> std::io::Result<()> {
        let folder = Path::new(&root).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), octets)
    };
    for (name, script) in scripts() {
        put("datagram", name, script.as_bytes())?;
        put("stream", name, &[&[200], script.replace(['\x04', '\x05', '\x06'], "").as_bytes()].concat())?;
    }
    put("sdp", "offer", &[b"1", OFFER.as_bytes()].concat())?;
    put("sdp", "webrtc", &[b"0", WEBRTC.as_bytes()].concat())?;
    let packets = [rtp(1, 8, &[0xD5; 160]), rtp(2, 101, &[5, 0x8A, 3, 0x20]), rtp(9, 13, &[60])];
    let framed: Vec<u8> =
        packets.iter().flat_map(|packet| [&[packet.len() as u8, 20], &packet[..]].concat()).collect();
    put("rtp", "packets", &framed)?;
    for codec in 0..4 {
        put("audio", &format!("packets-{codec}"), &[&[codec], &framed[..]].concat())?;
    }
    put("srtp", "packets", &[&[1], &rtp(1, 8, &[9; 176])[..]].concat())?;
    put("stun", "binding", b"\x00\x01\x00\x00\x21\x12\xA4\x42abcdefghijkl")?;
    let mut report = vec![0x81, 200, 0, 12, 0, 0, 0, 1];
    report.extend([7; 44]);
    put("rtcp", "report", &report)?;
    put("proof", "certificate", CERTIFICATE.as_bytes())?;
    put("proof", "content", format!("!{CONTENT}").as_bytes())?;
    for (name, script) in sealed() {
        put("sealed", name, &script)?;
    }
    let settings = include_str!("../../deploy/demo/settings.toml").lines();
    let open: Vec<&str> = settings.filter(|line| !line.contains("password")).collect();
    put("apply", "demo", open.join("\n").as_bytes())?;
    let file = Path::new(&root).join("clip.wav");
    wav::write_pcm16(&file, 16_000, 2, &[100; 640])?;
    put("wav", "stereo", &fs::read(&file)?)?;
    fs::remove_file(file)?;
    Ok(())
}
