//! A call's SIP messages, for its ladder: methods, statuses and times, without bodies, numbers or names of people.

use serde::{Deserialize, Serialize};

use crate::ids::CallId;
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::Cells;
use super::writer::Work;

/// What was said in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Whom we spoke with: `trunk NAME`, `agent NAME`, `supervisor`.
    pub lines: Vec<String>,
    /// In order of time.
    pub messages: Vec<Rung>,
    /// There were more, in the middle.
    #[serde(skip)]
    pub cut: bool,
}

/// A message. It is stored as a tuple: a database has millions of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Rung {
    /// When it came or went.
    pub at: Timestamp,
    /// Whether we sent it.
    pub sent: bool,
    /// With whom: a place in [`Ladder::lines`].
    pub line: usize,
    /// `INVITE`, `200 OK`.
    pub what: String,
    /// `1 INVITE`.
    pub cseq: String,
    /// `application/sdp, 312 octets`.
    pub body: Option<String>,
    /// Which leg of the call.
    pub leg: u16,
}

type Stored = (i64, u8, usize, String, String, Option<String>, u16);

impl From<Stored> for Rung {
    fn from((at, sent, line, what, cseq, body, leg): Stored) -> Self {
        Self { at: Timestamp::from_micros(at), sent: sent == 1, line, what, cseq, body, leg }
    }
}

impl From<Rung> for Stored {
    fn from(rung: Rung) -> Self {
        let Rung { at, sent, line, what, cseq, body, leg } = rung;
        (at.as_micros(), u8::from(sent), line, what, cseq, body, leg)
    }
}

impl Store {
    /// What was said in a call; `None`: nothing is kept of it.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn ladder(&self, call: CallId) -> Result<Option<Ladder>, StoreError> {
        let select =
            sqlx::query("SELECT messages, cut FROM sip_traces WHERE call = $1").bind(call.to_string());
        let row = select.fetch_optional(&self.read).await.doing("reading a call's SIP messages")?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells { table: "sip_traces", row: &row };
        let ladder: Ladder = cells.json("messages")?.ok_or(cells.corrupt("messages"))?;
        if ladder.messages.iter().any(|rung| rung.line >= ladder.lines.len()) {
            return Err(cells.corrupt("messages"));
        }
        Ok(Some(Ladder { cut: cells.get::<i64>("cut")? == 1, ..ladder }))
    }
}

impl Work<'_> {
    /// Keeps what was said in a call, once; not of one that is anonymised.
    pub(super) fn ladder(&mut self, call: CallId, ladder: &Ladder) {
        let text = serde_json::to_string(ladder).expect("strings and numbers can be written as JSON");
        self.pending.ladder(call, text, ladder.cut);
    }
}
