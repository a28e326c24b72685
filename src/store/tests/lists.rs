//! Lists of recordings by agent and by hold, against what goes through all of them; figures that are counted aside.

use std::time::Duration;

use super::*;
use crate::store::Place as PagePlace;

on_each_kind! {
    lists_by_agent_and_hold_are_whole_and_in_order_page_by_page,
    what_holds_keep_is_counted_with_long_calls,
    stored_recordings_are_counted_aside,
}

const HOUR: i64 = 3_600;
const QUEUES: [&str; 3] = ["claims", "loans", "night"];
const STATES: [&str; 6] = ["stored", "finished", "failed", "recording", "discarded", "removed"];

/// A call with its recording; seconds.
#[derive(Clone, Debug)]
struct Row {
    n: u128,
    queue: &'static str,
    agent: &'static str,
    state: &'static str,
    arrived: i64,
    armed: i64,
    ended: Option<i64>,
}

impl Row {
    /// Numbered so that neither ids nor times are in order. One call of nine is long, one of 13 goes on.
    fn of(n: u128) -> Self {
        let chance = i64::try_from((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_003).expect("small");
        let of = |part: i64, many: usize| usize::try_from(chance / part).expect("positive") % many;
        let arrived = (chance % 400) * HOUR / 2;
        let long = if n.is_multiple_of(9) { 40 * HOUR } else { 4 * HOUR };
        let took = chance * 7_919 % long;
        Self {
            n,
            queue: QUEUES[of(3, 3)],
            agent: ["bob", "eve"][of(7, 2)],
            state: STATES[of(11, 12).saturating_sub(6)],
            arrived,
            armed: arrived + chance * 104_729 % (took + 1),
            ended: (!n.is_multiple_of(13)).then_some(arrived + took),
        }
    }

    async fn put(&self, raw: &mut AnyConnection) {
        let Self { n, queue, agent, state, arrived, armed, ended } = self;
        let micros = |second: i64| at(second).as_micros();
        let ended = ended.map_or("NULL".to_owned(), |ended| micros(ended).to_string());
        let gone = if *state == "removed" { "1" } else { "NULL" };
        let (call, recording) = (call(*n), recording(*n));
        for insert in [
            format!(
                "INSERT INTO calls (id, arrived_at, dialled, first_queue, queue, language, agent, ended_at) \
                 VALUES ('{call}', {}, '1', '{queue}', '{queue}', 'de', '{agent}', {ended})",
                micros(*arrived)
            ),
            format!(
                "INSERT INTO recordings (id, call, state, basis, armed_at, queue, call_ended_at, destroyed_at) \
                 VALUES ('{recording}', '{call}', '{state}', 'agreed', {}, '{queue}', {ended}, {gone})",
                micros(*armed)
            ),
        ] {
            raw.execute(AssertSqlSafe(insert)).await.expect("inserts");
        }
    }
}

/// Holds on queues: two that overlap, one behind them, one of another queue.
const SPANS: [(&str, i64, i64); 4] = [
    ("claims", 30 * HOUR, 50 * HOUR),
    ("claims", 45 * HOUR, 70 * HOUR),
    ("claims", 120 * HOUR, 121 * HOUR),
    ("loans", 60 * HOUR, 64 * HOUR),
];
/// One that is held by itself, and by a queue's hold too or not.
const HELD: u128 = 25;

async fn filled(kind: Kind) -> (Place, Vec<Row>) {
    let place = Place::new(kind).await;
    let mut raw = place.raw().await;
    let rows: Vec<Row> = (0..240).map(Row::of).collect();
    raw.execute("BEGIN").await.expect("begins");
    for row in &rows {
        row.put(&mut raw).await;
    }
    for (n, (queue, since, until)) in SPANS.iter().enumerate() {
        let (since, until) = (at(*since).as_micros(), at(*until).as_micros());
        let insert = format!(
            "INSERT INTO holds (id, kind, object, span_since, span_until, reason, by_whom, at) \
             VALUES ('{}', 'queue', '{queue}', {since}, {until}, 'x', 'x', 1)",
            recording(n as u128)
        );
        raw.execute(AssertSqlSafe(insert)).await.expect("holds");
    }
    let insert = format!(
        "INSERT INTO holds (id, kind, object, reason, by_whom, at) VALUES ('{}', 'recording', '{}', 'x', 'x', 1)",
        recording(9),
        recording(HELD)
    );
    raw.execute(AssertSqlSafe(insert)).await.expect("holds");
    raw.execute("COMMIT").await.expect("commits");
    (place, rows)
}

/// Whether a hold is on its call or its recording.
fn is_held(row: &Row) -> bool {
    let of_queue = |&(queue, since, until): &(&str, i64, i64)| {
        queue == row.queue && row.arrived <= until && row.ended.is_some_and(|ended| ended >= since)
    };
    row.ended.is_some() && (row.n == HELD || SPANS.iter().any(of_queue))
}

fn is_there(row: &Row) -> bool {
    !["discarded", "removed"].contains(&row.state)
}

fn is_found(row: &Row, filter: &RecordingFilter) -> bool {
    let RecordingFilter { since, until, queue, call: _, state, agent, held, sight } = filter;
    since.is_none_or(|since| at(row.armed) >= since)
        && until.is_none_or(|until| at(row.armed) < until)
        && queue.as_ref().is_none_or(|queue| queue.0 == row.queue)
        && state.as_ref().is_none_or(|state| state == row.state)
        && agent.as_ref().is_none_or(|agent| agent.0 == row.agent)
        && (held.is_none() || is_held(row) && is_there(row))
        && sight.sees(&row.queue.into())
}

async fn pages(store: &Store, filter: &RecordingFilter, limit: u32, order: Order) -> Vec<RecordingId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.recording_list(filter, &PagePlace { after, limit, order }).await.expect("reads");
        assert!(page.items.len() <= limit as usize);
        all.extend(page.items.iter().map(|row| row.id));
        let Some(next) = page.next else { return all };
        after = Some(next);
    }
}

