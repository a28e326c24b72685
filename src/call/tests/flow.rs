//! Queue, agents, transfer, the end.

use super::*;

/// The order that keeps every word: capture, then bridge; the agent reported before the queue is left.
#[test]
fn a_recorded_conversation_from_end_to_end() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').store(true).prompt_done();
    assert_eq!(scene.plays(), [Prompt::PleaseWait]);
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::Music]);
    scene.ring(&["ann"]);
    let (take, leg) = (scene.armed().expect("armed"), scene.leg(1));
    scene
        .input(Input::RecordingArmed(take))
        .input(Input::AgentRinging { leg })
        .input(Input::AgentAnswered { leg });
    let caller = scene.call.caller();
    assert!(
        matches!(
            &scene.out[..],
            [
                Output::StopPlay { leg: stopped },
                Output::StartRecording { caller: left, agent: right, quiet: false },
                Output::Bridge { .. },
                Output::AgentReport { report: AgentReport::Connected, .. },
                Output::Dequeue,
                Output::Commit(..),
            ] if *stopped == caller && *left == caller && *right == leg
        ),
        "{:?}",
        scene.out
    );
    scene.input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.has(|o| matches!(o, Output::StopRecording { destroy: false })));
    assert!(
        scene.has(|o| matches!(o, Output::Hangup { leg, cause: Cause::OtherSideGone } if *leg == caller))
    );
    assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Finished, .. })));
    assert!(scene.ended());
    scene.input(Input::LegGone { leg: caller, cause: Cause::OtherSideGone });
    assert!(scene.out.is_empty(), "nothing comes after the end");
}

/// In every phase, whoever hangs up, nothing is left.
#[test]
fn a_hang_up_at_any_moment_leaves_nothing() {
    type Step = fn(&mut Scene);
    let steps: [(&str, Step); 9] = [
        ("ack", |s| {
            s.input(Input::CallerConfirmed);
        }),
        ("welcome", |s| {
            s.prompt_done();
        }),
        ("key", |s| {
            s.press('1');
        }),
        ("store", |s| {
            s.store(true);
        }),
        ("thanks", |s| {
            s.prompt_done();
        }),
        ("ring", |s| {
            s.ring(&["ann", "bob"]);
        }),
        ("answer", |s| {
            let leg = s.leg(2);
            s.input(Input::AgentAnswered { leg });
        }),
        ("arm", |s| {
            s.input(Input::RecordingArmed(TakeId(0)));
        }),
        ("pause", |s| {
            s.input(Input::Recording(RecordingRequest::Pause { agent: "bob".into() }));
        }),
    ];
    for count in 0..=steps.len() {
        for end in [
            Input::LegGone { leg: LegId::caller(CallId::new(Ulid(1))), cause: Cause::HungUp },
            Input::Shutdown,
        ] {
            let hung_up = matches!(end, Input::LegGone { .. });
            let mut scene = Scene::with(consent(), |_| {});
            for (_, step) in &steps[..count] {
                step(&mut scene);
            }
            let at = steps[..count].last().map_or("answer sent", |(name, _)| name);
            scene.input(end);
            assert!(scene.ended(), "after {at}");
            assert_eq!(
                scene.has(|o| matches!(o, Output::Hangup { leg, .. } if leg.n == 0)),
                !hung_up,
                "after {at}"
            );
            let agents = scene.out.iter().filter(|o| matches!(o, Output::AgentReport { .. })).count();
            let legs =
                scene.out.iter().filter(|o| matches!(o, Output::Hangup { leg, .. } if leg.n > 0)).count();
            assert_eq!(agents, legs, "after {at}");
            assert_eq!(legs, [0, 0, 0, 0, 0, 0, 2, 1, 1, 1][count], "after {at}");
            assert_eq!(
                scene.has(|o| matches!(o, Output::StopRecording { destroy: false })),
                count >= 6,
                "after {at}"
            );
            assert_eq!(scene.has(|o| matches!(o, Output::Dequeue)), (3..=7).contains(&count), "after {at}");
            assert_eq!(scene.bases().len(), 1, "after {at}");
            let asked = (2..3).contains(&count) && hung_up;
            assert_eq!(scene.answers().contains(&Answer::HungUp), asked, "after {at}");
            assert_eq!(
                scene.facts.iter().filter(|f| matches!(f, Fact::Ended { .. })).count(),
                1,
                "after {at}"
            );
        }
    }
}

