//! What there is of a person, as CSV (RFC 4180): a row for each call, leg outside, event, note, attached value, recording,
//! consent and entry of the directory. Cells that a spreadsheet would compute begin with an apostrophe.

use crate::ids::Redacted;
use crate::store::{CallDetail, ConsentRow, EntryRow, NoteRow};
use crate::time::Timestamp;

/// The columns.
const COLUMNS: [&str; 10] = ["what", "call", "id", "at", "queue", "number", "who", "state", "detail", "text"];

/// A row before it is written; what is not said is empty.
#[derive(Default)]
struct Line<'a> {
    what: &'a str,
    call: String,
    id: String,
    at: Option<Timestamp>,
    queue: &'a str,
    number: Option<&'a Redacted<String>>,
    who: &'a str,
    state: &'a str,
    detail: String,
    text: &'a str,
}

/// A call with what is written about it.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// The call.
    pub detail: CallDetail,
    /// Its notes.
    pub notes: Vec<NoteRow>,
    /// What is attached to it.
    pub data: Vec<(String, Redacted<String>)>,
}

/// The names of the columns.
#[must_use]
pub fn heading() -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, COLUMNS.map(str::to_owned));
    out
}

/// The rows of a call.
#[must_use]
pub fn call(report: &CallReport) -> Vec<u8> {
    let CallReport { detail: CallDetail { call, legs, events, consents: _, recordings }, notes, data } =
        report;
    let mut out = Vec::new();
    let id = call.id.to_string();
    let of = |what| Line { what, call: id.clone(), ..Line::default() };
    let ended = call.ended_at.map_or_else(|| "goes on".to_owned(), |at| format!("ended {at}"));
    line(
        &mut out,
        Line {
            id: id.clone(),
            at: Some(call.arrived_at),
            queue: &call.first_queue.0,
            number: call.from.as_ref(),
            who: call.agent.as_ref().map_or("", |agent| &agent.0),
            state: call.end_cause.as_deref().unwrap_or_default(),
            detail: format!(
                "dialled {}; {ended}; {}",
                call.dialled,
                call.basis.as_deref().unwrap_or("not decided")
            ),
            ..of("call")
        },
    );
    for leg in legs.iter().filter(|leg| leg.outside.is_some()) {
        let detail = leg.trunk.as_ref().map(|trunk| format!("by {trunk}")).unwrap_or_default();
        let state = leg.cause.as_deref().unwrap_or_default();
        let number = leg.outside.as_ref();
        line(
            &mut out,
            Line { id: leg.n.to_string(), at: Some(leg.dialled_at), number, state, detail, ..of("leg") },
        );
    }
    for event in events {
        line(
            &mut out,
            Line {
                at: Some(event.at),
                queue: event.queue.as_ref().map_or("", |queue| &queue.0),
                number: event.outside.as_ref(),
                who: event.agent.as_ref().map_or("", |agent| &agent.0),
                state: &event.kind,
                detail: event.detail.clone().unwrap_or_default(),
                text: event.note.as_ref().map_or("", |note| &note.0),
                ..of("event")
            },
        );
    }
    for recording in recordings {
        line(
            &mut out,
            Line {
                id: recording.id.to_string(),
                at: Some(recording.started_at.unwrap_or(recording.armed_at)),
                queue: &recording.queue.0,
                state: &recording.state,
                detail: recording.basis.clone(),
                ..of("recording")
            },
        );
    }
    for note in notes {
        line(&mut out, Line { at: Some(note.at), who: &note.by, text: &note.text.0, ..of("note") });
    }
    for (key, value) in data {
        line(&mut out, Line { id: key.clone(), text: &value.0, ..of("attached") });
    }
    out
}

/// The rows of consents, and whether each was reset, where that is known.
#[must_use]
pub fn consents<'a>(rows: impl IntoIterator<Item = (&'a ConsentRow, bool)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (row, reset) in rows {
        let key = row.digit.as_ref().map(|digit| format!("key {digit}"));
        let question = row.question_sha256.as_ref().map(|sha256| format!("question sha256 {sha256}"));
        let language = row.language.as_ref().map(|language| format!("language {language}"));
        let reset = reset.then(|| "reset".to_owned());
        let detail: Vec<String> = [key, language, question, reset].into_iter().flatten().collect();
        line(
            &mut out,
            Line {
                what: "consent",
                call: row.call.to_string(),
                at: Some(row.at),
                queue: &row.queue.0,
                number: row.from.as_ref(),
                state: &row.answer,
                detail: detail.join("; "),
                ..Line::default()
            },
        );
    }
    out
}

/// The rows of entries of the directory.
#[must_use]
pub fn entries(rows: &[EntryRow]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        line(
            &mut out,
            Line {
                what: "entry",
                id: row.id.to_string(),
                at: Some(row.at),
                queue: &row.list,
                number: row.number.as_ref(),
                who: &row.name.0,
                detail: row.email.as_ref().map(|email| email.0.clone()).unwrap_or_default(),
                text: row.note.as_ref().map_or("", |note| &note.0),
                ..Line::default()
            },
        );
    }
    out
}

fn line(out: &mut Vec<u8>, line: Line<'_>) {
    let Line { what, call, id, at, queue, number, who, state, detail, text } = line;
    let at = at.map(Timestamp::to_rfc3339).unwrap_or_default();
    let number = number.map(|number| number.0.clone()).unwrap_or_default();
    let owned = |text: &str| text.to_owned();
    write(
        out,
        [owned(what), call, id, at, owned(queue), number, owned(who), owned(state), detail, owned(text)],
    );
}

fn write(out: &mut Vec<u8>, cells: [String; COLUMNS.len()]) {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let cells = cells.map(|cell| defused(&cell));
    // Ten fields each time, into memory.
    writer.write_record(&cells).and_then(|()| Ok(writer.flush()?)).expect("memory takes a row of ten fields");
}

/// What a spreadsheet would compute is text.
fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::ids::EntryId;

    fn read(octets: &[u8]) -> Vec<Vec<String>> {
        let text = [heading(), octets.to_vec()].concat();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn formulas_quotes_and_lines_stay_text() {
        let entry = |name: &str, note: &str| EntryRow {
            id: EntryId::new(Ulid(1)),
            list: "@list".into(),
            name: Redacted(name.into()),
            number: Some(Redacted("+49301234567".into())),
            email: None,
            note: Some(Redacted(note.into())),
            at: Timestamp::from_micros(1_795_000_000_000_000),
        };
        let rows =
            read(&entries(&[entry("=HYPERLINK(\"http://x\")", "a \"b\"\r\nc, d"), entry("-1+1", "\tx")]));
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!((rows[0][0].as_str(), rows[0][4].as_str()), ("entry", "'@list"));
        assert_eq!(
            (rows[0][5].as_str(), rows[0][6].as_str()),
            ("'+49301234567", "'=HYPERLINK(\"http://x\")")
        );
        assert_eq!((rows[0][9].as_str(), rows[1][6].as_str()), ("a \"b\"\r\nc, d", "'-1+1"));
        assert_eq!(rows[1][9], "'\tx");
    }
}
