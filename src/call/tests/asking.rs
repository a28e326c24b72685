//! What is asked, and what an answer means.

use super::*;

/// What a caller can do when asked, and what it means. Every one of them waits in the same queue, at the
/// place of the arrival.
#[test]
fn only_a_pressed_yes_is_a_yes() {
    type Play = fn(&mut Scene);
    let cases: [(&str, Play, Answer); 6] = [
        (
            "yes",
            |s| {
                s.prompt_done().press('1');
            },
            Answer::Yes(key('1'), DigitChannel::Rfc4733),
        ),
        (
            "yes, cutting short",
            |s| {
                s.press('1');
            },
            Answer::Yes(key('1'), DigitChannel::Rfc4733),
        ),
        (
            "no",
            |s| {
                s.prompt_done().press('2');
            },
            Answer::No(key('2'), DigitChannel::Rfc4733),
        ),
        (
            "silence",
            |s| {
                for _ in 0..3 {
                    s.prompt_done().timer(TimerName::Key);
                }
            },
            Answer::Silence,
        ),
        (
            "wrong keys",
            |s| {
                s.prompt_done().press('5');
                assert_eq!(s.plays(), [Prompt::InvalidKey]);
                s.press('6'); // still the same mistake
                assert!(s.plays().is_empty());
                s.prompt_done();
                assert_eq!(s.plays(), [Prompt::ConsentQuestion]);
                s.press('7').prompt_done().press('9');
            },
            Answer::WrongKeys(key('9'), DigitChannel::Rfc4733),
        ),
        (
            "a wrong key, then silence",
            |s| {
                s.press('8').prompt_done().prompt_done().timer(TimerName::Key);
                s.prompt_done().timer(TimerName::Key);
            },
            Answer::WrongKeys(key('8'), DigitChannel::Rfc4733),
        ),
    ];
    for (name, play, answer) in cases {
        let mut scene = Scene::with(consent(), |_| {}).welcomed();
        let arrived = Timestamp::from_micros(1_000_000_000);
        assert_eq!(scene.plays(), [Prompt::ConsentQuestion], "{name}");
        play(&mut scene);
        let outcome = if answer.agreed() { Prompt::Thanks } else { Prompt::Refused };
        assert_eq!(scene.plays(), [outcome], "{name}");
        assert_eq!(scene.enqueued(), Some(("sales".into(), None, arrived)), "{name}");
        assert_eq!(scene.answers(), [answer], "{name}");
        assert_eq!(scene.bases().len(), 1, "{name}");
        assert_eq!(scene.bases()[0].allows(), answer.agreed(), "{name}");
        scene.store(true).ring(&["ann"]);
        assert_eq!(scene.armed().is_some(), answer.agreed(), "{name}");
    }
}

#[test]
fn a_key_during_welcome_answers_nothing() {
    let mut scene = Scene::with(consent(), |_| {});
    scene.input(Input::CallerConfirmed).press('1');
    assert!(scene.out.is_empty());
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    assert!(scene.bases().is_empty());
}

#[test]
fn without_barge_in_keys_count_from_the_end_of_the_question() {
    let mut scene = Scene::with(Policy::Consent(Script { barge_in: false, ..script() }), |_| {}).welcomed();
    scene.press('1');
    assert!(scene.out.is_empty() && scene.bases().is_empty());
    scene.prompt_done().press('1');
    assert_eq!(scene.plays(), [Prompt::Thanks]);
}

#[test]
fn a_key_of_another_leg_answers_nothing() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    let leg = scene.leg(1);
    scene.input(Input::Digit { leg, digit: key('1'), channel: DigitChannel::Info });
    assert!(scene.out.is_empty());
}

#[test]
fn the_ask_rule_says_when_a_stored_answer_is_used() {
    let day = Duration::from_secs(86_400);
    let at = Timestamp::from_micros(1_000_000_000) - 10 * day;
    let known = |agreed| Some(Known { agreed, at });
    let cases = [
        (AskRule::EveryCall, known(true), false, None),
        (AskRule::WhenUnknown, None, false, None),
        (AskRule::WhenUnknown, known(true), false, Some(Basis::AgreedEarlier(at))),
        (AskRule::WhenUnknown, known(false), false, Some(Basis::RefusedEarlier(at))),
        (AskRule::OlderThan(9 * day), known(true), false, None),
        (AskRule::OlderThan(11 * day), known(true), false, Some(Basis::AgreedEarlier(at))),
        (AskRule::WhenUnknown, known(true), true, None), // withheld: nothing stored is this caller's
    ];
    for (ask, known, withheld, expected) in cases {
        let mut arrival = arrival(1, queue(Policy::Consent(Script { ask, ..script() })));
        arrival.known = known;
        if withheld {
            arrival.from = None;
        }
        let scene = Scene::new(arrival).welcomed();
        let asked = scene.call.phase() == Phase::Asking;
        assert_eq!(asked, expected.is_none(), "{ask:?} {known:?}");
        assert_eq!(scene.bases().into_iter().next(), expected, "{ask:?} {known:?}");
    }
}

#[test]
fn a_withheld_number_is_answered_for_this_call_only() {
    let mut arrival = arrival(1, queue(consent()));
    arrival.from = None;
    let mut scene = Scene::new(arrival).welcomed();
    scene.press('1');
    assert!(scene.facts.iter().any(|fact| matches!(fact, Fact::ConsentAnswered { from: None, .. })));
}

#[test]
fn never_and_always_are_decided_without_asking() {
    for (policy, basis) in
        [(Policy::Never, Basis::Never), (legal(), Basis::Legal(LegalBasis::Obligation("MiFID II".into())))]
    {
        let mut scene = Scene::with(policy, |_| {}).welcomed();
        assert_eq!(scene.plays(), [Prompt::PleaseWait]);
        assert_eq!(scene.bases(), std::slice::from_ref(&basis));
        assert!(scene.enqueued().is_some());
        scene.store(true).ring(&["ann"]);
        assert_eq!(scene.armed().is_some(), basis.allows());
    }
}
