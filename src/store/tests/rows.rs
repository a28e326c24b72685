//! What each change leaves behind.

use sqlx::Row as _;

use super::*;
use crate::audit::{Class, Sealed};
use crate::queue::{AgentState, NotReady};

on_each_kind! {
    each_fact_leaves_exactly_one_audit_row,
    the_facts_of_a_call_can_be_read_back,
    a_number_outside_is_kept_with_leg_event_and_audit_row,
    lists_are_filtered_and_newest_first,
    the_last_answer_of_a_number_is_known_until_it_is_withdrawn,
    a_recording_goes_through_its_life_and_no_other_way,
    agents_choices_are_audited_and_the_course_of_calls_is_not,
    numbers_are_personal_in_the_audit_log_and_blotted_in_debug_text,
}

async fn each_fact_leaves_exactly_one_audit_row(kind: Kind) {
    let place = Place::new(kind).await;
    let expected = [
        ("call.arrived", Class::System, "trunk carrier"),
        ("consent.refused", Class::Modify, "caller"),
        ("recording.decided", Class::Modify, "caller"),
        ("call.queued", Class::System, "system"),
        ("agent.dialled", Class::System, "system"),
        ("call.connected", Class::System, "system"),
        ("consent.overridden", Class::Modify, "agent bob"),
        ("recording.decided", Class::Modify, "agent bob"),
        ("recording.paused", Class::Modify, "agent bob"),
        ("recording.resumed", Class::Modify, "system"),
        ("recording.impossible", Class::Failure, "system"),
        ("consent.withdrawn", Class::Modify, "caller"),
        ("call.transferred", Class::System, "agent bob"),
        ("leg.ended", Class::System, "system"),
        ("call.ended", Class::System, "system"),
    ];
    for (n, (fact, (action, class, who))) in every_fact(call(0)).into_iter().zip(expected).enumerate() {
        place.facts(vec![fact]).await;
        assert_eq!(place.audit_rows().await, n as u64 + 1, "one row for {action}");
        let filter = AuditFilter { limit: 1, ..AuditFilter::default() };
        let row = place.store.audit(&filter).await.expect("reads").pop().expect("a row");
        assert_eq!((&*row.action, row.class, row.who.to_string().as_str()), (action, class, who));
    }
    let about_call = AuditFilter { object: Some(call(0).to_string()), ..AuditFilter::default() };
    assert_eq!(place.store.audit(&about_call).await.expect("reads").len(), expected.len(), "with its legs");
}

async fn the_facts_of_a_call_can_be_read_back(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let quality = LegQuality { packets_in: 500, lost: 3, mos_x100: Some(431), ..LegQuality::default() };
    let stats = Change::LegStats { leg: leg(call(0), 1), quality: quality.clone() };
    place.store.commit(vec![stats]).await.expect("commits");

    let detail = place.store.call(call(0)).await.expect("reads").expect("the call");
    let row = &detail.call;
    assert_eq!(row.from.as_ref().map(|from| from.0.as_str()), Some("+49301234567"));
    assert_eq!((row.first_queue.0.as_str(), row.language.as_str()), ("support", "de"));
    assert_eq!(row.basis.as_deref(), Some("override"));
    assert_eq!(row.basis_detail.as_deref(), Some("emergency by bob"));
    assert_eq!((row.queued_at, row.connected_at, row.ended_at), (Some(at(2)), Some(at(4)), Some(at(12))));
    assert_eq!(row.agent, Some("bob".into()));
    assert_eq!(row.end_cause.as_deref(), Some("hung-up"));

    let [first, second] = detail.legs.as_slice() else { panic!("two legs") };
    assert_eq!((first.n, &first.agent, first.connected_at), (0, &None, Some(at(0))));
    assert_eq!((second.n, second.ended_at, second.quality.clone()), (1, Some(at(11)), Some(quality)));

    let kinds: Vec<&str> = detail.events.iter().map(|event| event.kind.as_str()).collect();
    let expected = ["decided", "queued", "overridden", "decided", "paused", "resumed", "recording-failed"];
    assert_eq!(kinds, [expected.as_slice(), &["transferred"]].concat());
    assert_eq!(detail.events[2].note.as_ref().map(|note| note.0.as_str()), Some("Ms Miller is hurt"));

    let answers: Vec<&str> = detail.consents.iter().map(|consent| consent.answer.as_str()).collect();
    assert_eq!(answers, ["withdrawn", "no"]);
    let no = &detail.consents[1];
    assert_eq!((no.agreed, no.digit.as_deref(), no.channel.as_deref()), (false, Some("2"), Some("info")));
    assert_eq!(no.question_sha256.as_deref(), Some("ab".repeat(32).as_str()));
    assert!(place.store.calls_unfinished(SPOOL).await.expect("reads").is_empty());
}

