//! Commands of a call. The call itself knows what it allows; here it is seen to that the call is the
//! visitor's own, and that what is asked can be read.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::control::{Ask, Mode, Refusal, Where};
use crate::api::desk::Desk;
use crate::api::guard::{Needs, Visitor, no_right};
use crate::api::input::{Of, Told, written};
use crate::api::problem::Problem;
use crate::api::view::{CallView, PartyKind};
use crate::consent::{OverrideCategory, OverrideReason};
use crate::ids::{AgentId, CallId, QueueId, Redacted};

use super::route::{Route, delete, post, put};

pub(super) fn routes() -> Vec<Route> {
    const CALLS: Needs = Needs::Agent(&[Right::TakeCalls]);
    const LISTEN: Needs = Needs::Agent(&[Right::ListenLive]);
    vec![
        done(post("/calls/{id}/transfer", CALLS, transfer).says("Sends the caller on, unannounced."))
            .takes::<To>(),
        done(post("/calls/{id}/consult", CALLS, consult).says("Asks somebody while the caller is held."))
            .takes::<To>(),
        done(post("/calls/{id}/complete", CALLS, complete).says("Connects the caller with who was asked.")),
        done(post("/calls/{id}/three-way", CALLS, three_way).says("Puts all three together.")),
        done(post("/calls/{id}/end-consultation", CALLS, end_consultation).says("Goes back to the caller.")),
        done(
            post("/calls/{id}/recording/pause", CALLS, pause)
                .says("Pauses the recording: silence is captured."),
        ),
        done(post("/calls/{id}/recording/resume", CALLS, resume).says("Goes on with the recording.")),
        done(
            post("/calls/{id}/recording/withdraw", CALLS, withdraw)
                .says("The caller takes the consent back."),
        ),
        done(
            post("/calls/{id}/recording/override", Needs::Agent(&[Right::Override]), override_refusal)
                .says("Records without consent from now on, for a written reason."),
        )
        .takes::<Reason>(),
        done(
            post("/calls/{id}/supervise", LISTEN, supervise)
                .says("Takes part in a conversation, by one's phone."),
        )
        .takes::<How>(),
        done(put("/calls/{id}/supervise", LISTEN, supervise).says("Takes part in another way."))
            .takes::<How>(),
        done(delete("/calls/{id}/supervise", LISTEN, unsupervise).says("Takes part no longer.")),
    ]
}

fn done(route: Route) -> Route {
    route.gives_nothing(StatusCode::NO_CONTENT)
}

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;
/// The longest number, as typed.
const LONGEST_NUMBER: usize = 40;

type Done = Result<StatusCode, Problem>;
type Shared = State<Arc<Desk>>;
type Who = Extension<Visitor>;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Transfer)]
pub(super) struct To {
    to: Target,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Target {
    Queue(QueueId),
    Agent(AgentId),
    Number(Redacted<String>),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Override)]
pub(super) struct Reason {
    category: OverrideCategory,
    #[schema(value_type = String, min_length = 1, max_length = 1000)]
    reason: Redacted<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Supervise)]
pub(super) struct How {
    mode: ModeWord,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SuperviseMode)]
enum ModeWord {
    Listen,
    Whisper,
    Barge,
}

pub(super) async fn transfer(
    State(desk): Shared,
    Extension(who): Who,
    Of(call): Of,
    Told(To { to }): Told<To>,
) -> Done {
    let to = target(&desk, to)?;
    ask_own(&desk, &who, call, Ask::Transfer(to)).await
}

pub(super) async fn consult(
    State(desk): Shared,
    Extension(who): Who,
    Of(call): Of,
    Told(To { to }): Told<To>,
) -> Done {
    let to = target(&desk, to)?;
    ask_own(&desk, &who, call, Ask::Consult(to)).await
}

pub(super) async fn complete(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::Complete).await
}

pub(super) async fn three_way(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::ThreeWay).await
}

pub(super) async fn end_consultation(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::EndConsultation).await
}

pub(super) async fn pause(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::Pause).await
}

pub(super) async fn resume(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::Resume).await
}

pub(super) async fn withdraw(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask_own(&desk, &who, call, Ask::Withdraw).await
}

pub(super) async fn override_refusal(
    State(desk): Shared,
    Extension(who): Who,
    Of(call): Of,
    Told(Reason { category, reason: Redacted(reason) }): Told<Reason>,
) -> Done {
    let Some(reason) = written(&reason, LONGEST_REASON) else {
        let detail =
            format!("Recording without consent needs a written reason of 1 to {LONGEST_REASON} characters.");
        return Err(Problem::unprocessable("bad-reason", detail));
    };
    let reason = OverrideReason { category, text: Redacted(reason.to_owned()) };
    ask_own(&desk, &who, call, Ask::Override(reason)).await
}

pub(super) async fn supervise(
    State(desk): Shared,
    Extension(who): Who,
    Of(call): Of,
    Told(How { mode }): Told<How>,
) -> Done {
    let (right, mode) = match mode {
        ModeWord::Listen => (Right::ListenLive, Mode::Listen),
        ModeWord::Whisper => (Right::Whisper, Mode::Whisper),
        ModeWord::Barge => (Right::Barge, Mode::Barge),
    };
    if !who.has(right) {
        return Err(no_right());
    }
    if !desk.control().call(call).is_some_and(|call| who.sees(&call.first_queue) || who.sees(&call.queue)) {
        return Err(Problem::no_call());
    }
    ask(&desk, &who, call, Ask::Supervise(mode)).await
}

pub(super) async fn unsupervise(State(desk): Shared, Extension(who): Who, Of(call): Of) -> Done {
    ask(&desk, &who, call, Ask::Unsupervise).await
}

/// Asks something of a call in which the visitor's agent takes part.
async fn ask_own(desk: &Desk, who: &Visitor, call: CallId, what: Ask) -> Done {
    desk.own_call(who, call)?;
    ask(desk, who, call, what).await
}

async fn ask(desk: &Desk, who: &Visitor, call: CallId, what: Ask) -> Done {
    desk.control().ask(call, who.asker(), what).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a call is to go. A number is only looked at for what it may be made of: whether it leads anywhere
/// the trunks say.
fn target(desk: &Desk, to: Target) -> Result<Where, Problem> {
    match to {
        Target::Queue(queue) => Ok(Where::Queue(queue)),
        Target::Agent(agent) => Ok(Where::Agent(agent)),
        Target::Number(Redacted(number)) => {
            let number = number.trim();
            let keys = number.chars().all(|c| c.is_ascii_digit() || "+*#-.()/ ".contains(c));
            if number.is_empty() || number.len() > LONGEST_NUMBER || !keys {
                return Err(Problem::unprocessable("bad-number", "This is no telephone number."));
            }
            if !desk.control().reaches(number) {
                return Err(Refusal::NoTarget("No trunk takes calls to this number.".to_owned()).into());
            }
            Ok(Where::Number(Redacted(number.to_owned())))
        }
    }
}

impl Desk {
    /// A call in which the visitor's agent takes part now.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn own_call(&self, visitor: &Visitor, call: CallId) -> Result<CallView, Problem> {
        let agent = visitor.agent()?;
        let own = |view: &CallView| {
            view.parties.iter().any(|party| party.kind == PartyKind::Agent && party.id.0 == agent.0)
        };
        self.control().call(call).filter(own).ok_or_else(Problem::no_call)
    }
}
