//! The self-test of an agent's line: a call to `selftest` is answered and hears itself. It is no call of the
//! house: no row, no recording, no place in a queue; only counted.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tracing::Instrument;
use ulid::Ulid;

use crate::call::Cause;
use crate::engine::{CallMedia, MediaEvent};
use crate::ids::{AgentId, CallId};
use crate::media::LegMedia;
use crate::sip::core::{Command, DialogId, Event, Incoming, Source};

use super::Shared;
use super::leg::{Leg, Opened, Party};
use super::policy::Policy;
use super::switchboard::{MAILBOX, Mail};

/// What an agent's phone dials.
const USER: &str = "selftest";
/// As long as anybody needs to hear oneself.
const LIMIT: Duration = Duration::from_secs(60);
/// How long its leg may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// Its only leg.
const LEG: u16 = 0;

/// Whether this INVITE is one.
pub(super) fn is_asked(incoming: &Incoming) -> bool {
    matches!(incoming.source, Source::Agent(_)) && incoming.dialled == USER && incoming.replaces.is_none()
}

/// Agents whose line is under test: one test each at a time, since each has a port and a task for a minute.
#[derive(Clone, Default)]
pub(super) struct UnderTest(Arc<Mutex<HashSet<AgentId>>>);

/// An agent's test; over when it is dropped.
struct Test {
    agent: AgentId,
    of: UnderTest,
}

impl UnderTest {
    fn begin(&self, agent: &AgentId) -> Option<Test> {
        let new = self.agents().insert(agent.clone());
        new.then(|| Test { agent: agent.clone(), of: self.clone() })
    }

    fn agents(&self) -> MutexGuard<'_, HashSet<AgentId>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        self.of.agents().remove(&self.agent);
    }
}

/// Answers it, or says with what status it is refused: 486 while the agent is in conversation or in another test.
pub(super) fn begin(shared: &Arc<Shared>, incoming: Incoming) -> Result<(), u16> {
    let Source::Agent(agent) = &incoming.source else { return Err(403) };
    if shared.switchboard.call_of_agent(agent).is_some() {
        return Err(486);
    }
    if shared.draining() || shared.overloaded() {
        return Err(503);
    }
    let under_test = shared.under_test.begin(agent).ok_or(486u16)?;
    // An id and a mailbox like a call's, so that its dialog's events find it and a stop ends it.
    let id = CallId::new(Ulid::generate());
    let (sender, mailbox) = mpsc::channel(MAILBOX);
    let (events, media_events) = mpsc::channel(16);
    let mut media = shared.engine.open(id, events);
    let settings = shared.settings();
    let opened = Opened::of_caller(&mut media, LEG, &incoming, &settings).map_err(|error| {
        tracing::error!(%error, "a self-test cannot be answered");
        503u16
    })?;
    let policy = Policy::of_source(&settings, &incoming.source);
    let party = Party::Agent(agent.clone());
    let called = Leg::called(&incoming, party, policy, opened, None);
    let (leg, agreed) = called.map_err(|error| error.status())?;
    if let Some(agreed) = agreed {
        media.configure(LEG, agreed);
    }
    shared.switchboard.add_call(id, sender);
    shared.switchboard.add_dialog(incoming.dialog, id);
    let test = SelfTest { shared: Arc::clone(shared), leg, media, media_events, mailbox };
    let span = tracing::info_span!("selftest", %id);
    shared.tasks.spawn(test.run(id, under_test).instrument(span));
    Ok(())
}

struct SelfTest {
    shared: Arc<Shared>,
    leg: Leg,
    media: CallMedia,
    media_events: mpsc::Receiver<MediaEvent>,
    mailbox: mpsc::Receiver<Mail>,
}

