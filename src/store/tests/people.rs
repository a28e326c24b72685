//! Sessions, failed log-ins, notes, own calls, the listening log.

use std::borrow::Cow;

use sqlx::Row as _;
use sqlx::migrate::Migrator;

use super::*;
use crate::access::{Attempts, FORGOTTEN, Session};
use crate::audit::Actor;
use crate::settings::{self, DiffOptions, PasswordRules, SecondFactor, SessionRules};
use crate::store::Place as PagePlace;

on_each_kind! {
    a_session_is_there_until_it_ends_and_no_longer_than_its_password,
    no_token_and_no_password_is_in_the_table_and_what_is_over_is_removed,
    failures_are_kept_until_they_count_no_more,
    an_agent_s_own_calls_are_those_it_spoke_in_each_once,
    listening_to_recordings_and_to_conversations_is_one_log,
    a_supervisor_s_listening_is_in_the_log_in_each_way_and_audited_once,
    a_note_is_kept_and_the_audit_log_tells_of_it_without_its_text,
    a_listening_log_of_before_is_kept,
}

const USERS: &str = "[user.ada]\npassword = \"correct horse\"\nrole = \"superuser\"\nmust-change = false\n";

/// The defaults.
const RULES: SessionRules = SessionRules {
    idle: Duration::from_secs(12 * 3_600),
    absolute: Duration::from_secs(24 * 3_600),
    second_factor: SecondFactor::Optional,
};

async fn apply(store: &Store, text: &str) {
    let (_, stored) = store.settings().await.expect("settings");
    let file = settings::parse(text, "test.toml", "sayso").expect("reads");
    let changes = settings::diff(&stored, &file, &DiffOptions { prune: false, seed: [7; 32] }).expect("fits");
    store.commit(vec![Change::Settings(changes, Actor::System)]).await.expect("applies");
}