async fn a_number_outside_is_kept_with_leg_event_and_audit_row(kind: Kind) {
    let place = Place::new(kind).await;
    let number = PhoneNumber::parse("+358 9 1234567", None).expect("a number");
    let outside = Outside { trunk: "carrier".into(), number: number.clone(), release: false };
    let (to, call) = (Whom::Outside(outside), call(0));
    let (queue, agent, outside) = (None, None, Some(number));
    place
        .facts(vec![
            arrived(call, 0),
            Fact::Dialled { leg: leg(call, 1), to, at: at(1) },
            Fact::Transferred { call, by: "bob".into(), queue, agent, outside, at: at(2) },
        ])
        .await;
    let detail = place.store.call(call).await.expect("reads").expect("the call");
    let [caller, target] = detail.legs.as_slice() else { panic!("two legs") };
    assert_eq!((caller.direction.as_str(), target.direction.as_str()), ("in", "out"));
    assert_eq!(target.trunk, Some("carrier".into()));
    let number = |number: &Option<Redacted<String>>| number.as_ref().map(|number| number.0.clone());
    assert_eq!(number(&target.outside).as_deref(), Some("+35891234567"));
    let event = detail.events.last().expect("an event");
    assert_eq!(
        (event.kind.as_str(), number(&event.outside).as_deref()),
        ("transferred", Some("+35891234567"))
    );
    let rows = place.store.audit(&AuditFilter::default()).await.expect("reads");
    let actions: Vec<&str> = rows.iter().map(|row| &*row.action).collect();
    assert_eq!(actions, ["call.transferred", "outside.dialled", "call.arrived"]);
    let personal = |sealed: &Option<Sealed>| matches!(sealed, Some(Sealed::Personal { .. }));
    assert!(personal(&rows[0].about) && personal(&rows[1].new), "{rows:?}");
}

async fn lists_are_filtered_and_newest_first(kind: Kind) {
    let place = Place::new(kind).await;
    for n in 0..5 {
        place.facts(vec![arrived(call(n), i64::try_from(n).expect("small"))]).await;
    }
    let ids = |rows: Vec<CallRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let filter = Filter { limit: 2, ..Filter::default() };
    assert_eq!(ids(place.store.calls(&filter).await.expect("reads")), [call(4), call(3)]);
    let filter = Filter { since: Some(at(3)), ..Filter::default() };
    assert_eq!(ids(place.store.calls(&filter).await.expect("reads")), [call(4), call(3)]);
    let filter = Filter { queue: Some("sales".into()), ..Filter::default() };
    assert_eq!(ids(place.store.calls(&filter).await.expect("reads")), []);
    place.facts(vec![Fact::Ended { call: call(1), at: at(9), cause: Cause::Shutdown }]).await;
    let open = ids(place.store.calls_unfinished(SPOOL).await.expect("reads"));
    assert_eq!(open, [call(0), call(2), call(3), call(4)]);
}

