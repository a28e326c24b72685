//! Proving the log whole, or naming its first broken link.

use std::fmt;

use crate::time::Timestamp;

use super::chain::{Hash, Head, Row, Sealed};

/// The log is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditProof {
    /// How many rows it has.
    pub rows: u64,
    /// The hash of the last: note it elsewhere, and a later cut of the log shows.
    pub head: Hash,
    /// Personal values that still exist and match their commitment.
    pub personal: u64,
    /// Personal values that were erased.
    pub erased: u64,
}

impl fmt::Display for AuditProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chain is whole: {} rows, head {}", self.rows, self.head)?;
        match self.erased {
            0 => Ok(()),
            erased => write!(f, ", {erased} personal values erased"),
        }
    }
}

/// The first place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain breaks at row {seq}: {why}")]
pub struct BrokenLink {
    /// The row.
    pub seq: u64,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A row is missing, or one was put in or moved.
    #[error("row {expected} should be here: rows were removed, added or moved")]
    Sequence {
        /// The number that should be here.
        expected: u64,
    },
    /// The row, or the one before it, was changed.
    #[error("its hash does not fit its content and the row before: one of them was changed")]
    Hash,
    /// A personal value in the side table was changed.
    #[error("its personal value {field:?} does not match the commitment: it was changed")]
    Personal {
        /// `about`, `old` or `new`.
        field: &'static str,
    },
    /// Rows are missing or added at the end, or the head was changed.
    #[error("the log should end at row {head}: rows were cut off or added, or its head was changed")]
    Head {
        /// The number the head names.
        head: u64,
    },
    /// The row is not the one that was anchored: the log was written anew from some row on.
    #[error("it is not the row that was anchored on {at}: the log was written anew")]
    Anchored {
        /// When.
        at: Timestamp,
    },
    /// The log ends before a row that was anchored.
    #[error("the log ends here, but row {anchored} was anchored on {at}: rows were cut off")]
    Cut {
        /// The row that was anchored.
        anchored: u64,
        /// When.
        at: Timestamp,
    },
    /// A column holds what Sayso never writes.
    #[error("column {column} cannot be read: it was changed")]
    Unreadable {
        /// Which column.
        column: &'static str,
    },
}

/// Verifies a log row by row, in constant memory. [`push`](Self::push) each row in order of its
/// number, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Verifier {
    head: Head,
    personal: u64,
    erased: u64,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { head: Head::EMPTY, personal: 0, erased: 0 }
    }
}

impl Verifier {
    /// Begins behind a row instead of at the first: what is proven then is that what follows is tied to that row.
    #[must_use]
    pub const fn behind(head: Head) -> Self {
        Self { head, personal: 0, erased: 0 }
    }

    /// The last row that was checked.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Personal values that still exist, and those that were erased.
    #[must_use]
    pub const fn counted(&self) -> (u64, u64) {
        (self.personal, self.erased)
    }

    /// Takes over what was counted by one that ended where this one began.
    #[must_use]
    pub const fn behind_others(mut self, before: Self) -> Self {
        self.personal += before.personal;
        self.erased += before.erased;
        self
    }

    /// Checks the next row.
    ///
    /// # Errors
    /// The first broken link.
    pub fn push(&mut self, row: &Row) -> Result<(), BrokenLink> {
        let broken = |why| BrokenLink { seq: row.seq, why };
        let expected = self.head.seq + 1;
        if row.seq != expected {
            return Err(broken(Why::Sequence { expected }));
        }
        if row.hash != row.expected_hash(self.head.hash) {
            return Err(broken(Why::Hash));
        }
        for (field, value) in [("about", &row.about), ("old", &row.old), ("new", &row.new)] {
            match value {
                None | Some(Sealed::Plain(_)) => {}
                Some(Sealed::Personal { opening: None, .. }) => self.erased += 1,
                Some(Sealed::Personal { commitment, opening: Some(opening) }) => {
                    if opening.commitment() != *commitment {
                        return Err(broken(Why::Personal { field }));
                    }
                    self.personal += 1;
                }
            }
        }
        self.head = row.head();
        Ok(())
    }

    /// How many rows were checked.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.head.seq
    }

    /// All rows were pushed; `head` is what the log says its last row is (or what was noted
    /// elsewhere).
    ///
    /// # Errors
    /// When rows are missing at the end.
    pub fn finish(self, head: Head) -> Result<AuditProof, BrokenLink> {
        if head != self.head {
            return Err(BrokenLink { seq: self.head.seq, why: Why::Head { head: head.seq } });
        }
        let Self { head, personal, erased } = self;
        Ok(AuditProof { rows: head.seq, head: head.hash, personal, erased })
    }
}

