//! The audit log cannot be changed unseen.

use sqlx::Row as _;

use super::*;
use crate::audit::{Anchor, Anchors, BrokenLink, Person, Why};

on_each_kind! {
    a_log_nobody_touched_is_whole,
    a_changed_row_is_named,
    a_removed_row_is_named,
    reordered_rows_are_named,
    inserted_rows_are_named,
    a_changed_personal_value_is_named,
    erasing_a_person_leaves_the_log_whole,
    a_cut_behind_an_anchor_is_named,
    the_tables_refuse_what_would_break_the_log,
}

/// Ten rows, then `tamper` as someone would who has the file and takes the triggers out first.
async fn tampered(kind: Kind, tamper: &[&str]) -> Result<u64, BrokenLink> {
    let place = Place::new(kind).await;
    for n in 0..10 {
        place.facts(vec![arrived(call(n), 0)]).await;
    }
    alter(&place, kind, tamper).await;
    verified(&place, Anchors::default()).await
}

async fn verified(place: &Place, anchors: Anchors) -> Result<u64, BrokenLink> {
    match place.store.verify_audit_with(anchors, |_, _| {}).await {
        Ok(proof) => Ok(proof.rows),
        Err(StoreError::Broken(link)) => Err(link),
        Err(error) => panic!("{error}"),
    }
}

async fn alter(place: &Place, kind: Kind, tamper: &[&str]) {
    let mut raw = place.raw().await;
    match kind {
        Kind::Sqlite => {
            let names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'";
            for row in raw.fetch_all(names).await.expect("reads") {
                let drop = AssertSqlSafe(format!("DROP TRIGGER {}", row.get::<String, _>("name")));
                raw.execute(drop).await.expect("drops");
            }
            raw.execute("PRAGMA foreign_keys = OFF").await.expect("off");
        }
        // Triggers and foreign keys are out for this connection.
        Kind::Postgres => {
            raw.execute("SET session_replication_role = replica").await.expect("a superuser");
        }
    }
    for statement in tamper {
        raw.execute(sql(kind, statement)).await.expect("tampers");
    }
}

/// Who cuts the log and mends its head is found by an anchor alone; so is who writes it anew.
async fn a_cut_behind_an_anchor_is_named(kind: Kind) {
    let place = Place::new(kind).await;
    for n in 0..10 {
        place.facts(vec![arrived(call(n), 0)]).await;
    }
    let head = place.store.audit_head().await.expect("reads");
    let anchors = || Anchors::of([Anchor { head, at: at(5) }]);
    place.facts(vec![arrived(call(10), 0)]).await;
    assert_eq!(verified(&place, anchors()).await, Ok(11));
    let cut = [
        "DELETE FROM audit_sealed WHERE seq > 7",
        "DELETE FROM audit WHERE seq > 7",
        "UPDATE audit_head SET seq = 7, hash = (SELECT a.hash FROM audit a WHERE a.seq = 7)",
    ];
    alter(&place, kind, &cut).await;
    assert_eq!(verified(&place, Anchors::default()).await, Ok(7), "the chain alone cannot tell");
    let broken = BrokenLink { seq: 7, why: Why::Cut { anchored: 10, at: at(5) } };
    assert_eq!(verified(&place, anchors()).await, Err(broken));
    // Another process that does not know the old end goes on from the new one.
    let other = place.again().await;
    for n in 20..25 {
        other.commit(vec![arrived(call(n), 0).into()]).await.expect("goes on");
    }
    let anew = BrokenLink { seq: 10, why: Why::Anchored { at: at(5) } };
    assert_eq!(verified(&place, anchors()).await, Err(anew));
}

const COPY: &str = "version, at, class, actor_kind, actor, action, object_kind, object_id, attribute, about, \
                    about_commitment, old, old_commitment, new, new_commitment, hash";

async fn a_log_nobody_touched_is_whole(kind: Kind) {
    assert_eq!(tampered(kind, &[]).await, Ok(10));
}

async fn a_changed_row_is_named(kind: Kind) {
    for change in [
        "UPDATE audit SET new = 'dialled nobody' WHERE seq = 4",
        "UPDATE audit SET at = at + 1 WHERE seq = 4",
        "UPDATE audit SET actor = 'another' WHERE seq = 4",
        "UPDATE audit SET object_id = 'x' WHERE seq = 4",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 4",
        "UPDATE audit SET about = 'me', about_commitment = NULL WHERE seq = 4",
    ] {
        assert_eq!(tampered(kind, &[change]).await, Err(BrokenLink { seq: 4, why: Why::Hash }), "{change}");
    }
    let unreadable = [
        ("UPDATE audit SET class = 'nonsense' WHERE seq = 4", "class"),
        ("UPDATE audit SET actor_kind = 'ghost' WHERE seq = 4", "actor"),
        ("UPDATE audit SET hash = zeroblob(31) WHERE seq = 4", "hash"),
        ("UPDATE audit SET version = 900 WHERE seq = 4", "version"),
    ];
    for (change, column) in unreadable {
        let broken = BrokenLink { seq: 4, why: Why::Unreadable { column } };
        assert_eq!(tampered(kind, &[change]).await, Err(broken), "{change}");
    }
}