async fn log(
    store: &Store,
    who: Option<&str>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<ListenedRow>, StoreError> {
    let filter = ListeningFilter { who: who.map(str::to_owned), ..ListeningFilter::default() };
    store.listening_log(&filter, &PagePlace { after, limit, order: Order::Latest }).await
}

async fn of_session(store: &Store, change: SessionChange) {
    store.commit(vec![Change::Session(change)]).await.expect("commits");
}

async fn opened(store: &Store, n: u8, at: Timestamp) -> SessionKey {
    let key = SessionKey([n; 32]);
    let password_hash = store.user("ada").await.expect("reads").expect("ada").password_hash;
    of_session(
        store,
        SessionChange::Opened { key, user: "ada".into(), password_hash, provider: None, rules: RULES, at },
    )
    .await;
    key
}

async fn a_session_is_there_until_it_ends_and_no_longer_than_its_password(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    assert!(!store.has_users().await.expect("reads"));
    apply(store, USERS).await;
    assert!(store.has_users().await.expect("reads"));
    let (one, two, three) =
        (opened(store, 1, at(0)).await, opened(store, 2, at(1)).await, opened(store, 3, at(2)).await);
    let signed = store.session(one).await.expect("reads").expect("a session");
    assert_eq!((signed.user.as_str(), signed.session), ("ada", Session::begun(at(0))));
    of_session(store, SessionChange::Used { key: one, at: at(9) }).await;
    of_session(store, SessionChange::Used { key: one, at: at(5) }).await;
    let used = store.session(one).await.expect("reads").expect("a session").session;
    assert_eq!(used, Session { created: at(0), used: at(9) }, "never earlier than it was");
    of_session(store, SessionChange::Ended { key: two }).await;
    assert_eq!(store.session(two).await.expect("reads"), None);

    apply(store, &USERS.replace("correct", "other")).await;
    assert_eq!(store.session(one).await.expect("reads"), None, "another password");
    let password_hash = store.user("ada").await.expect("reads").expect("ada").password_hash;
    of_session(store, SessionChange::Renewed { key: one, user: "ada".into(), password_hash }).await;
    assert!(store.session(one).await.expect("reads").is_some());
    assert_eq!(store.session(three).await.expect("reads"), None);
    apply(store, "[user]\n").await;
    let mut raw = place.raw().await;
    raw.execute("DELETE FROM settings WHERE name = 'ada'").await.expect("removes");
    assert_eq!(store.session(one).await.expect("reads"), None, "nobody's session");
}

async fn no_token_and_no_password_is_in_the_table_and_what_is_over_is_removed(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    apply(store, USERS).await;
    opened(store, 1, at(0)).await;
    let idle = opened(store, 2, at(1)).await;
    of_session(store, SessionChange::Used { key: idle, at: at(0) + RULES.absolute - RULES.idle }).await;
    opened(store, 3, at(0) + RULES.absolute).await;
    let mut raw = place.raw().await;
    let rows = raw.fetch_all("SELECT key, password FROM sessions").await.expect("reads");
    assert_eq!(rows.len(), 1, "one was too old, one too long unused");
    assert_eq!(rows[0].get::<String, _>("key"), "03".repeat(32), "what it was given: SHA-256 of the token");
    let password = rows[0].get::<String, _>("password");
    assert!(password.len() == 64 && !password.contains("argon2"), "{password}");
    assert!(!format!("{idle:?}").contains('2'));
}

async fn failures_are_kept_until_they_count_no_more(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let set = async |user: &str, attempts| {
        let change = Change::Attempts { user: user.to_owned(), attempts };
        store.commit(vec![change]).await.expect("commits");
    };
    let one = Attempts::default().failed(&PasswordRules::default(), at(0));
    set("ada", one).await;
    set("bob", one).await;
    set("ada", one.failed(&PasswordRules::default(), at(1))).await;
    assert_eq!(store.attempts("ada").await.expect("reads"), Attempts { failures: 2, last: Some(at(1)) });
    set("ada", Attempts::default()).await;
    assert_eq!(store.attempts("ada").await.expect("reads"), Attempts::default());
    assert_eq!(store.attempts("bob").await.expect("reads"), one);
    if kind == Kind::Postgres {
        let change = Change::Attempts { user: "a\0b".to_owned(), attempts: one };
        let refused = store.commit(vec![change]).await.expect_err("no NUL");
        assert!(refused.is_final(), "{refused:?}");
    }
    set("carol", Attempts::default().failed(&PasswordRules::default(), at(0) + FORGOTTEN)).await;
    assert_eq!(store.attempts("bob").await.expect("reads"), Attempts::default(), "removed");
}

async fn an_agent_s_own_calls_are_those_it_spoke_in_each_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for n in 0..5 {
        place.facts(vec![arrived(call(n), 0)]).await;
    }
    let dialled = |n: u128, leg_n: u16, who: &str, second: i64| Fact::Dialled {
        leg: leg(call(n), leg_n),
        to: Whom::Agent(who.into()),
        at: at(second),
    };
    let connected =
        |n: u128, leg_n: u16, second: i64| Fact::Connected { leg: leg(call(n), leg_n), at: at(second) };
    place.facts(vec![dialled(0, 1, "bob", 10), connected(0, 1, 11)]).await;
    place.facts(vec![dialled(1, 1, "bob", 10), connected(1, 1, 12)]).await;
    place.facts(vec![dialled(2, 1, "bob", 20)]).await; // not answered
    place.facts(vec![dialled(3, 1, "carol", 30), connected(3, 1, 31)]).await;
    place.facts(vec![dialled(4, 1, "bob", 40), connected(4, 1, 41)]).await;
    place.facts(vec![dialled(4, 2, "bob", 50), connected(4, 2, 51)]).await; // its phone was called anew
    let ids = |page: &Page<OwnCallRow>| page.items.iter().map(|row| row.call.id).collect::<Vec<_>>();
    let bob = "bob".into();
    let page = async |after, limit| {
        let place = PagePlace { after, limit, order: Order::Latest };
        store.own_calls(&bob, false, &place).await
    };
    let all = page(None, 10).await.expect("reads");
    assert_eq!((ids(&all), &all.next), (vec![call(4), call(1), call(0)], &None));
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let one = page(cursor, 1).await.expect("reads");
        seen.extend(ids(&one));
        let Some(next) = one.next else { break };
        cursor = Some(next.to_string().parse().expect("survives text"));
    }
    assert_eq!(seen, ids(&all), "two legs of one time are two rows");
    let oldest = PagePlace { after: None, limit: 2, order: Order::Oldest };
    let first = store.own_calls(&bob, false, &oldest).await.expect("reads");
    assert_eq!(ids(&first), [call(0), call(1)]);
    let rest = PagePlace { after: first.next, ..oldest };
    assert_eq!(ids(&store.own_calls(&bob, false, &rest).await.expect("reads")), [call(4)]);
    assert!(store.spoke(&"bob".into(), call(4)).await.expect("reads"));
    assert!(!store.spoke(&"bob".into(), call(2)).await.expect("reads"), "it only rang");
    for bad in ["", "x", "-", "1", "-1-a", "1-'", "9999999999999999999-"] {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
}

