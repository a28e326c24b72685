//! Tags, branches and Call-IDs: unguessable without the secret, unique by a counter, and the same
//! again in a replay of the same inputs.

use aws_lc_rs::hmac;

/// Mints the names the endpoint gives to things.
pub(super) struct Mint {
    key: hmac::Key,
    drawn: u64,
}

impl Mint {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), drawn: 0 }
    }

    /// Keys hashes of what others choose.
    pub(super) fn seed(&self) -> u64 {
        let mac = hmac::sign(&self.key, b"seed");
        u64::from_be_bytes(*mac.as_ref().first_chunk().expect("SHA-256 has 32 bytes"))
    }

    /// A fresh name of 20 hexadecimal digits (80 bits; RFC 3261 §19.3 asks for 32 at least).
    pub(super) fn token(&mut self) -> String {
        self.drawn += 1;
        let mac = hmac::sign(&self.key, &self.drawn.to_be_bytes());
        hex::encode(&mac.as_ref()[..10])
    }

    /// A fresh branch (RFC 3261 §8.1.1.7).
    pub(super) fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    /// A number below `limit`, for the random waits the RFCs ask for.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.drawn += 1;
        let mac = hmac::sign(&self.key, &self.drawn.to_be_bytes());
        let bytes = mac.as_ref();
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) % limit.max(1)
    }

    /// The same number of a range for the same text, spread evenly over texts.
    pub(super) fn spread(&self, text: &[u8], range: std::ops::RangeInclusive<u32>) -> u32 {
        let mac = hmac::sign(&self.key, text);
        let bytes = mac.as_ref();
        let drawn = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        range.start() + drawn % (range.end() - range.start() + 1)
    }

    /// The same name for the same text: the To tag of answers given without a transaction must
    /// not change between retransmissions (RFC 3261 §8.2.7).
    pub(super) fn stable(&self, text: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"stable");
        context.update(text);
        hex::encode(&context.sign().as_ref()[..10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_depend_on_the_secret() {
        let (mut one, mut two) = (Mint::new(&[1; 32]), Mint::new(&[2; 32]));
        let first = one.token();
        assert_ne!(first, one.token());
        assert_ne!(first, two.token());
        assert_eq!(one.stable(b"x"), one.stable(b"x"));
        assert_ne!(one.stable(b"x"), one.stable(b"y"));
        assert!((0..100).all(|_| one.below(7) < 7));
    }
}