impl SelfTest {
    async fn run(mut self, id: CallId, under_test: Test) {
        let dialog = self.leg.dialog;
        if let Some(sdp) = self.leg.answer.take() {
            self.shared.send(Command::Answer { dialog, sdp });
        }
        self.media.echo(LEG);
        let clock = self.shared.clock;
        let until = clock.instant(clock.now() + LIMIT).into();
        let mut heard = false;
        loop {
            let goes_on = tokio::select! {
                Some(mail) = self.mailbox.recv() => self.on_mail(mail),
                Some(event) = self.media_events.recv() => match event {
                    MediaEvent::Heard { .. } => { heard = true; true }
                    // The page is gone: nothing is left to test.
                    MediaEvent::Silent { .. } => !heard,
                    MediaEvent::MediaTimeout { .. } => false,
                    MediaEvent::Closed { .. } => break,
                    MediaEvent::Digit { .. } | MediaEvent::PlayDone { .. } => true,
                },
                () = sleep_until(until) => false,
            };
            if !goes_on {
                break;
            }
        }
        // Ends a dialog that is there still; one that is over needs no more, and the endpoint knows which.
        self.shared.send(Command::Hangup { dialog, cause: Cause::HungUp });
        self.shared.switchboard.remove_dialog(dialog);
        self.shared.switchboard.remove_call(id);
        self.media.remove_leg(LEG);
        drop(under_test);
        let sent = timeout(CLOSING, self.closed()).await.unwrap_or(0);
        let outcome = if sent > 0 { "heard" } else { "silent" };
        metrics::counter!("sayso_selftests_total", "outcome" => outcome).increment(1);
        tracing::debug!(outcome, "self-test");
    }

    /// Waits for the leg's statistics: how many packets came.
    async fn closed(&mut self) -> u64 {
        while let Some(event) = self.media_events.recv().await {
            if let MediaEvent::Closed { stats, .. } = event {
                return stats.packets_in;
            }
        }
        0
    }

    /// `false`: it is over.
    fn on_mail(&mut self, mail: Mail) -> bool {
        match mail {
            Mail::Sip(event) => self.on_sip(event),
            Mail::Shutdown => false,
            // Nobody takes a phone's place that talks to itself.
            Mail::Joining(joining) => {
                let dialog = joining.incoming.dialog;
                self.shared.send(Command::Reject { dialog, status: 481 });
                self.shared.switchboard.remove_dialog(dialog);
                true
            }
            // A self-test is no call that anybody could ask something of.
            Mail::Desk(_) | Mail::Asked(_) | Mail::PhoneIsBack(_) => true,
        }
    }

    fn on_sip(&mut self, event: Event) -> bool {
        match event {
            Event::Confirmed { sdp, .. } | Event::Reinvited { sdp, .. } => {
                match sdp.map(|sdp| self.leg.accept(&sdp)) {
                    Some(Some(Ok(agreed))) => self.hear(agreed),
                    Some(Some(Err(_))) => return false,
                    Some(None) | None => self.leg.close_offer(),
                }
                self.leg.confirmed = true;
                true
            }
            Event::Reinvite { dialog, sdp } => {
                self.on_reinvite(dialog, sdp.as_deref());
                true
            }
            Event::Refresh { dialog } => {
                if let Some(sdp) = self.leg.refresh() {
                    self.shared.send(Command::Reinvite { dialog, sdp });
                }
                true
            }
            Event::Refer { dialog, .. } => {
                self.shared.send(Command::AnswerRefer { dialog, status: 403 });
                true
            }
            Event::Ended { .. } | Event::Unreachable { .. } => false,
            // Of dialogs we make, or of none.
            Event::Incoming(_)
            | Event::Digit { .. }
            | Event::Ringing { .. }
            | Event::Answered { .. }
            | Event::ReferProgress { .. }
            | Event::Registered { .. }
            | Event::Stranger { .. }
            | Event::Spoofed { .. }
            | Event::LoginFailed { .. }
            | Event::TrunkRegistered { .. }
            | Event::Limited { .. } => true,
        }
    }

    fn on_reinvite(&mut self, dialog: DialogId, offer: Option<&[u8]>) {
        let Some(offer) = offer else {
            let sdp = self.leg.offer(None);
            return self.shared.send(Command::AcceptReinvite { dialog, sdp });
        };
        match self.leg.reanswer(offer, || self.media.restart_ice(LEG)) {
            Ok((sdp, agreed)) => {
                self.shared.send(Command::AcceptReinvite { dialog, sdp });
                self.hear(agreed);
            }
            Err(error) => self.shared.send(Command::RejectReinvite { dialog, status: error.status() }),
        }
    }

    fn hear(&self, agreed: LegMedia) {
        self.media.configure(LEG, agreed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_one_test_at_a_time() {
        let (under_test, ada) = (UnderTest::default(), AgentId::from("ada"));
        let first = under_test.begin(&ada).expect("none runs");
        assert!(under_test.begin(&ada).is_none() && under_test.begin(&"bob".into()).is_some());
        drop(first);
        assert!(under_test.begin(&ada).is_some());
        assert!(under_test.agents().is_empty());
    }
}