async fn the_last_answer_of_a_number_is_known_until_it_is_withdrawn(kind: Kind) {
    let place = Place::new(kind).await;
    let known = || async { place.store.known_consent(&caller()).await.expect("reads") };
    assert_eq!(known().await, None);
    place.facts(vec![arrived(call(0), 0), answered(call(0), 1, yes())]).await;
    assert_eq!(known().await.map(|known| (known.agreed, known.at)), Some((true, at(1))));
    place.facts(vec![arrived(call(1), 2), answered(call(1), 3, Answer::Silence)]).await;
    assert_eq!(known().await, None, "silence is no answer to remember, and the yes before it is over");
    let no = Answer::No(Digit::try_from('2').expect("a key"), DigitChannel::Info);
    place.facts(vec![arrived(call(3), 3), answered(call(3), 4, no)]).await;
    assert_eq!(known().await.map(|known| (known.agreed, known.at)), Some((false, at(4))));
    let withdrawn = Fact::ConsentWithdrawn {
        call: call(1),
        from: Some(caller()),
        queue: "support".into(),
        entered_by: None,
        at: at(4),
    };
    place.facts(vec![withdrawn]).await;
    assert_eq!(known().await, None, "asked again");
    place.facts(vec![arrived(call(2), 5), answered(call(2), 6, yes())]).await;
    assert_eq!(known().await.map(|known| known.at), Some(at(6)));
    let stranger = PhoneNumber::parse("+49301234568", None).expect("a number");
    assert_eq!(place.store.known_consent(&stranger).await.expect("reads"), None);
}

async fn a_recording_goes_through_its_life_and_no_other_way(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    place.facts(vec![arrived(call(0), 0)]).await;
    store.commit(vec![kek_made(KEK), armed(0, b"key")]).await.expect("arms");
    let id = recording(0);
    let early = RecordingChange::Encoded { id, at: at(3), file: file() };
    let error = store.commit(step(early)).await.expect_err("not finished");
    assert!(error.to_string().contains("is armed: it cannot be encoded"), "{error}");
    store.commit(step(RecordingChange::Started { id, at: at(3) })).await.expect("starts");
    assert_eq!(store.recordings_unfinished(SPOOL).await.expect("reads").len(), 1);
    store.commit(step(RecordingChange::Finished { id, at: at(3), file: file() })).await.expect("finishes");
    let row = store.recording(id).await.expect("reads").expect("a row");
    assert_eq!((row.state.as_str(), row.samples, row.bytes), ("finished", Some(16_000), Some(64_100)));
    assert_eq!(row.unlisted, Some(7));
    assert_eq!(
        (row.gaps.clone(), row.basis.as_str(), row.queue.0.as_str()),
        (file().gaps, "agreed", "support")
    );
    assert_eq!(row.wrapped_key.map(|key| key.0), Some(b"key".to_vec()));
    assert!(store.recordings_unfinished(SPOOL).await.expect("reads").is_empty());
    let destroy = || step(destroyed(0, 4));
    store.commit(destroy()).await.expect("destroys");
    let row = store.recording(id).await.expect("reads").expect("a row");
    assert_eq!((row.state.as_str(), row.wrapped_key.is_none()), ("destroyed", true));
    assert!(store.commit(destroy()).await.is_err(), "once");

    store.commit(vec![armed(1, b"key")]).await.expect("arms");
    let why = || "the server stopped".to_owned();
    let salvaged = RecordingChange::Salvaged { id: recording(1), at: at(5), file: file(), why: why() };
    store.commit(step(salvaged)).await.expect("salvages what was armed");
    store.commit(vec![armed(2, b"key")]).await.expect("arms");
    let failed = RecordingChange::Failed { id: recording(2), at: at(5), why: why() };
    store.commit(step(failed)).await.expect("fails");
    let missing = store.commit(step(RecordingChange::Started { id: recording(9), at: at(5) })).await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "recording", .. })), "{missing:?}");
    assert_eq!(place.audit_rows().await, 10, "a row for each step that was taken");
}