#[test]
fn nobody_answers_and_the_caller_waits_on_with_music() {
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.press('1').prompt_done().prompt_done().store(true).ring(&["ann"]);
    let take = scene.armed().expect("armed");
    scene.input(Input::RecordingArmed(take)).timer(TimerName::Ring);
    assert!(scene.has(|o| matches!(o, Output::Hangup { cause: Cause::NoAnswer, .. })));
    assert!(
        scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Missed(Cause::NoAnswer), .. }))
    );
    assert!(!scene.has(|o| matches!(o, Output::Dequeue | Output::Enqueue { .. })), "the place is kept");
    assert!(scene.plays().is_empty(), "the music goes on");
    scene.ring(&["bob"]);
    assert_eq!(scene.armed(), None, "the armed take serves the next agent");
    let leg = scene.leg(2);
    scene.input(Input::AgentAnswered { leg });
    assert!(scene.has(|o| matches!(o, Output::StartRecording { .. })));
}

#[test]
fn all_ring_and_the_first_to_answer_has_the_call() {
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.ring(&["ann", "bob", "cy"]);
    let (first, busy, late) = (scene.leg(2), scene.leg(1), scene.leg(3));
    scene.input(Input::LegGone { leg: busy, cause: Cause::Busy });
    assert_eq!(scene.call.phase(), Phase::Ringing, "others still ring");
    scene.input(Input::AgentAnswered { leg: first });
    assert!(
        scene.has(|o| matches!(o, Output::Hangup { leg, cause: Cause::AnsweredElsewhere } if *leg == late))
    );
    assert!(scene.has(
        |o| matches!(o, Output::AgentReport { agent, report: AgentReport::Released } if agent.0 == "cy")
    ));
    scene
        .input(Input::AgentAnswered { leg: late })
        .input(Input::LegGone { leg: late, cause: Cause::Cancelled });
    assert!(scene.out.is_empty(), "its 200 crossed our CANCEL");
    assert_eq!(scene.call.agent(), Some(&"bob".into()));
}

#[test]
fn an_agent_lost_before_the_bridge_gives_the_caller_back_to_the_queue() {
    let mut scene = Scene::with(legal(), |_| {}).welcomed();
    scene.store(true).ring(&["ann"]);
    let leg = scene.leg(1);
    scene.input(Input::AgentAnswered { leg }).input(Input::LegGone { leg, cause: Cause::HungUp });
    assert_eq!(scene.call.phase(), Phase::Waiting);
    assert!(
        scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Missed(Cause::HungUp), .. }))
    );
}

#[test]
fn a_transfer_keeps_the_first_queues_policy() {
    // From a queue that asked to one that never records, and the other way round.
    for (first, then, recorded) in [(consent(), Policy::Never, true), (Policy::Never, legal(), false)] {
        let mut scene = Scene::with(first, |_| {}).welcomed();
        if scene.call.phase() == Phase::Asking {
            scene.press('1');
        }
        scene.store(true).ring(&["ann"]);
        let leg = scene.leg(1);
        if let Some(take) = scene.armed() {
            scene.input(Input::RecordingArmed(take));
        }
        scene.input(Input::AgentAnswered { leg });
        let to = Target::Queue { id: "support".into(), queue: Arc::new(queue(then)) };
        scene.now = scene.now + Duration::from_secs(30);
        scene.input(Input::Transfer { by: leg, to });
        assert!(matches!(scene.out.first(), Some(Output::Unbridge)));
        assert!(scene.has(|o| matches!(o, Output::Hangup { leg: l, .. } if *l == leg)));
        assert!(scene.has(|o| matches!(o, Output::AgentReport { report: AgentReport::Finished, .. })));
        assert_eq!(scene.enqueued(), Some(("support".into(), None, scene.now)));
        assert_eq!(scene.call.phase(), Phase::Waiting, "not asked again");
        scene.store(true).ring(&["bob"]);
        assert_eq!(scene.armed().is_some(), recorded);
        assert_eq!(scene.bases().len(), 1);
    }
}

#[test]
fn overflow_ends_the_call_or_leads_to_another_queue_at_the_same_place() {
    let arrived = Timestamp::from_micros(1_000_000_000);
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.prompt_done().timer(TimerName::Key).press('1').store(true);
    let second = || Onward::To(Target::Queue { id: "support".into(), queue: Arc::new(queue(Policy::Never)) });
    scene.input(Input::Overflow { to: second(), since: arrived });
    assert_eq!(scene.enqueued(), Some(("support".into(), None, arrived)));
    scene.store(true).ring(&["ann"]);
    assert!(scene.armed().is_some(), "the first queue's recording settings stay");
    scene.input(Input::Overflow { to: Onward::End, since: arrived });
    assert!(scene.out.is_empty(), "not while phones ring");
    scene.timer(TimerName::Ring).input(Input::Overflow { to: Onward::End, since: arrived });
    assert!(scene.ended());
    assert!(scene.has(|o| matches!(o, Output::Hangup { cause: Cause::WaitedTooLong, .. })));
    // A ring of queues comes to an end.
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    for _ in 0..8 {
        scene.input(Input::Overflow { to: second(), since: arrived });
        assert!(scene.enqueued().is_some());
    }
    scene.input(Input::Overflow { to: second(), since: arrived });
    assert!(scene.ended());
}