async fn lists_by_agent_and_hold_are_whole_and_in_order_page_by_page(kind: Kind) {
    let (place, rows) = filled(kind).await;
    let all = || RecordingFilter { sight: Sight::whole(), ..RecordingFilter::default() };
    let held = || RecordingFilter { held: Some(at(9_000 * HOUR)), ..all() };
    let bob = || RecordingFilter { agent: Some("bob".into()), ..all() };
    let span = (Some(at(40 * HOUR)), Some(at(66 * HOUR)));
    let queues = Sight { queues: Some(["loans".into(), "night".into()].into()), restricted: false };
    let stored = || Some("stored".to_owned());
    let filters = [
        all(),
        RecordingFilter { queue: Some("claims".into()), since: span.0, until: span.1, ..all() },
        RecordingFilter { sight: queues.clone(), since: span.0, ..all() },
        RecordingFilter { state: stored(), queue: Some("loans".into()), ..all() },
        held(),
        RecordingFilter { queue: Some("claims".into()), ..held() },
        RecordingFilter { sight: queues.clone(), ..held() },
        RecordingFilter { state: stored(), ..held() },
        RecordingFilter { state: Some("removed".into()), ..held() },
        RecordingFilter { agent: Some("eve".into()), ..held() },
        RecordingFilter { since: span.0, until: span.1, ..held() },
        bob(),
        RecordingFilter { since: span.0, until: span.1, ..bob() },
        RecordingFilter { state: stored(), sight: queues, ..bob() },
        RecordingFilter { agent: Some("nobody".into()), ..all() },
    ];
    for filter in filters {
        let mut expected: Vec<&Row> = rows.iter().filter(|row| is_found(row, &filter)).collect();
        expected.sort_by_key(|row| (row.armed, recording(row.n)));
        let ids = |rows: Vec<&Row>| rows.iter().map(|row| recording(row.n)).collect::<Vec<_>>();
        for limit in [2, 7, 500] {
            let is = pages(&place.store, &filter, limit, Order::Oldest).await;
            assert_eq!(is, ids(expected.clone()), "{filter:?}, the oldest first, by {limit}");
            let is = pages(&place.store, &filter, limit, Order::Latest).await;
            let latest = expected.iter().rev().copied().collect();
            assert_eq!(is, ids(latest), "{filter:?}, the latest first, by {limit}");
        }
    }
}

async fn what_holds_keep_is_counted_with_long_calls(kind: Kind) {
    let (place, rows) = filled(kind).await;
    for queue in QUEUES {
        for until in [48 * HOUR, 66 * HOUR, 9_000 * HOUR] {
            let held = |row: &&Row| {
                row.queue == queue && is_held(row) && row.ended.is_some_and(|ended| ended <= until)
            };
            let calls = rows.iter().filter(held).count() as u64;
            let recordings = rows.iter().filter(held).filter(|row| is_there(row)).count() as u64;
            for (counted, expected) in [(KeptKind::Calls, calls), (KeptKind::Recordings, recordings)] {
                let (queue, span) = (queue.into(), (None, at(until)));
                let is = place.store.count_kept(counted, &queue, span, Some(at(until))).await;
                assert_eq!(is.expect("counts").rows, expected, "{counted:?} of {queue} until {until}");
            }
        }
    }
}

async fn stored_recordings_are_counted_aside(kind: Kind) {
    let (place, rows) = filled(kind).await;
    let patience = Duration::from_secs(60);
    let stored = |queues: &[&str]| {
        let of = rows.iter().filter(|row| row.state == "stored" && queues.contains(&row.queue));
        of.count() as u64
    };
    let (all, at_first) = place.store.recordings_stored(&Sight::whole(), patience).await.expect("counted");
    assert_eq!(all, stored(&QUEUES));
    let sight = Sight { queues: Some(["loans".into()].into()), restricted: false };
    let (loans, then) = place.store.recordings_stored(&sight, patience).await.expect("counted");
    assert_eq!((loans, then), (stored(&["loans"]), at_first), "a look at what was counted");
    place.store.close().await;
    let later = place.store.recordings_stored(&Sight::whole(), Duration::ZERO).await;
    assert_eq!(later, Some((all, at_first)), "what was counted is kept");
    let closed = place.again().await;
    closed.close().await;
    assert_eq!(closed.recordings_stored(&Sight::whole(), Duration::from_millis(1)).await, None);
}