fn discard(n: u128) -> Vec<Change> {
    step(RecordingChange::Discarded { id: recording(n), at: at(3) })
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file() {
    let place = Place::new(Kind::Sqlite).await;
    let key: Vec<u8> = (0..60u8).map(|n| n.wrapping_mul(37) ^ 0x5a).collect();
    let found = || {
        let files = std::fs::read_dir(place.dir.path()).expect("a folder");
        files.flatten().any(|file| {
            let bytes = std::fs::read(file.path()).expect("readable");
            bytes.windows(key.len()).any(|window| window == key)
        })
    };
    // A unit of work is answered when it is durable; the write-ahead log is cleared after that, in the next pause. So that
    // the key is gone is seen by and by, whatever is written meanwhile.
    let goes = async || {
        let gone = async {
            while found() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.expect("by itself");
    };
    place.facts(vec![arrived(call(0), 0)]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &key)]).await.expect("arms");
    // A checkpoint may move it to the file that was looked at while the other one was still to be: then it is there.
    assert!(found() || found(), "the test sees a key that is there");
    place.store.commit(discard(0)).await.expect("discards");
    goes().await;

    // Who must know asks, and is answered when it is gone.
    place.store.commit(vec![armed(1, &key)]).await.expect("arms");
    assert!(found() || found(), "the test sees a key that is there");
    place.store.commit(discard(1)).await.expect("discards");
    place.store.shred().await.expect("answers");
    assert!(!found());

    // Somebody reads: the log cannot be cleared, and nobody waits for it.
    place.store.commit(vec![armed(2, &key)]).await.expect("arms");
    let mut reader = place.raw().await;
    reader.execute("BEGIN").await.expect("begins");
    reader.execute("SELECT COUNT(*) FROM calls").await.expect("reads");
    place.store.commit(discard(2)).await.expect("discards");
    place.facts(vec![arrived(call(2), 2)]).await;
    assert!(found(), "the reader's snapshot");
    reader.execute("COMMIT").await.expect("ends");
    goes().await;
}

