//! Reports of reconciliations: begun, going on after a crash, ended, read in pages, dealt with.

use ulid::Ulid;

use super::*;
use crate::audit::{Class, Sealed};
use crate::ids::ReconciliationId;

on_each_kind! {
    a_report_can_go_on_after_a_crash_and_ends_once,
    an_operator_deals_with_a_finding_once,
}

fn id(n: u128) -> ReconciliationId {
    ReconciliationId::new(Ulid(n + 1))
}

fn began(n: u128) -> Change {
    let at = at(i64::try_from(n).expect("small"));
    Change::Report(ReconciliationChange::Began { id: id(n), at, by: Actor::User("ada".into()) })
}

fn found(n: u128, kind: &str, subjects: std::ops::Range<usize>) -> Change {
    let finding =
        |n| Finding { kind: kind.into(), subject: format!("{kind} {n}"), detail: "so it is".into() };
    Change::Report(ReconciliationChange::Findings { id: id(n), findings: subjects.map(finding).collect() })
}

fn ended(n: u128, counts: &str) -> Vec<Change> {
    vec![Change::Report(ReconciliationChange::Ended { id: id(n), at: at(9), counts: counts.into() })]
}

async fn a_report_can_go_on_after_a_crash_and_ends_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let early = store.commit(ended(0, "{}")).await;
    assert!(matches!(early, Err(StoreError::Missing { what: "reconciliation", .. })), "{early:?}");
    assert!(store.commit(vec![found(0, "orphan", 0..1)]).await.is_err(), "of no report");
    store.commit(vec![began(0), found(0, "orphan", 0..4)]).await.expect("begins");
    store.commit(vec![began(0), found(0, "missing", 0..1), found(0, "orphan", 2..6)]).await.expect("again");
    let page = store.findings(id(0), None, None, 5).await.expect("reads");
    let rest = store.findings(id(0), None, page.next.clone(), 5).await.expect("reads");
    let subjects: Vec<String> =
        page.items.iter().chain(&rest.items).map(|row| row.finding.subject.clone()).collect();
    let expected = ["orphan 0", "orphan 1", "orphan 2", "orphan 3", "missing 0", "orphan 4", "orphan 5"];
    assert_eq!((subjects, rest.next), (expected.map(str::to_owned).into(), None), "each once, in order");
    let orphans = store.findings(id(0), Some("orphan"), None, 4).await.expect("reads");
    let rest = store.findings(id(0), Some("orphan"), orphans.next, 4).await.expect("reads");
    assert_eq!((orphans.items.len(), rest.items.len()), (4, 2));

    assert!(store.commit(ended(0, "{")).await.is_err(), "no JSON");
    let rows = place.audit_rows().await;
    store.commit(ended(0, r#"{"recorded":7}"#)).await.expect("ends");
    assert_eq!(place.audit_rows().await, rows + 1);
    let row = store.reconciliation(id(0)).await.expect("reads").expect("there");
    assert_eq!(
        (row.state, row.by.as_str(), row.ended_at),
        (ReconciliationState::Ended, "user ada", Some(at(9)))
    );
    assert_eq!(row.counts, Some(serde_json::json!({ "recorded": 7 })));
    let again = store.commit(ended(0, "{}")).await;
    assert!(matches!(&again, Err(StoreError::State { state, .. }) if state == "ended"), "{again:?}");

    let fail = Change::Report(ReconciliationChange::Failed { id: id(1), at: at(9), why: "no bucket".into() });
    store.commit(vec![began(1), fail]).await.expect("fails");
    store.commit(vec![began(2)]).await.expect("begins");
    let filter = AuditFilter { action: Some("reconciliation.failed".into()), ..AuditFilter::default() };
    assert_eq!(store.audit(&filter).await.expect("reads")[0].class, Class::Failure);
    let page = store.reconciliations(None, 2).await.expect("reads");
    let states: Vec<_> = page.items.iter().map(|row| (row.id, row.state)).collect();
    assert_eq!(states, [(id(2), ReconciliationState::Running), (id(1), ReconciliationState::Failed)]);
    let page = store.reconciliations(page.next, 2).await.expect("reads");
    assert_eq!((page.items.len(), page.items[0].id, page.next), (1, id(0), None));
}

async fn an_operator_deals_with_a_finding_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    store.commit(vec![began(0), found(0, "orphan", 0..1)]).await.expect("begins");
    let resolve = || {
        let (kind, subject, by) = ("orphan".into(), "orphan 0".into(), Actor::User("ada".into()));
        let reason = Redacted("of Ms Miller's test".to_owned());
        vec![Change::Report(ReconciliationChange::Resolved {
            id: id(0),
            kind,
            subject,
            at: at(9),
            by,
            reason,
        })]
    };
    store.commit(resolve()).await.expect("resolves");
    assert!(matches!(store.commit(resolve()).await, Err(StoreError::Missing { .. })));
    let row = store.finding(id(0), "orphan", "orphan 0").await.expect("reads").expect("there");
    assert_eq!((row.resolved_at, row.resolved_by.as_deref()), (Some(at(9)), Some("user ada")));
    assert_eq!(store.finding(id(0), "orphan", "another").await.expect("reads"), None);
    let filter = AuditFilter { action: Some("finding.resolved".into()), ..AuditFilter::default() };
    let told = store.audit(&filter).await.expect("reads").pop().expect("a row");
    assert_eq!(told.old.as_ref().and_then(Sealed::text), Some("orphan 0"));
    assert!(matches!(told.new, Some(Sealed::Personal { .. })));
    assert!(!format!("{:?}", resolve()).contains("Miller"));
}
