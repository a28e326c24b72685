//! Tells what happens in the demo's calls, as it happens.

use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;

use crate::audit::channel_word;
use crate::call::{Fact, Prompt};
use crate::cli::out;
use crate::consent::{Answer, Basis};
use crate::ids::{CallId, RecordingId};
use crate::server::{Notice, What};
use crate::time::{Clock, Timestamp};

/// A demo call takes less.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the story of one call came to.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) call: Option<CallId>,
    pub(super) recordings: Vec<RecordingId>,
    pub(super) agreed: Option<bool>,
    pub(super) connected: bool,
}

/// Tells the next call from its INVITE to its end.
pub(super) async fn tell(mut notices: Receiver<Notice>, clock: Clock) -> anyhow::Result<Ended> {
    let began = clock.now();
    let mut ended = Ended::default();
    let story = async {
        loop {
            let notice = match notices.recv().await {
                Ok(notice) => notice,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            if *ended.call.get_or_insert(notice.call) != notice.call {
                continue;
            }
            if let Some(line) = line(&notice.what) {
                say(began, clock, &line);
            }
            match notice.what {
                What::Stored(Fact::ConsentAnswered { answered, .. }) => {
                    ended.agreed = Some(answered.answer.agreed());
                }
                What::Stored(Fact::Connected { .. }) => ended.connected = true,
                What::Recording(id) => ended.recordings.push(id),
                What::Over => return,
                What::Invited
                | What::Playing { .. }
                | What::Key { .. }
                | What::Stored(_)
                | What::Ringing(_)
                | What::Kept(_) => {}
            }
        }
    };
    timeout(PATIENCE, story).await.map_err(|_| anyhow::anyhow!("the demo's call did not end in time"))?;
    Ok(ended)
}

fn say(began: Timestamp, clock: Clock, line: &str) {
    out(format_args!("  {:7.3} s  {line}\n", clock.now().since(began).as_secs_f64()));
}

fn line(what: &What) -> Option<String> {
    let line = match what {
        What::Invited => "INVITE: a caller dials the queue's number".to_owned(),
        What::Playing { leg: 0, prompt } => match prompt {
            Prompt::Welcome => "Welcome is played".to_owned(),
            Prompt::ConsentQuestion => "the consent question is asked".to_owned(),
            Prompt::Thanks => "\"thank you\" is played".to_owned(),
            Prompt::Refused => "\"you will not be recorded\" is played".to_owned(),
            Prompt::InvalidKey => "\"that key is not known\" is played".to_owned(),
            Prompt::PleaseWait => "\"please wait\" is played".to_owned(),
            Prompt::Position(n) => format!("\"you are number {n}\" is played"),
            Prompt::Closed => "\"we are closed\" is played".to_owned(),
            Prompt::Music => "music is played".to_owned(),
        },
        What::Playing { .. } => return None,
        What::Key { digit, channel, .. } => format!("key {} ({})", digit.as_char(), channel_word(*channel)),
        What::Stored(fact) => return fact_line(fact),
        What::Ringing(agent) => format!("agent {agent}'s phone rings"),
        What::Recording(id) => format!("recording {id} begins"),
        What::Kept(id) => format!("recording {id} is closed, encrypted, on disk"),
        What::Over => "the call is over and stored".to_owned(),
    };
    Some(line)
}

fn fact_line(fact: &Fact) -> Option<String> {
    let line = match fact {
        Fact::ConsentAnswered { answered, .. } => match answered.answer {
            Answer::Yes(..) => "consent stored: yes".to_owned(),
            Answer::No(..) => "consent stored: no".to_owned(),
            Answer::WrongKeys(..) => "consent stored: no (wrong keys)".to_owned(),
            Answer::Silence => "consent stored: no (silence)".to_owned(),
            Answer::HungUp => "consent stored: no (hung up)".to_owned(),
        },
        Fact::Decided { basis, .. } => {
            let allowed = if basis.allows() { "may be recorded" } else { "may not be recorded" };
            let why = match basis {
                Basis::Never => "the queue never records",
                Basis::Legal(_) => "legal basis",
                Basis::Agreed(_) | Basis::AgreedEarlier(_) => "the caller agreed",
                Basis::Refused(_) | Basis::RefusedEarlier(_) => "the caller refused",
                Basis::Withdrawn(_) => "the caller took the consent back",
                Basis::Override { .. } => "an agent's override",
                Basis::NotStored => "the decision could not be stored",
            };
            format!("decided and audited: {allowed} ({why})")
        }
        Fact::Queued { queue, .. } => format!("waits in queue {queue}"),
        Fact::Connected { .. } => "agent and caller are connected".to_owned(),
        Fact::Ended { cause, .. } => format!("hang-up ({cause:?})"),
        Fact::Arrived { .. }
        | Fact::ConsentWithdrawn { .. }
        | Fact::Dialled { .. }
        | Fact::Admitted { .. }
        | Fact::LegEnded { .. }
        | Fact::Overridden { .. }
        | Fact::Paused { .. }
        | Fact::RecordingFailed { .. }
        | Fact::Consulted { .. }
        | Fact::Returned { .. }
        | Fact::Lost { .. }
        | Fact::Reattached { .. }
        | Fact::Supervised { .. }
        | Fact::SuperviseEnded { .. }
        | Fact::Transferred { .. } => return None,
    };
    Some(line)
}
