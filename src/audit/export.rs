//! The log as a file: a line of JSON for each row with its hash, the hash before it and the salts of its personal values,
//! and a last line that tells the end. It is verified without the database.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::certificate::{moment, octets};

use super::chain::{GENESIS, Hash, Head, Opening, Row, Sealed};
use super::event::{Actor, Class, Object};
use super::proof::{BrokenLink, Verifier, Why};

/// A row as a line, with its newline; `previous` is the hash of the row before it in the log.
#[must_use]
pub fn row_line(row: &Row, previous: Hash) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        row: &'a Row,
        previous: Hash,
    }
    let mut line = serde_json::to_string(&Line { row, previous }).expect("texts and numbers are JSON");
    line.push('\n');
    line
}

/// The last line of a file with so many rows, the last of which was this: without it the file was cut off.
#[must_use]
pub fn end_line(rows: u64, last: Head) -> String {
    format!("{}\n", json!({ "end": { "rows": rows, "seq": last.seq, "hash": last.hash.to_string() } }))
}

/// Why a file does not prove what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportFault {
    /// A line is none of ours.
    #[error("line {line} is no row of an audit log: {what}")]
    NotARow {
        /// Which line, from 1.
        line: u64,
        /// What is missing or wrong.
        what: &'static str,
    },
    /// A row is not what was written, or not in its place.
    #[error(transparent)]
    Broken(#[from] BrokenLink),
    /// The file has no end, or another one.
    #[error(
        "the file ends after {rows} rows without its last line, or that tells another end: it was cut off"
    )]
    CutOff {
        /// Rows there are.
        rows: u64,
    },
}

/// What a file proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportProof {
    /// Rows in it.
    pub rows: u64,
    /// The first row's number; 0 when there are none.
    pub first: u64,
    /// The last row.
    pub last: Head,
    /// How often rows of the log are not in it. Each row is as it was written; which ones are missing is for the filter
    /// of the export to say.
    pub gaps: u64,
    /// Personal values that are in it and match their commitment.
    pub personal: u64,
    /// Personal values that were erased.
    pub erased: u64,
}

impl fmt::Display for ExportProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, first, last, gaps, erased, .. } = self;
        match gaps {
            0 if *first <= 1 => write!(f, "the chain is whole: {rows} rows, head {}", last.hash)?,
            0 => write!(f, "the chain is whole from row {first} to row {}, hash {}", last.seq, last.hash)?,
            gaps => write!(
                f,
                "{rows} rows are as they were written; in {gaps} places rows of the log are not in the file, as a filter \
                 leaves them out"
            )?,
        }
        match erased {
            0 => Ok(()),
            erased => write!(f, ", {erased} personal values erased"),
        }
    }
}

/// Verifies a file line by line, in constant memory.
#[derive(Debug, Default)]
pub struct ExportVerifier {
    lines: u64,
    rows: u64,
    first: u64,
    gaps: u64,
    verifier: Option<Verifier>,
    end: Option<(u64, Head)>,
}

impl ExportVerifier {
    /// Takes the next line; the row it was, if it was one, to be compared with anchors.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn line(&mut self, line: &str) -> Result<Option<Head>, ExportFault> {
        self.lines += 1;
        if line.trim().is_empty() {
            return Ok(None);
        }
        let not = |what| ExportFault::NotARow { line: self.lines, what };
        let value: Value = serde_json::from_str(line).map_err(|_| not("it is not JSON"))?;
        let Value::Object(map) = value else { return Err(not("it is no object")) };
        if self.end.is_some() {
            return Err(not("it comes after the end"));
        }
        if let Some(end) = map.get("end") {
            let number = |name: &str| end.get(name).and_then(Value::as_u64);
            let hash = octets(end.get("hash").and_then(Value::as_str)).map(Hash);
            let (Some(rows), Some(seq), Some(hash)) = (number("rows"), number("seq"), hash) else {
                return Err(not("`end` lacks a field"));
            };
            self.end = Some((rows, Head { seq, hash }));
            return Ok(None);
        }
        let (row, previous) = row_of(&map).map_err(not)?;
        self.row(&row, previous)?;
        Ok(Some(row.head()))
    }

    /// Rows so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// All lines were taken.
    ///
    /// # Errors
    /// When lines are missing at the end.
    pub fn finish(self) -> Result<ExportProof, ExportFault> {
        let Self { rows, first, gaps, verifier, end, .. } = self;
        let verifier = verifier.unwrap_or_default();
        let last = verifier.head();
        match end {
            Some((told, head)) if told == rows && (rows == 0 || head == last) => {
                let (personal, erased) = verifier.counted();
                Ok(ExportProof { rows, first, last, gaps, personal, erased })
            }
            Some(_) | None => Err(ExportFault::CutOff { rows }),
        }
    }

    fn row(&mut self, row: &Row, previous: Hash) -> Result<(), BrokenLink> {
        let begin = || Head { seq: row.seq.saturating_sub(1), hash: previous };
        let mut verifier = match self.verifier.take() {
            None if row.seq == 1 && previous != GENESIS => {
                return Err(BrokenLink { seq: 1, why: Why::Hash });
            }
            None => {
                self.first = row.seq;
                Verifier::behind(begin())
            }
            Some(before) if row.seq > before.rows() + 1 => {
                self.gaps += 1;
                Verifier::behind(begin()).behind_others(before)
            }
            Some(verifier) => verifier,
        };
        verifier.push(row)?;
        self.verifier = Some(verifier);
        self.rows += 1;
        Ok(())
    }
}

