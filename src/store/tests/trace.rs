//! What was said in a call: kept once, read as it was, gone with what is personal.

use super::*;

on_each_kind!(is_kept_once_and_read_as_it_was, goes_when_the_call_is_anonymised_and_does_not_come_back);

fn ladder(cut: bool) -> Ladder {
    let rung = |sent: bool, line: usize, what: &str, body: Option<&str>| Rung {
        at: at(7),
        sent,
        line,
        what: what.to_owned(),
        cseq: "1 INVITE".to_owned(),
        body: body.map(str::to_owned),
        leg: u16::try_from(line).expect("small"),
    };
    let lines = vec!["trunk pstn".to_owned(), "agent bob".to_owned()];
    let messages = vec![
        rung(false, 0, "INVITE", Some("application/sdp, 200 octets")),
        rung(true, 1, "INVITE", None),
        rung(true, 0, "200 OK", None),
    ];
    Ladder { lines, messages, cut }
}

async fn keep(place: &Place, n: u128, ladder: Ladder) -> Result<(), StoreError> {
    let change = ParticularsChange::Ladder { call: call(n), ladder };
    place.store.commit(vec![Change::Particulars(change)]).await
}

async fn is_kept_once_and_read_as_it_was(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(1), 0), arrived(call(2), 0)]).await;
    let before = place.audit_rows().await;
    assert_eq!(place.store.ladder(call(1)).await.expect("reads"), None);
    keep(&place, 1, ladder(true)).await.expect("keeps");
    assert_eq!(place.store.ladder(call(1)).await.expect("reads"), Some(ladder(true)));
    assert_eq!(place.store.ladder(call(2)).await.expect("reads"), None, "another call's");
    // Who does not know whether it was stored stores it again.
    keep(&place, 1, ladder(false)).await.expect("is no fault");
    assert_eq!(place.store.ladder(call(1)).await.expect("reads"), Some(ladder(true)));
    assert!(matches!(keep(&place, 9, ladder(false)).await, Err(StoreError::Missing { .. })), "no such call");
    assert_eq!(place.audit_rows().await, before, "it changes nothing that anybody decided");
}

async fn goes_when_the_call_is_anonymised_and_does_not_come_back(kind: Kind) {
    let place = Place::new(kind).await;
    place.facts(vec![arrived(call(1), 0)]).await;
    let ended = Fact::Ended { call: call(1), at: at(9), cause: Cause::HungUp };
    place.facts(vec![ended]).await;
    keep(&place, 1, ladder(false)).await.expect("keeps");
    let anonymise =
        AnonymiseChange::Call { call: call(1), at: at(20), rule: "test".to_owned(), by: Actor::System };
    place.store.commit(vec![Change::Anonymise(anonymise)]).await.expect("anonymises");
    assert_eq!(place.store.ladder(call(1)).await.expect("reads"), None);
    let late = keep(&place, 1, ladder(false)).await;
    assert!(matches!(late, Err(StoreError::State { .. })), "it comes too late");
    assert_eq!(place.store.ladder(call(1)).await.expect("reads"), None);
}