#[test]
fn who_comes_when_it_is_closed_is_told_so_and_asked_nothing() {
    let mut closed = arrival(1, queue(consent()));
    closed.door = Door::Closed;
    let mut scene = Scene::new(closed);
    scene.input(Input::CallerConfirmed);
    assert_eq!(scene.plays(), [Prompt::Closed]);
    scene.press('1');
    assert!(scene.out.is_empty(), "nothing was asked");
    scene.prompt_done();
    assert!(scene.ended() && scene.enqueued().is_none());
    assert!(scene.has(|o| matches!(o, Output::Hangup { cause: Cause::Closed, .. })));
    assert!(scene.answers().is_empty(), "no answer to remember");
    assert!(matches!(scene.bases()[..], [ref basis] if !basis.allows()));
    // Nor does a prompt whose end is never told hold anybody.
    let mut closed = arrival(1, queue(Policy::Never));
    closed.door = Door::Closed;
    let mut scene = Scene::new(closed);
    scene.input(Input::CallerConfirmed).timer(TimerName::Prompt);
    assert!(scene.ended());
}

#[test]
fn who_is_sent_on_because_it_is_closed_is_recorded_as_the_first_queue_says() {
    let mut sent_on = arrival(1, queue(consent()));
    let night = Arc::new(Queue { priority: 7, ..queue(Policy::Never) });
    sent_on.door = Door::Elsewhere { id: "night".into(), queue: night };
    let mut scene = Scene::new(sent_on).welcomed();
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion], "the first queue asks");
    scene.prompt_done().press('1');
    let since = Timestamp::from_micros(1_000_000_000);
    assert_eq!(scene.enqueued(), Some(("night".into(), None, since)));
    assert!(scene.has(|o| matches!(o, Output::Enqueue { priority: 7, .. })));
    scene.store(true).recorded("ann", 1);
    assert_eq!(scene.call.queue().0, "night");
    assert_eq!(scene.call.arrival().queue_id.0, "sales");
}

#[test]
fn overflow_to_a_queue_that_is_closed_ends_with_the_word_of_it() {
    let arrived = Timestamp::from_micros(1_000_000_000);
    let mut scene = Scene::with(consent(), |_| {}).welcomed();
    scene.prompt_done().press('1').store(true).input(Input::Overflow { to: Onward::Closed, since: arrived });
    assert_eq!(scene.plays(), [Prompt::Closed]);
    scene.ring(&["ann"]);
    assert!(!scene.has(|o| matches!(o, Output::Dial { .. })), "waits no more");
    scene.input(Input::Overflow { to: Onward::End, since: arrived });
    assert!(scene.out.is_empty());
    scene.prompt_done();
    assert!(scene.ended() && scene.bases().len() == 1);
    // The caller may hang up before its end.
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.input(Input::Overflow { to: Onward::Closed, since: arrived });
    let leg = scene.call.caller();
    scene.input(Input::LegGone { leg, cause: Cause::HungUp });
    assert!(scene.ended() && scene.bases().len() == 1);
}

#[test]
fn the_place_is_told_between_the_music() {
    let every = Some(Duration::from_secs(30));
    let mut scene = Scene::with(Policy::Never, |q| q.position_every = every).welcomed();
    scene.input(Input::Position(3));
    assert!(scene.plays().is_empty(), "not over another notice");
    scene.prompt_done().input(Input::Position(300));
    assert_eq!(scene.plays(), [Prompt::Position(255)]);
    scene.prompt_done();
    assert_eq!(scene.plays(), [Prompt::Music]);
}

#[test]
fn a_prompt_whose_end_is_never_told_holds_nobody() {
    let mut scene = Scene::with(consent(), |_| {});
    scene.input(Input::CallerConfirmed).timer(TimerName::Prompt);
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    scene.timer(TimerName::Prompt).timer(TimerName::Key);
    assert_eq!(scene.plays(), [Prompt::ConsentQuestion]);
    scene.input(Input::PromptDone { play: PlayId(0) });
    assert!(scene.call.poll_timeout().is_some_and(|(_, name)| name == TimerName::Prompt), "an old word");
}

#[test]
fn agents_who_cannot_be_rung_are_given_back() {
    let mut scene = Scene::with(Policy::Never, |_| {}).welcomed();
    scene.ring(&[]);
    assert_eq!(scene.call.phase(), Phase::Waiting);
    scene.ring(&["ann", "ann"]);
    assert_eq!(scene.out.iter().filter(|o| matches!(o, Output::Dial { .. })).count(), 1);
    let leg = scene.leg(1);
    scene.ring(&["ann"]);
    assert!(scene.out.is_empty(), "said twice");
    scene.input(Input::AgentAnswered { leg }).ring(&["bob"]);
    assert!(scene.out.is_empty(), "leaving the queue has set bob free");
}
