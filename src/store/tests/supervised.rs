//! What a lost phone and a supervisor leave behind.

use super::*;
use crate::audit::{Class, Sealed};
use crate::call::Supervision;

on_each_kind! {
    a_lost_phone_and_its_return_are_told_in_the_course_of_the_call,
    who_listened_how_and_until_when_is_audited_as_reading,
}

async fn a_lost_phone_and_its_return_are_told_in_the_course_of_the_call(kind: Kind) {
    let (place, call) = (Place::new(kind).await, call(0));
    let (agent, lost, anew) = (crate::ids::AgentId::from("bob"), leg(call, 1), leg(call, 2));
    let dialled = |leg, second| Fact::Dialled { leg, to: Whom::Agent("bob".into()), at: at(second) };
    place
        .facts(vec![
            arrived(call, 0),
            dialled(lost, 1),
            Fact::Connected { leg: lost, at: at(2) },
            Fact::Lost { call, leg: lost, agent: agent.clone(), at: at(3) },
            dialled(anew, 4),
            Fact::Reattached { call, agent, lost, leg: anew, at: at(5) },
            Fact::Connected { leg: anew, at: at(5) },
        ])
        .await;
    let detail = place.store.call(call).await.expect("reads").expect("the call");
    assert_eq!((detail.call.connected_at, detail.call.agent), (Some(at(2)), Some("bob".into())));
    let told: Vec<_> = detail.events.iter().map(|e| (e.kind.as_str(), e.detail.as_deref())).collect();
    assert_eq!(told, [("lost", Some("leg 1")), ("reattached", Some("leg 1 by leg 2"))]);
    let rows = place.store.audit(&AuditFilter::default()).await.expect("reads");
    let actions: Vec<_> = rows.iter().map(|row| (&*row.action, row.class)).collect();
    assert!(actions.contains(&("agent.lost", Class::Failure)), "{actions:?}");
    assert!(actions.contains(&("agent.reattached", Class::System)), "{actions:?}");
}

async fn who_listened_how_and_until_when_is_audited_as_reading(kind: Kind) {
    let (place, call) = (Place::new(kind).await, call(0));
    let (leg, by) = (leg(call, 2), || "eve".to_owned());
    let supervised = |mode, was, second| Fact::Supervised { call, leg, by: by(), mode, was, at: at(second) };
    place
        .facts(vec![
            arrived(call, 0),
            supervised(Supervision::Listen, None, 1),
            supervised(Supervision::Barge, Some(Supervision::Listen), 2),
            Fact::SuperviseEnded { call, leg, by: by(), at: at(3) },
            Fact::LegEnded { leg, at: at(3), cause: Cause::HungUp },
        ])
        .await;
    let detail = place.store.call(call).await.expect("reads").expect("the call");
    let [_, own] = detail.legs.as_slice() else { panic!("two legs") };
    assert_eq!((own.n, own.connected_at, own.ended_at, &own.agent), (2, Some(at(1)), Some(at(3)), &None));
    let rows = place.store.audit(&AuditFilter::default()).await.expect("reads");
    let plain = |value: &Option<Sealed>| match value {
        Some(Sealed::Plain(text)) => Some(text.clone()),
        Some(Sealed::Personal { .. }) | None => None,
    };
    let read: Vec<_> = rows.iter().filter(|row| row.class == Class::Read).collect();
    let told: Vec<_> = read.iter().map(|row| (&*row.action, plain(&row.old), plain(&row.new))).collect();
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(
        told,
        [
            ("call.supervision-ended", None, word("none")),
            ("call.supervised", word("listen"), word("barge")),
            ("call.supervised", None, word("listen")),
        ]
    );
    assert!(read.iter().all(|row| row.who.to_string() == "user eve"));
}
