//! The rows of a call, and of the people who call, as INSERTs.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use sayso::ids::{CallId, EntryId, HoldId, RecordingId};
use sayso::privacy::{ANONYMIZED, email_key, reversed, words};
use ulid::Ulid;

use super::mixed;
use super::people::{callers, email_of, is_listed, name_of, number_of};

/// Calls are spread over so many days before now.
const DAYS: u64 = 3 * 365;
/// The oldest calls of so many are anonymised already: one of ten.
const ANONYMOUS: u64 = 10;
/// Each queue has the same share.
const QUEUES: [&str; 10] =
    ["support", "sales", "billing", "returns", "claims", "loans", "cards", "abroad", "fraud", "night"];

/// Rows of one INSERT.
struct Rows {
    head: &'static str,
    rows: Vec<String>,
}

impl Rows {
    fn of(head: &'static str) -> Self {
        Self { head, rows: Vec::new() }
    }

    fn statement(self) -> Option<String> {
        (!self.rows.is_empty()).then(|| format!("{} VALUES {}", self.head, self.rows.join(",")))
    }
}

/// Tables in an order in which each row finds what it refers to.
struct Tables {
    calls: Rows,
    legs: Rows,
    consents: Rows,
    recordings: Rows,
    events: Rows,
    notes: Rows,
    data: Rows,
    words: Rows,
    directory: Rows,
    directory_words: Rows,
}

impl Tables {
    fn empty() -> Self {
        let of = Rows::of;
        Self {
            calls: of(
                "INSERT INTO calls (id, arrived_at, from_number, dialled, trunk, first_queue, queue, language, basis, \
                 decided_at, queued_at, connected_at, agent, ended_at, end_cause, anonymised_at, restricted_at)",
            ),
            legs: of(
                "INSERT INTO legs (call, n, agent, dialled_at, connected_at, ended_at, cause, direction, outside_number)",
            ),
            consents: of(
                "INSERT INTO consents (call, from_number, at, queue, answer, agreed, digit, channel, language)",
            ),
            recordings: of(
                "INSERT INTO recordings (id, call, state, basis, armed_at, started_at, ended_at, samples, bytes, format, \
                 stored_at, queue, call_ended_at, destroyed_at, rule, destroyed_by, removed_at)",
            ),
            events: of("INSERT INTO call_events (call, at, kind, agent, outside_number)"),
            notes: of("INSERT INTO notes (call, at, name, text)"),
            data: of("INSERT INTO call_data (call, key, value, at)"),
            words: of("INSERT INTO call_words (word, at, call)"),
            directory: of("INSERT INTO directory (id, list, name, number, reversed, email, email_key, at)"),
            directory_words: of("INSERT INTO directory_words (word, entry)"),
        }
    }

    fn statements(self) -> impl Iterator<Item = String> {
        let Self {
            calls,
            legs,
            consents,
            recordings,
            events,
            notes,
            data,
            words,
            directory,
            directory_words,
        } = self;
        [calls, legs, consents, recordings, events, notes, data, words, directory, directory_words]
            .into_iter()
            .filter_map(Rows::statement)
    }
}

/// The rows of these of `all` calls: two legs each and sometimes one to the outside, 8 of 10 answer the question, 6 of 10
/// are recorded, 1 of 10 has a name attached, 1 of 100 a note, 1 of 1,000 is restricted; the oldest are anonymised. And
/// of who is on a list of the people who call.
pub(super) fn statements(calls: Range<u64>, all: u64, now: i64) -> impl Iterator<Item = String> {
    let mut tables = Tables::empty();
    let people = callers(all);
    for n in calls {
        one(&mut tables, n, all, now);
        if n < people && is_listed(n) {
            listed(&mut tables, n, now);
        }
    }
    tables.statements()
}