/// A row and the hash before it, as [`row_line`] wrote them.
fn row_of(map: &Map<String, Value>) -> Result<(Row, Hash), &'static str> {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    let number = |name: &str| map.get(name).and_then(Value::as_u64);
    let maybe = |name: &str| text(name).map(str::to_owned);
    let hash = |name: &'static str| octets(text(name)).map(Hash).ok_or(name);
    let row = Row {
        seq: number("seq").ok_or("seq")?,
        version: number("version").and_then(|version| u8::try_from(version).ok()).ok_or("version")?,
        class: text("class").and_then(Class::from_word).ok_or("class")?,
        who: text("who").and_then(|kind| Actor::from_parts(kind, maybe("name"))).ok_or("who")?,
        at: text("at").and_then(moment).ok_or("at")?,
        action: maybe("action").ok_or("action")?.into(),
        what: Object {
            kind: maybe("object").ok_or("object")?.into(),
            id: maybe("id").ok_or("id")?,
            attribute: maybe("attribute").map(Into::into),
        },
        about: sealed(map.get("about")).ok_or("about")?,
        old: sealed(map.get("old")).ok_or("old")?,
        new: sealed(map.get("new")).ok_or("new")?,
        hash: hash("hash")?,
    };
    Ok((row, hash("previous")?))
}

fn sealed(value: Option<&Value>) -> Option<Option<Sealed>> {
    match value? {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(Sealed::Plain(text.clone()))),
        Value::Object(map) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str);
            let commitment = Hash(octets(text("commitment"))?);
            let opening = match (text("personal"), text("salt")) {
                (Some(value), Some(salt)) => {
                    Some(Opening { salt: octets(Some(salt))?, value: value.to_owned() })
                }
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => return None,
            };
            Some(Some(Sealed::Personal { commitment, opening }))
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::AuditEvent;
    use super::super::Value as Told;
    use super::*;
    use crate::time::Timestamp;

    fn lines(rows: u64, keep: impl Fn(u64) -> bool) -> Vec<String> {
        let (mut head, mut lines, mut last, mut kept) = (Head::EMPTY, Vec::new(), Head::EMPTY, 0);
        for n in 1..=rows {
            let at = Timestamp::from_micros(1_795_339_800_000_000 + i64::try_from(n).unwrap());
            let who = if n.is_multiple_of(2) { Actor::User("ada".into()) } else { Actor::Caller };
            let what = Object::new("call", n).attribute("consent");
            let event = AuditEvent::new(Class::Modify, who, at, "consent.given", what)
                .about(n.is_multiple_of(3).then_some("+4930123"))
                .new_value(Some(Told::plain("yes \"é\"")));
            let mut row = Row::seal(event, head, [[1; 16]; 3]);
            if let (6, Some(Sealed::Personal { opening, .. })) = (n, &mut row.about) {
                *opening = None;
            }
            if keep(n) {
                lines.push(row_line(&row, head.hash));
                (last, kept) = (row.head(), kept + 1);
            }
            head = row.head();
        }
        lines.push(end_line(kept, last));
        lines
    }

    fn verify(lines: &[String]) -> Result<ExportProof, ExportFault> {
        let mut verifier = ExportVerifier::default();
        for line in lines {
            verifier.line(line)?;
        }
        verifier.finish()
    }

    #[test]
    fn a_file_proves_what_is_in_it() {
        let proof = verify(&lines(9, |_| true)).expect("whole");
        let ExportProof { rows, first, gaps, personal, erased, .. } = proof;
        assert_eq!((rows, first, gaps, personal, erased), (9, 1, 0, 2, 1));
        assert!(proof.to_string().starts_with("the chain is whole: 9 rows"), "{proof}");
        let tail = verify(&lines(9, |n| n > 4)).expect("tied to the row before");
        assert_eq!((tail.rows, tail.first, tail.gaps), (5, 5, 0));
        let some = verify(&lines(9, |n| n.is_multiple_of(2))).expect("each as it was written");
        assert_eq!((some.rows, some.gaps), (4, 3));
        assert_eq!(verify(&lines(0, |_| true)).map(|proof| proof.rows), Ok(0));
    }

    #[test]
    fn a_changed_file_proves_nothing() {
        let good = lines(9, |_| true);
        let changed = |n: usize, from: &str, to: &str| {
            let mut lines = good.clone();
            assert!(lines[n].contains(from), "{}", lines[n]);
            lines[n] = lines[n].replacen(from, to, 1);
            verify(&lines)
        };
        let broken = |seq, why| Err(ExportFault::Broken(BrokenLink { seq, why }));
        assert_eq!(changed(3, "yes", "no"), broken(4, Why::Hash));
        assert_eq!(changed(1, "ada", "bob"), broken(2, Why::Hash));
        assert_eq!(changed(2, "+4930123", "+4930124"), broken(3, Why::Personal { field: "about" }));
        let mut lines = good.clone();
        lines.swap(3, 4);
        assert!(verify(&lines).is_err());
        for cut in 0..good.len() {
            assert_eq!(verify(&good[..cut]), Err(ExportFault::CutOff { rows: cut as u64 }));
        }
        // A row taken out looks like a filter's, but the end tells how many there were.
        let mut lines = good.clone();
        lines.remove(4);
        assert_eq!(verify(&lines), Err(ExportFault::CutOff { rows: 8 }));
        for text in ["x", "[]", "{}", "{\"end\":{}}"] {
            let fault = verify(&[text.to_owned()]);
            assert!(matches!(fault, Err(ExportFault::NotARow { line: 1, .. })), "{text}: {fault:?}");
        }
    }
}
