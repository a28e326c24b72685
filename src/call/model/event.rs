//! What chance does, and what that says to a call.

use super::*;

/// One thing that chance does. Numbers choose among what there is at that moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A new caller; the number's bits set policy, number, failure policy and so on.
    Arrive(u16),
    /// What would come next if all went well.
    Progress(u8),
    /// Words on their way between calls and desk arrive.
    Deliver(u8),
    /// The clock moves by so many tenths of a second, firing what is due.
    Pass(u8),
    /// The clock moves to the next deadline of a call or the desk.
    NextTimer,
    Digit(u8, u8),
    PromptDone(u8),
    Store(u8, bool),
    Arm(u8, bool),
    Break(u8),
    Answer(u8, u8),
    PhoneFails(u8, u8, u8),
    CallerGone(u8),
    Hold(u8, bool, bool),
    Pause(u8, bool),
    Override(u8, bool),
    Withdraw(u8),
    Transfer(u8, u8),
    Consult(u8, u8, bool),
    Complete(u8, u8),
    ThreeWay(u8, u8),
    EndConsultation(u8, u8),
    /// Another dialog in the place of one of the call's.
    Replaced(u8, u8, u8),
    Referred(u8, bool),
    /// A phone is gone without a goodbye, is back, or is rung anew.
    Lost(u8, u8),
    Back(u8, u8),
    Reattach(u8),
    /// Who, and how.
    Supervise(u8, u8, u8),
    Supervising(u8, u8, u8),
    Unsupervise(u8, u8),
    /// An old event once more, for something long gone.
    Stale(u8, u8),
    Register(u8, bool),
    Presence(u8, bool),
    Settings(u8),
    Shutdown(u8),
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<u16>().prop_map(Event::Arrive),
        60 => any::<u8>().prop_map(Event::Progress),
        16 => any::<u8>().prop_map(Event::Deliver),
        4 => any::<u8>().prop_map(Event::Pass),
        4 => Just(Event::NextTimer),
        5 => any::<(u8, u8)>().prop_map(|(c, k)| Event::Digit(c, k)),
        3 => any::<u8>().prop_map(Event::PromptDone),
        4 => (any::<u8>(), prop::bool::weighted(0.85)).prop_map(|(c, ok)| Event::Store(c, ok)),
        3 => (any::<u8>(), prop::bool::weighted(0.85)).prop_map(|(c, ok)| Event::Arm(c, ok)),
        1 => any::<u8>().prop_map(Event::Break),
        3 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Answer(c, n)),
        2 => any::<(u8, u8, u8)>().prop_map(|(c, n, why)| Event::PhoneFails(c, n, why)),
        1 => any::<u8>().prop_map(Event::CallerGone),
        2 => any::<(u8, bool, bool)>().prop_map(|(c, who, on)| Event::Hold(c, who, on)),
        4 => (any::<u8>(), prop::bool::weighted(0.7)).prop_map(|(c, on)| Event::Pause(c, on)),
        4 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(c, text)| Event::Override(c, text)),
        1 => any::<u8>().prop_map(Event::Withdraw),
        4 => any::<(u8, u8)>().prop_map(|(c, to)| Event::Transfer(c, to)),
        5 => any::<(u8, u8, bool)>().prop_map(|(c, to, own)| Event::Consult(c, to, own)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Complete(c, n)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::ThreeWay(c, n)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::EndConsultation(c, n)),
        2 => any::<(u8, u8, u8)>().prop_map(|(c, n, who)| Event::Replaced(c, n, who)),
        1 => any::<(u8, bool)>().prop_map(|(c, well)| Event::Referred(c, well)),
        4 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Lost(c, n)),
        1 => any::<(u8, u8)>().prop_map(|(c, n)| Event::Back(c, n)),
        1 => any::<u8>().prop_map(Event::Reattach),
        5 => any::<(u8, u8, u8)>().prop_map(|(c, who, mode)| Event::Supervise(c, who, mode)),
        2 => any::<(u8, u8, u8)>().prop_map(|(c, who, mode)| Event::Supervising(c, who, mode)),
        1 => any::<(u8, u8)>().prop_map(|(c, who)| Event::Unsupervise(c, who)),
        3 => any::<(u8, u8)>().prop_map(|(c, what)| Event::Stale(c, what)),
        2 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(a, on)| Event::Register(a, on)),
        2 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(a, on)| Event::Presence(a, on)),
        1 => any::<u8>().prop_map(Event::Settings),
        1 => any::<u8>().prop_map(Event::Shutdown),
    ]
}

/// An agent, a queue, or a number outside, to stay in the path of or to release.
fn target(n: u8) -> Target {
    let at = usize::from(n >> 2);
    match n & 3 {
        0 => Target::Queue { id: QUEUES[at % 3].into(), queue: Arc::new(a_queue(at % 3, 0)) },
        1 | 2 => Target::Agent(AGENTS[at % AGENTS.len()].into()),
        _ => Target::Outside(Outside {
            trunk: "carrier".into(),
            number: PhoneNumber::parse("+4989123456", None).expect("a number"),
            release: at & 1 == 1,
        }),
    }
}