async fn listening_to_recordings_and_to_conversations_is_one_log(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(every_fact(call(0))).await;
    store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    let before = place.audit_rows().await;
    let listened = |to, reason: Option<&str>| {
        let reason = reason.map(|reason| Redacted(reason.to_owned()));
        Change::Listened(Listened { at: at(20), who: "ada".into(), to, reason })
    };
    store
        .commit(vec![
            listened(ListenedTo::Recording(recording(0)), Some("Ms Miller complained")),
            listened(ListenedTo::Live { call: call(0), mode: "barge" }, None),
        ])
        .await
        .expect("commits");
    let page = log(store, None, None, 10).await.expect("reads");
    let row = |n: usize| {
        let ListenedRow { call, recording, kind, mode, .. } = &page.items[n];
        (*call, *recording, kind.as_str(), mode.as_deref())
    };
    assert_eq!(row(0), (Some(call(0)), None, "live", Some("barge")));
    assert_eq!(row(1), (Some(call(0)), Some(recording(0)), "recording", None));
    assert_eq!(place.audit_rows().await, before + 2);
    let next = log(store, Some("ada"), None, 1).await.expect("reads").next.expect("another page");
    let rest = log(store, Some("ada"), Some(next), 1).await.expect("reads");
    assert_eq!((rest.items.as_slice(), rest.next), (&page.items[1..], None));
    assert!(log(store, Some("bob"), None, 9).await.expect("reads").items.is_empty());
    let unknown =
        store.commit(vec![listened(ListenedTo::Live { call: call(9), mode: "listen" }, None)]).await;
    assert!(unknown.is_err(), "no such call");
    let mut raw = place.raw().await;
    for wrong in [
        "INSERT INTO listening_log (at, kind, who) VALUES (1, 'live', 'x')",
        "INSERT INTO listening_log (at, kind, who, call) SELECT 1, 'live', 'x', id FROM calls",
        "INSERT INTO listening_log (at, kind, who, mode) VALUES (1, 'recording', 'x', 'listen')",
        "INSERT INTO listening_log (at, kind, who) VALUES (1, 'gossip', 'x')",
    ] {
        raw.execute(wrong).await.expect_err(wrong);
    }
}

async fn a_supervisor_s_listening_is_in_the_log_in_each_way_and_audited_once(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let before = place.audit_rows().await;
    let supervised = |mode, was, second| Fact::Supervised {
        call: call(0),
        leg: leg(call(0), 7),
        by: "eve".into(),
        mode,
        was,
        at: at(second),
    };
    use crate::call::Supervision::{Barge, Listen};
    place.facts(vec![supervised(Listen, None, 20), supervised(Barge, Some(Listen), 30)]).await;
    assert_eq!(place.audit_rows().await, before + 2);
    let page = log(&place.store, Some("eve"), None, 9).await.expect("reads");
    let rows: Vec<_> = page.items.iter().map(|row| (row.at, row.mode.as_deref(), row.call)).collect();
    assert_eq!(rows, [(at(30), Some("barge"), Some(call(0))), (at(20), Some("listen"), Some(call(0)))]);
}

async fn a_note_is_kept_and_the_audit_log_tells_of_it_without_its_text(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(0), 0)]).await;
    let note = |n: u128| {
        let text = Redacted("Ms Miller".to_owned());
        let (by, who) = ("bob".to_owned(), Actor::User("bob".into()));
        vec![Change::Note(NoteChange { call: call(n), by, who, at: at(1), text })]
    };
    place.store.commit(note(0)).await.expect("commits");
    let missing = place.store.commit(note(9)).await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "call", .. })), "{missing:?}");
    let mut raw = place.raw().await;
    let fill = (1..100).map(|_| note(0).remove(0)).collect();
    place.store.commit(fill).await.expect("a hundred");
    let more = place.store.commit(note(0)).await.expect_err("one more");
    assert!(matches!(more, StoreError::TooMany { what: "notes", .. }) && more.is_final(), "{more:?}");
    raw.execute("DELETE FROM notes WHERE n NOT IN (SELECT MIN(n) FROM notes)").await.expect("removes");
    let select = "SELECT (SELECT COUNT(*) FROM notes WHERE text = 'Ms Miller') AS notes, \
                  (SELECT COUNT(*) FROM audit_sealed) AS told";
    let row = raw.fetch_one(select).await.expect("reads");
    assert_eq!((row.get::<i64, _>("notes"), row.get::<i64, _>("told")), (1, 0));
}

async fn a_listening_log_of_before_is_kept(kind: Kind) {
    let (url, _dir) = nowhere(kind);
    sqlx::any::install_default_drivers();
    let location = Location::of(&url).expect("right");
    location.prepare().expect("a file");
    let all = location.dialect.migrator();
    let mut raw = AnyConnection::connect(&location.url.0).await.expect("connects");
    let before = all.migrations.iter().filter(|it| it.version < 3).cloned().collect::<Vec<_>>();
    let before = Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT };
    before.run_direct(None, &mut raw, false).await.expect("the tables of before");
    let (call, recording) = (call(0), recording(0));
    for statement in [
        format!(
            "INSERT INTO calls (id, arrived_at, dialled, first_queue, queue, language) VALUES ('{call}', 1, 'x', 'q', 'q', 'en')"
        ),
        format!(
            "INSERT INTO recordings (id, call, state, basis, armed_at) VALUES ('{recording}', '{call}', 'stored', 'agreed', 1)"
        ),
        format!(
            "INSERT INTO listening_log (at, recording, who, reason) VALUES (1000, '{recording}', 'ada', 'asked to')"
        ),
    ] {
        raw.execute(sqlx::AssertSqlSafe(statement)).await.expect("a row of before");
    }
    drop(raw);
    let store = open(&url).await;
    let page = log(&store, None, None, 10).await.expect("reads");
    let kept = ListenedRow {
        n: 1,
        at: Timestamp::from_micros(1_000),
        who: "ada".into(),
        call: Some(call),
        recording: Some(recording),
        kind: "recording".into(),
        mode: None,
        reason: Some(Redacted("asked to".into())),
    };
    assert_eq!(page.items, [kept]);
}