/// What a kill just after a destruction leaves goes with the next start, and whoever proves it can wait for it.
#[tokio::test]
async fn a_key_that_a_kill_left_in_the_log_is_in_no_file_after_the_next_start() {
    let place = Place::new(Kind::Sqlite).await;
    let key: Vec<u8> = (0..60u8).map(|n| n.wrapping_mul(41) ^ 0x3c).collect();
    let found = |dir: &std::path::Path| {
        let files = std::fs::read_dir(dir).expect("a folder");
        files.flatten().any(|file| {
            let bytes = std::fs::read(file.path()).expect("readable");
            bytes.windows(key.len()).any(|window| window == key)
        })
    };
    place.facts(vec![arrived(call(0), 0)]).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &key)]).await.expect("arms");
    // Somebody reads, so that the log stays.
    let mut reader = place.raw().await;
    reader.execute("BEGIN").await.expect("begins");
    reader.execute("SELECT COUNT(*) FROM calls").await.expect("reads");
    place.store.commit(discard(0)).await.expect("discards");
    let killed = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(place.dir.path()).expect("a folder").flatten() {
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), killed.path().join(file.file_name())).expect("a copy");
        }
    }
    assert!(found(killed.path()), "the log has it");
    let name = Location::of(&place.url).expect("right").url.0;
    let name = name.rsplit('/').next().expect("a file").to_owned();
    let again =
        Store::open(killed.path().join(name).to_str().expect("UTF-8"), Clock::start()).await.expect("opens");
    let gone = async {
        while found(killed.path()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.expect("by itself");
    again.close().await;

    // Who asks waits until the reader has ended.
    let store = place.store.clone();
    let mut shredded = tokio::spawn(async move { store.shred().await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(500), &mut shredded).await;
    assert!(early.is_err() && found(place.dir.path()), "the reader's snapshot");
    reader.execute("COMMIT").await.expect("ends");
    assert_eq!(shredded.await.expect("runs").expect("shreds"), None);
    assert!(!found(place.dir.path()));
}

/// PostgreSQL: whichever of many rows it is, its wrapped key is no more in the table's file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_key_is_in_no_table_of_a_server() {
    let cluster = super::cluster::Cluster::start(&[]);
    let url = cluster.database();
    let name = url.split(['/', '?']).find(|part| part.starts_with("test")).expect("its name").to_owned();
    let store = open(&url).await;
    let key =
        |n: u128| (0..69u8).map(|k| k.wrapping_mul(37) ^ (n as u8).wrapping_mul(11)).collect::<Vec<u8>>();
    store.commit(vec![Change::Fact(arrived(call(0), 0)), kek_made(KEK)]).await.expect("begins");
    for n in 0..60 {
        store.commit(vec![armed(n, &key(n))]).await.expect("arms");
    }
    let file = format!(
        "{}/{}",
        cluster.sql(&name, "SHOW data_directory"),
        cluster.sql(&name, "SELECT pg_relation_filepath('recordings')")
    );
    let held = || {
        cluster.sql(&name, "CHECKPOINT");
        let bytes = std::fs::read(&file).expect("readable");
        (0..60).filter(|n| bytes.windows(69).any(|window| window == key(*n))).collect::<Vec<u128>>()
    };
    assert_eq!(held().len(), 60, "the test sees keys that are there");
    let gone = [0, 17, 35, 36, 59];
    for n in gone {
        let (rule, why, by) = ("operator".to_owned(), "asked for".to_owned(), Actor::System);
        let destroyed = RecordingChange::Destroyed { id: recording(n), at: at(9), rule, why, by };
        store.commit(step(destroyed)).await.expect("destroys");
    }
    assert!(held().iter().any(|n| gone.contains(n)), "old row versions have them still");
    let beyond = store.shred().await.expect("shreds").expect("the log is beyond reach");
    assert!(beyond.contains("write-ahead log") && beyond.contains("keys rotate"), "{beyond}");
    let left = held();
    assert!(!left.iter().any(|n| gone.contains(n)), "{left:?}");
    assert_eq!(left.len(), 55, "the others are untouched");
    store.close().await;
}

async fn agents_choices_are_audited_and_the_course_of_calls_is_not(kind: Kind) {
    let place = Place::new(kind).await;
    let states = [
        AgentState::Ready { since: at(0) },
        AgentState::Ringing(call(0)),
        AgentState::Talking(call(0)),
        AgentState::WrapUp { until: at(9) },
        AgentState::Ready { since: at(9) },
        AgentState::NotReady(NotReady { reason: "lunch".into() }),
        AgentState::LoggedOff,
    ];
    for state in states {
        let change = Change::Agent { agent: "bob".into(), state, at: at(1) };
        place.store.commit(vec![change]).await.expect("commits");
    }
    let filter = AuditFilter { class: Some(Class::Presence), ..AuditFilter::default() };
    let rows = place.store.audit(&filter).await.expect("reads");
    let texts: Vec<_> = rows.iter().rev().filter_map(|row| row.new.as_ref().and_then(Sealed::text)).collect();
    assert_eq!(texts, ["ready", "not ready: lunch", "logged off"]);
    assert_eq!(rows[0].who, Actor::Agent("bob".into()));
    let told = [
        "presence agent bob agent bob.state: logged off -> ready",
        "presence agent bob agent bob.state: ready -> not ready: lunch",
        "presence agent bob agent bob.state: not ready: lunch -> logged off",
    ];
    assert_eq!(place.store.told("agent.state").await, told);
    assert_eq!(place.store.agents().await.expect("reads")[0].state, AgentState::LoggedOff);
}

async fn numbers_are_personal_in_the_audit_log_and_blotted_in_debug_text(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let rows = place.store.audit(&AuditFilter::default()).await.expect("reads");
    let detail = place.store.call(call(0)).await.expect("reads");
    let text = format!("{rows:?} {detail:?}");
    assert!(!text.contains("1234567") && !text.contains("Miller"), "{text}");
    let mut raw = place.raw().await;
    let select = "SELECT COUNT(*) AS n FROM audit WHERE COALESCE(about, '') || COALESCE(old, '') || \
                  COALESCE(new, '') || object_id LIKE '%1234567%'";
    let row = raw.fetch_one(select).await.expect("reads");
    assert_eq!(row.get::<i64, _>("n"), 0);
    let personal = raw.fetch_one("SELECT COUNT(*) AS n FROM audit_sealed").await.expect("reads");
    assert_eq!(personal.get::<i64, _>("n"), 4, "three numbers and a written reason");
}
