use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::media::srtp::{MasterKey, Suite};

const POLICIES: [SrtpPolicy; 3] = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required];
const THEIR_KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn local(port: u16) -> Local {
    let ip = IpAddr::from([192, 0, 2, 1]);
    Local { rtp: (ip, port).into(), rtcp: (ip, port + 1).into(), session_id: 1, version: 1, rtc: None }
}

fn keys(seed: u8, suites: &[Suite]) -> Vec<MasterKey> {
    let key = |suite: &Suite| {
        let octets = vec![seed; suite.key_len() + suite.salt_len()];
        MasterKey::new(*suite, Zeroizing::new(octets)).unwrap()
    };
    suites.iter().map(key).collect()
}

fn terms(srtp: SrtpPolicy, keys: &[MasterKey]) -> Terms<'_> {
    Terms { srtp, keys, ..Terms::default() }
}

fn stream(protocol: &str, crypto: &str) -> Vec<u8> {
    format!("v=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 6000 {protocol} 8\r\n{crypto}").into_bytes()
}

fn sealed_by(offer: &[u8], srtp: SrtpPolicy) -> Result<Option<Suite>, Unusable> {
    let keys = keys(1, &Suite::ALL);
    match answer(offer, &local(4000), &terms(srtp, &keys)) {
        Ok((_, media)) => Ok(media.crypto.map(|crypto| crypto.receive.suite)),
        Err(SdpError::NoUsableAudio(why)) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_policy_decides_and_never_downgrades() {
    use SrtpPolicy::{Off, Optional, Required};
    let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIR_KEY}\r\n");
    let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\r\n";
    let weak = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIR_KEY} UNENCRYPTED_SRTP\r\n");
    let sealed = Ok(Some(Suite::AesCm128HmacSha1_80));
    for (protocol, crypto, off, optional, required) in [
        ("RTP/AVP", "", Ok(None), Ok(None), Err(Unusable::Plain)),
        ("RTP/AVP", line.as_str(), Ok(None), sealed, sealed),
        ("RTP/AVP", unknown, Ok(None), Ok(None), Err(Unusable::Suite)),
        ("RTP/SAVP", line.as_str(), Err(Unusable::Sealed), sealed, sealed),
        ("RTP/SAVPF", line.as_str(), Err(Unusable::Sealed), sealed, sealed),
        ("RTP/SAVP", "", Err(Unusable::Sealed), Err(Unusable::Plain), Err(Unusable::Plain)),
        ("RTP/SAVP", weak.as_str(), Err(Unusable::Sealed), Err(Unusable::Suite), Err(Unusable::Suite)),
    ] {
        let offer = stream(protocol, crypto);
        assert_eq!(sealed_by(&offer, Off), off, "{protocol} {crypto}");
        assert_eq!(sealed_by(&offer, Optional), optional, "{protocol} {crypto}");
        assert_eq!(sealed_by(&offer, Required), required, "{protocol} {crypto}");
    }
}

#[test]
fn the_strongest_suite_of_both_is_answered_under_its_tag() {
    let gcm = "A".repeat(59);
    let offer = stream(
        "RTP/SAVP",
        &format!(
            "a=crypto:1 AES_CM_128_HMAC_SHA1_32 {THEIR_KEY}\r\na=crypto:7 AEAD_AES_256_GCM inline:{gcm}=\r\n\
             a=crypto:3 AES_CM_128_HMAC_SHA1_80 {THEIR_KEY}|2^20|1:4\r\n"
        ),
    );
    let strong = keys(1, &Suite::ALL);
    let (text, media) = answer(&offer, &local(4000), &terms(SrtpPolicy::Required, &strong)).unwrap();
    let crypto = media.crypto.unwrap();
    assert_eq!((&crypto.send, crypto.receive.suite), (&strong[0], Suite::AeadAes256Gcm));
    let text = std::str::from_utf8(&text).unwrap();
    assert!(
        text.contains("m=audio 4000 RTP/SAVP 8\r\n") && text.contains("a=crypto:7 AEAD_AES_256_GCM inline:")
    );
    assert_eq!(text.matches("a=crypto").count(), 1);
    let fair = keys(1, &[Suite::AesCm128HmacSha1_80]);
    let (_, media) = answer(&offer, &local(4000), &terms(SrtpPolicy::Required, &fair)).unwrap();
    assert_eq!(media.crypto.unwrap().receive.mki, [0, 0, 0, 1]);
}