/// Verifies the whole log: `rows` in order of their number, `head` as for [`Verifier::finish`].
///
/// # Errors
/// The first broken link.
pub fn verify<'a>(rows: impl IntoIterator<Item = &'a Row>, head: Head) -> Result<AuditProof, BrokenLink> {
    let mut verifier = Verifier::default();
    for row in rows {
        verifier.push(row)?;
    }
    verifier.finish(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Actor, AuditEvent, Class, GENESIS, Object, Value};
    use super::*;

    fn event(n: u64) -> AuditEvent {
        let at = Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(n).expect("small"));
        AuditEvent::new(Class::Modify, Actor::Caller, at, "consent.given", Object::new("call", n))
            .about(n.is_multiple_of(2).then(|| format!("+4930123{n}")))
            .old(n.is_multiple_of(3).then(|| Value::plain("no")))
            .new_value(Some(Value::plain(format!("yes {n}"))))
    }

    fn log(rows: u64) -> (Vec<Row>, Head) {
        let mut head = Head::EMPTY;
        let rows = (1..=rows)
            .map(|n| {
                let salt = u8::try_from(n % 251).expect("under 251");
                let row = Row::seal(event(n), head, [[salt; 16], [salt + 1; 16], [salt + 2; 16]]);
                head = row.head();
                row
            })
            .collect();
        (rows, head)
    }

    #[test]
    fn a_whole_log_is_proven() {
        let (rows, head) = log(20);
        let proof = verify(&rows, head).expect("whole");
        assert_eq!(proof, AuditProof { rows: 20, head: head.hash, personal: 10, erased: 0 });
        assert_eq!(verify(&[], Head::EMPTY).map(|proof| proof.rows), Ok(0));
    }

    #[test]
    fn the_encoding_is_fixed() {
        // Computed by another program from the description of version 1: a change here makes every
        // existing log unverifiable.
        let (rows, _) = log(2);
        assert_eq!(
            rows[1].hash.to_string(),
            "a6044de609303ed8655d61755af9d5345e114cebb0e0850348491622f543a252"
        );
    }

    #[test]
    fn erasing_a_person_leaves_the_chain_whole() {
        let (mut rows, head) = log(20);
        for row in &mut rows {
            if let Some(Sealed::Personal { opening, .. }) = &mut row.about {
                *opening = None;
            }
        }
        assert_eq!(verify(&rows, head).map(|proof| (proof.personal, proof.erased)), Ok((0, 10)));
    }

    #[test]
    fn lengths_keep_neighbouring_fields_apart() {
        let at = Timestamp::from_micros(1);
        let make = |kind: &'static str, id: &str| {
            let event = AuditEvent::new(Class::Config, Actor::System, at, "x", Object::new(kind, id));
            Row::seal(event, Head::EMPTY, [[0; 16]; 3]).hash
        };
        assert_ne!(make("ab", "c"), make("a", "bc"));
    }

    #[derive(Clone, Debug)]
    enum Tamper {
        Remove(usize),
        Swap(usize, usize),
        Double(usize),
        Value(usize),
        Time(usize),
        Actor(usize),
        Opening(usize),
        Cut(usize),
        Rehash(usize),
    }

    fn tamper() -> impl Strategy<Value = Tamper> {
        let at = 0usize..20;
        prop_oneof![
            at.clone().prop_map(Tamper::Remove),
            (at.clone(), 1usize..20).prop_map(|(a, by)| Tamper::Swap(a, (a + by) % 20)),
            at.clone().prop_map(Tamper::Double),
            at.clone().prop_map(Tamper::Value),
            at.clone().prop_map(Tamper::Time),
            at.clone().prop_map(Tamper::Actor),
            (0usize..10).prop_map(|n| Tamper::Opening(n * 2 + 1)),
            at.clone().prop_map(Tamper::Cut),
            (0usize..19).prop_map(Tamper::Rehash),
        ]
    }

    proptest! {
        #[test]
        fn every_tampering_is_found_where_it_was_done(tamper in tamper()) {
            let (mut rows, head) = log(20);
            let first = match tamper {
                Tamper::Remove(n) => { rows.remove(n); n }
                Tamper::Swap(a, b) => { rows.swap(a, b); a.min(b) }
                Tamper::Double(n) => { let row = rows[n].clone(); rows.insert(n, row); n + 1 }
                Tamper::Value(n) => { rows[n].new = Some(Sealed::Plain("no".into())); n }
                Tamper::Time(n) => { rows[n].at = Timestamp::from_micros(0); n }
                Tamper::Actor(n) => { rows[n].who = Actor::User("mallory".into()); n }
                Tamper::Opening(n) => {
                    let Some(Sealed::Personal { opening: Some(opening), .. }) = &mut rows[n].about else {
                        panic!("row {n} is about a person");
                    };
                    opening.value = "+490".into();
                    n
                }
                Tamper::Cut(n) => { rows.truncate(n); n }
                // A forger who mends the row's own hash is caught at the next row.
                Tamper::Rehash(n) => {
                    rows[n].action = "consent.refused".into();
                    let previous = if n == 0 { GENESIS } else { rows[n - 1].hash };
                    rows[n].hash = rows[n].expected_hash(previous);
                    n + 1
                }
            };
            let broken = verify(&rows, head).expect_err("tampered");
            let found = rows.iter().position(|row| row.seq == broken.seq);
            match broken.why {
                Why::Head { .. } => prop_assert_eq!(rows.len(), first),
                Why::Sequence { expected } => prop_assert_eq!(expected, first as u64 + 1),
                Why::Hash
                | Why::Personal { .. }
                | Why::Unreadable { .. }
                | Why::Anchored { .. }
                | Why::Cut { .. } => {
                    prop_assert_eq!(found, Some(first));
                }
            }
        }
    }
}