fn one(tables: &mut Tables, n: u64, all: u64, now: i64) {
    let chance = mixed(n);
    let step = Duration::from_secs(DAYS * 86_400).as_micros() as u64 / all.max(1);
    let at = now - i64::try_from((all - n) * step).unwrap_or(0);
    let (call, recording) = (CallId::new(id(at, n, 0)), RecordingId::new(id(at, n, 1)));
    let queue = QUEUES[(chance % 10) as usize];
    let caller = mixed(chance) % callers(all);
    let is_withheld = (chance / 10).is_multiple_of(20);
    let is_anonymous = n < all / ANONYMOUS;
    let given = if is_withheld { "NULL".to_owned() } else { format!("'{}'", number_of(caller)) };
    let number = if is_anonymous && !is_withheld { format!("'{ANONYMIZED}'") } else { given.clone() };
    let (agreed, asked) = (chance / 200 % 10 < 6, chance / 200 % 10 < 8);
    let (agent, talk) = (chance / 2_000 % 200, 30_000_000 + i64::from((chance / 7 % 600) as u32) * 1_000_000);
    let (decided, queued, connected) = (at + 8_000_000, at + 9_000_000, at + 20_000_000);
    let ended = connected + talk;
    let gone = if is_anonymous { (ended + 1_000_000).to_string() } else { "NULL".to_owned() };
    let is_restricted = !is_anonymous && (chance / 400_000).is_multiple_of(1_000);
    let restricted = if is_restricted { ended.to_string() } else { "NULL".to_owned() };
    let basis = if agreed { "agreed" } else { "refused" };
    tables.calls.rows.push(format!(
        "('{call}',{at},{number},'+4989100','carrier','{queue}','{queue}','de','{basis}',{decided},{queued},\
         {connected},'agent{agent}',{ended},'hung-up',{gone},{restricted})"
    ));
    let legs = &mut tables.legs.rows;
    legs.push(format!("('{call}',0,NULL,{at},{at},{ended},'hung-up','in',NULL)"));
    legs.push(format!("('{call}',1,'agent{agent}',{queued},{connected},{ended},'hung-up','out',NULL)"));
    if asked {
        let (answer, yes, key) = if agreed { ("yes", 1, "'1'") } else { ("no", 0, "'2'") };
        let row = format!("('{call}',{given},{decided},'{queue}','{answer}',{yes},{key},'rfc4733','de')");
        tables.consents.rows.push(row);
    }
    if agreed {
        let (samples, bytes) = (talk / 125, talk / 125 * 4);
        let (state, rule, by) = match is_anonymous {
            true => ("removed", "'retention: call data 730d (system)'", "'system'"),
            false => ("stored", "NULL", "NULL"),
        };
        tables.recordings.rows.push(format!(
            "('{recording}','{call}','{state}','agreed',{queued},{connected},{ended},{samples},{bytes},'pcm16',\
             {ended},'{queue}',{ended},{gone},{rule},{by},{gone})"
        ));
    }
    if is_anonymous {
        return;
    }
    if (chance / 3_000_000).is_multiple_of(50) {
        let outside = number_of(mixed(caller) % callers(all));
        tables
            .legs
            .rows
            .push(format!("('{call}',2,NULL,{connected},{connected},{ended},'hung-up','out','{outside}')"));
        tables.events.rows.push(format!("('{call}',{connected},'transferred','agent{agent}','{outside}')"));
    }
    if !is_withheld && (chance / 20_000).is_multiple_of(10) {
        let name = name_of(caller);
        tables.data.rows.push(format!("('{call}','customer','{name}',{ended})"));
        tables.words.rows.extend(words(&name).iter().map(|word| format!("('{word}',{at},'{call}')")));
    }
    if (chance / 70_000).is_multiple_of(100) {
        tables
            .notes
            .rows
            .push(format!("('{call}',{ended},'agent{agent}','Wants to be called back on day {n}')"));
    }
}

fn listed(tables: &mut Tables, caller: u64, now: i64) {
    let at = now - i64::try_from(caller).unwrap_or(0);
    let entry = EntryId::new(id(at, caller, 2));
    let (name, number, email) = (name_of(caller), number_of(caller), email_of(caller));
    let (reversed, key) = (reversed(&number), email_key(&email));
    let row = format!("('{entry}','customers','{name}','{number}','{reversed}','{email}','{key}',{at})");
    tables.directory.rows.push(row);
    let all: BTreeSet<String> = words(&name).into_iter().chain(words(&email)).collect();
    tables.directory_words.rows.extend(all.iter().map(|word| format!("('{word}','{entry}')")));
}

/// Holds: on who calls, on a month of a queue.
pub(super) fn holds(now: i64) -> [String; 2] {
    let day = 86_400_000_000;
    let (since, until) = (now - 900 * day, now - 870 * day);
    let head =
        "INSERT INTO holds (id, kind, object, number, span_since, span_until, reason, by_whom, at) VALUES ";
    let [one, other] = [3, 4].map(|n| HoldId::new(id(now, n, 3)));
    let number = number_of(0);
    [
        format!("{head}('{one}','number',NULL,'{number}',NULL,NULL,'a case','counsel',{now})"),
        format!("{head}('{other}','queue','claims',NULL,{since},{until},'a case','counsel',{now})"),
    ]
}

/// The id of a row: of its time, and the same each time.
fn id(at: i64, n: u64, part: u128) -> Ulid {
    Ulid::from_parts(u64::try_from(at / 1_000).unwrap_or(0), u128::from(n) * 4 + part)
}