#[test]
fn an_answer_must_match_what_was_offered() {
    let keys = keys(1, &[Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32]);
    let read = |srtp, protocol: &str, crypto: &str| {
        let terms = terms(srtp, &keys);
        let ours = offer(&local(4000), &terms);
        accept(&stream(protocol, crypto), &ours, &local(4000), &terms).map(|media| media.crypto.is_some())
    };
    let good = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIR_KEY}\r\n");
    let unusable = |why| Err(SdpError::NoUsableAudio(why));
    use SrtpPolicy::{Off, Optional, Required};
    assert_eq!(read(Required, "RTP/SAVP", &good), Ok(true));
    assert_eq!(read(Optional, "RTP/AVP", &good), Ok(true));
    assert_eq!(read(Optional, "RTP/AVP", ""), Ok(false));
    assert_eq!(read(Required, "RTP/SAVP", ""), unusable(Unusable::Plain));
    assert_eq!(read(Required, "RTP/AVP", ""), unusable(Unusable::Plain));
    assert_eq!(read(Off, "RTP/AVP", &good), unusable(Unusable::Suite), "what we did not ask for");
    assert_eq!(read(Off, "RTP/SAVP", ""), unusable(Unusable::Plain));
    for bad in [
        good.replace(":1 ", ":9 "),
        good.replace("_80", "_32"),
        good.replace("WVNf", "W"),
        format!("{good}{}", good.replace(":1 ", ":2 ").replace("_80", "_32")),
    ] {
        assert_eq!(read(Optional, "RTP/AVP", &bad), unusable(Unusable::Suite), "{bad}");
        assert_eq!(read(Required, "RTP/SAVP", &bad), unusable(Unusable::Suite), "{bad}");
    }
}

#[test]
fn a_sealed_leg_stays_sealed_where_that_is_required() {
    let (ours, theirs) = (keys(1, &Suite::ALL), keys(2, &Suite::ALL));
    let first = offer(&local(4000), &terms(SrtpPolicy::Optional, &ours));
    let (reply, _) = answer(&first, &local(6000), &terms(SrtpPolicy::Optional, &theirs)).unwrap();
    // RTP/AVP with keys stays what it is; the other side need not learn a new protocol in mid-call.
    let again = reoffer(&reply, &local(6000), &terms(SrtpPolicy::Required, &theirs)).unwrap();
    let text = std::str::from_utf8(&again).unwrap();
    assert!(text.contains("RTP/AVP ") && text.contains("a=crypto:1 "), "{text}");
    let plain = stream("RTP/AVP", "");
    assert_eq!(sealed_by(&plain, SrtpPolicy::Required), Err(Unusable::Plain));
    assert_eq!(sealed_by(&plain, SrtpPolicy::Optional), Ok(None));
    assert!(accept(&plain, &again, &local(6000), &terms(SrtpPolicy::Required, &theirs)).is_err());
}

proptest! {
    /// Two of us agree on one suite with crossed keys, or on none, or say why not.
    #[test]
    fn two_of_us_agree(ours in 0..3usize, theirs in 0..3usize, our_suites in 0..16usize, their_suites in 0..16usize) {
        let some = |mask: usize| -> Vec<Suite> {
            Suite::ALL.into_iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, s)| s).collect()
        };
        let (our_keys, their_keys) = (keys(1, &some(our_suites)), keys(2, &some(their_suites)));
        let (us, them) = (terms(POLICIES[ours], &our_keys), terms(POLICIES[theirs], &their_keys));
        let common = our_suites & their_suites != 0;
        let text = offer(&local(4000), &us);
        let (offered, taken) = (us.srtp != SrtpPolicy::Off, them.srtp != SrtpPolicy::Off);
        match answer(&text, &local(6000), &them) {
            Ok((reply, at_theirs)) => {
                let at_ours = accept(&reply, &text, &local(4000), &us).unwrap();
                prop_assert_eq!(at_ours.crypto.is_some(), offered && taken && common);
                match (at_ours.crypto, at_theirs.crypto) {
                    (Some(a), Some(b)) => {
                        prop_assert_eq!(&a.send, &b.receive);
                        prop_assert_eq!(&a.receive, &b.send);
                    }
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
            Err(_) => {
                let needed = us.srtp == SrtpPolicy::Required || them.srtp == SrtpPolicy::Required;
                prop_assert!(needed && !(offered && taken && common));
            }
        }
    }
}