async fn a_removed_row_is_named(kind: Kind) {
    let gone = tampered(kind, &["DELETE FROM audit WHERE seq = 4"]).await;
    assert_eq!(gone, Err(BrokenLink { seq: 5, why: Why::Sequence { expected: 4 } }));
    let closed_up =
        tampered(kind, &["DELETE FROM audit WHERE seq = 4", "UPDATE audit SET seq = seq - 1 WHERE seq > 4"])
            .await;
    assert_eq!(closed_up, Err(BrokenLink { seq: 4, why: Why::Hash }));
    let cut = tampered(kind, &["DELETE FROM audit WHERE seq > 7"]).await;
    assert_eq!(cut, Err(BrokenLink { seq: 7, why: Why::Head { head: 10 } }));
    let emptied = tampered(kind, &["DELETE FROM audit"]).await;
    assert_eq!(emptied, Err(BrokenLink { seq: 0, why: Why::Head { head: 10 } }));
}

async fn reordered_rows_are_named(kind: Kind) {
    let swap = [
        "UPDATE audit SET seq = -1 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = -1",
    ];
    assert_eq!(tampered(kind, &swap).await, Err(BrokenLink { seq: 4, why: Why::Hash }));
}

async fn inserted_rows_are_named(kind: Kind) {
    let copy = |seq: i64, from: i64| -> &'static str {
        let columns = COPY;
        format!("INSERT INTO audit (seq, {columns}) SELECT {seq}, {columns} FROM audit WHERE seq = {from}")
            .leak()
    };
    let between =
        ["UPDATE audit SET seq = -seq - 1 WHERE seq >= 5", "UPDATE audit SET seq = -seq WHERE seq < 0"];
    let between = tampered(kind, &[between[0], between[1], copy(5, 4)]).await;
    assert_eq!(between, Err(BrokenLink { seq: 5, why: Why::Hash }));
    let behind = tampered(kind, &[copy(11, 10)]).await;
    assert_eq!(behind, Err(BrokenLink { seq: 11, why: Why::Head { head: 10 } }));
    let before = tampered(kind, &[copy(0, 1)]).await;
    assert_eq!(before, Err(BrokenLink { seq: 0, why: Why::Sequence { expected: 1 } }));
}

async fn a_changed_personal_value_is_named(kind: Kind) {
    for change in [
        "UPDATE audit_sealed SET sealed = zeroblob(40) WHERE seq = 4",
        "UPDATE audit_sealed SET sealed = (SELECT o.sealed FROM audit_sealed o WHERE o.seq = 5) WHERE seq = 4",
    ] {
        let broken = BrokenLink { seq: 4, why: Why::Personal { field: "about" } };
        assert_eq!(tampered(kind, &[change]).await, Err(broken), "{change}");
    }
}

async fn erasing_a_person_leaves_the_log_whole(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    let erase = Change::ErasePerson { person: Person::number(&caller()), by: Actor::System };
    place.store.commit(vec![erase]).await.expect("erases");
    place.facts(vec![arrived(call(1), 1)]).await;
    let proof = place.store.verify_audit(|_, _| {}).await.expect("whole");
    assert_eq!((proof.personal, proof.erased), (2, 3));
}

async fn the_tables_refuse_what_would_break_the_log(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(every_fact(call(0))).await;
    place.store.commit(vec![kek_made(KEK), armed(0, &[1])]).await.expect("arms");
    let mut raw = place.raw().await;
    let listened = sqlx::AssertSqlSafe(format!(
        "INSERT INTO listening_log (at, recording, who) VALUES (1, '{}', 'ada')",
        recording(0)
    ));
    raw.execute(listened).await.expect("a listening row");
    let statements = [
        "UPDATE audit SET new = 'x' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 1",
        "UPDATE audit_sealed SET sealed = zeroblob(40)",
        "UPDATE persons SET key = zeroblob(32)",
        "UPDATE audit_head SET seq = seq - 1",
        "UPDATE audit_head SET hash = zeroblob(32)",
        "DELETE FROM audit_head",
        "INSERT OR REPLACE INTO audit_head (id, seq, hash) VALUES (1, 0, zeroblob(32))",
        "UPDATE listening_log SET reason = 'x'",
        "UPDATE listening_log SET kind = 'live'",
        "DELETE FROM listening_log",
        "INSERT OR REPLACE INTO listening_log SELECT * FROM listening_log",
    ];
    // A number that is taken is refused by PostgreSQL's identity, and TRUNCATE is no DELETE.
    let (statements, truncate) = match kind {
        Kind::Sqlite => (statements.as_slice(), [].as_slice()),
        Kind::Postgres => (
            statements.split_last().expect("some").1,
            ["TRUNCATE audit CASCADE", "TRUNCATE audit_head", "TRUNCATE listening_log"].as_slice(),
        ),
    };
    for statement in statements.iter().chain(truncate) {
        let error = raw.execute(sql(kind, statement)).await.expect_err(statement).to_string();
        assert!(error.contains("audit log") || error.contains("listening log"), "{statement}: {error}");
    }
    place.audit_rows().await;
}
