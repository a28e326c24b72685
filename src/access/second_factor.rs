//! A second factor: codes of a device (TOTP, RFC 6238), and recovery codes for when it is lost.

use aws_lc_rs::digest::{SHA256, digest};
use totp_rs::{Builder, Secret};

use crate::time::Timestamp;

/// Bytes of a device's secret: what HMAC-SHA-1 takes without folding (RFC 4226 §4).
pub const SECRET_BYTES: usize = 20;
/// Recovery codes of a user.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, more than can be tried.
pub const RECOVERY_BYTES: usize = 10;

/// The step (of 30 s, RFC 6238 §4) that `code` is of, if it is right now or one step off, and later than the one used
/// last: each code is good once (§5.2).
#[must_use]
pub fn totp_step(secret: &[u8], code: &str, now: Timestamp, used: Option<u64>) -> Option<u64> {
    let seconds = u64::try_from(now.as_micros() / 1_000_000).ok()?;
    // HMAC takes any key, and the other values are the usual ones.
    let totp = Builder::new().with_secret(secret.to_vec()).build_noncompliant();
    let step = totp.check(code, seconds)?;
    used.is_none_or(|used| step > used).then_some(step)
}

/// What a device reads as a square of dots.
#[must_use]
pub fn totp_uri(secret: &[u8], user: &str) -> String {
    // A user's name has no sign that a URI escapes.
    format!(
        "otpauth://totp/Sayso:{user}?secret={}&issuer=Sayso&algorithm=SHA1&digits=6&period=30",
        base32(secret)
    )
}

/// As people type it into a device (RFC 4648 §6, without padding).
#[must_use]
pub fn base32(secret: &[u8]) -> String {
    Secret::from(secret.to_vec()).to_base32()
}

/// A recovery code as it is shown once: `abcd-efgh-ijkl-mnop`.
#[must_use]
pub fn recovery_code(random: [u8; RECOVERY_BYTES]) -> String {
    let text = base32(&random).to_ascii_lowercase();
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
    groups.join("-")
}

/// What is stored of a recovery code (SHA-256, hex), however it was typed; `None`: it cannot be one. A hash that is
/// quick to compute will do: what it is of cannot be guessed.
#[must_use]
pub fn recovery_hash(user: &str, typed: &str) -> Option<String> {
    let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let code = code.to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    let whole = code.len() == RECOVERY_BYTES * 8 / 5 && code.chars().all(fits);
    whole.then(|| hex::encode(digest(&SHA256, format!("{user}:{code}").as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8; 20] = b"12345678901234567890";

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 Appendix B, SHA1: the last six of its eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = u64::try_from(seconds / 30).ok();
            assert_eq!(totp_step(SECRET, code, at(seconds), None), step, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_a_step_before_and_after_and_once() {
        let (code, step) = ("050471", 1_111_111_111 / 30);
        let start = i64::try_from(step * 30).expect("fits");
        for (second, good) in [(-31, false), (-30, true), (0, true), (59, true), (60, false)] {
            assert_eq!(totp_step(SECRET, code, at(start + second), None).is_some(), good, "{second}");
        }
        assert_eq!(totp_step(SECRET, code, at(start), Some(step - 1)), Some(step));
        assert_eq!(totp_step(SECRET, code, at(start), Some(step)), None, "it was used");
        for wrong in ["", "050472", "50471", "+50471", "0504711", "05047a", "０５０４７１"] {
            assert_eq!(totp_step(SECRET, wrong, at(start), None), None, "{wrong}");
        }
    }

    #[test]
    fn a_device_is_told_what_it_needs() {
        assert_eq!(
            totp_uri(SECRET, "ada"),
            "otpauth://totp/Sayso:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sayso&algorithm=SHA1\
             &digits=6&period=30"
        );
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed_and_of_its_user_alone() {
        let code = recovery_code([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]);
        assert_eq!(code, "aaaq-eaye-auda-och7");
        let hash = recovery_hash("ada", &code).expect("a code");
        assert_eq!(recovery_hash("ada", " AAAQ eaye-auda och7\n"), Some(hash.clone()));
        assert_ne!(recovery_hash("bob", &code), Some(hash));
        for none in ["", "123456", "aaaq-eaye-auda-och", "aaaq-eaye-auda-och71", "aaaq-eaye-auda-och1"] {
            assert_eq!(recovery_hash("ada", none), None, "{none}");
        }
    }
}