fn user(n: u8) -> String {
    ["eve", "kim", "sam", "zoe"][usize::from(n) % 4].to_owned()
}

fn supervision(n: u8) -> Supervision {
    [Supervision::Listen, Supervision::Whisper, Supervision::Barge][usize::from(n) % 3]
}

/// What an event says to a call; `None` when it makes no sense for this one now.
pub(super) fn word_for(shell: &mut Shell, event: Event) -> Option<Input> {
    let agent = shell.call.agent().cloned().unwrap_or_else(|| "ann".into());
    let agent = || agent.clone();
    // Mostly the leg that may; sometimes another.
    let by = |shell: &Shell, n: u8| if n & 0xF0 == 0 { shell.any_leg(n) } else { shell.own_leg() };
    let request = |request| Some(Input::Recording(request));
    match event {
        Event::Progress(n) => shell.next_if_all_goes_well(n),
        Event::Digit(_, n) => {
            Some(shell.digit(if n & 16 == 0 { 0 } else { 1 }, b"12559"[usize::from(n) % 5]))
        }
        Event::PromptDone(_) => shell.playing().map(|play| Input::PromptDone { play }),
        Event::Store(_, well) => shell.answer_of_store(well),
        Event::Arm(_, well) => shell.answer_of_vault(well),
        Event::Break(_) => shell.running_take().map(Input::RecordingFailed),
        Event::Answer(_, n) => shell.ringing(n).map(|leg| Input::AgentAnswered { leg }),
        Event::PhoneFails(_, n, why) => {
            let causes = [
                Cause::Busy,
                Cause::Declined,
                Cause::NoAnswer,
                Cause::Unreachable,
                Cause::HungUp,
                Cause::MediaTimeout,
            ];
            let leg = shell.agent_leg(n)?;
            Some(Input::LegGone { leg, cause: causes[usize::from(why) % causes.len()] })
        }
        Event::CallerGone(_) => Some(shell.caller_gone()),
        Event::Hold(_, caller, on) => {
            let leg = if caller { shell.call.caller() } else { shell.agent_leg(0)? };
            Some(Input::Hold { leg, on })
        }
        Event::Pause(_, true) => request(RecordingRequest::Pause { agent: agent() }),
        Event::Pause(_, false) => request(RecordingRequest::Resume { agent: agent() }),
        Event::Override(_, written) => {
            let text = if written { "danger" } else { " " }.to_owned();
            let reason = OverrideReason { category: OverrideCategory::Emergency, text: Redacted(text) };
            request(RecordingRequest::Override { agent: agent(), reason })
        }
        Event::Withdraw(_) => request(RecordingRequest::Withdraw { entered_by: None }),
        Event::Transfer(_, n) => Some(Input::Transfer { by: by(shell, n)?, to: target(n) }),
        Event::Consult(_, n, own) => {
            let by = by(shell, n)?;
            let own = if own && !shell.ended { shell.call.admit_leg() } else { None };
            Some(Input::Consult { by, own, to: target(n) })
        }
        Event::Complete(_, n) => Some(Input::Complete { by: by(shell, n)? }),
        Event::ThreeWay(_, n) => Some(Input::ThreeWay { by: by(shell, n)? }),
        Event::EndConsultation(_, n) => Some(Input::EndConsultation { by: by(shell, n)? }),
        Event::Replaced(_, n, who) => {
            let old = if who & 0xF0 == 0 { shell.gone_leg(n)? } else { shell.any_leg(n)? };
            let agent = match who & 3 {
                0 => None,
                1 => Some(agent()),
                _ => Some(AGENTS[usize::from(who >> 2) % AGENTS.len()].into()),
            };
            let new = shell.call.admit_leg().filter(|_| !shell.ended)?;
            Some(Input::Replaced { old, new, agent })
        }
        Event::Referred(_, well) => Some(shell.referred(well)),
        Event::Lost(_, n) => Some(Input::AgentLost { leg: by(shell, n)? }),
        Event::Back(_, n) => Some(Input::AgentBack { leg: by(shell, n)? }),
        Event::Reattach(_) => shell.reattach(),
        Event::Supervise(_, who, mode) => {
            let leg = shell.call.admit_leg().filter(|_| !shell.ended)?;
            Some(Input::Supervise { leg, by: user(who), mode: supervision(mode) })
        }
        Event::Supervising(_, who, mode) => {
            Some(Input::Supervising { by: user(who), mode: supervision(mode) })
        }
        Event::Unsupervise(_, who) => Some(Input::Unsupervise { by: user(who) }),
        Event::Stale(_, n) => shell.stale(n),
        Event::Shutdown(_) => Some(Input::Shutdown),
        Event::Arrive(_)
        | Event::Deliver(_)
        | Event::Pass(_)
        | Event::NextTimer
        | Event::Register(..)
        | Event::Presence(..)
        | Event::Settings(_) => None,
    }
}
