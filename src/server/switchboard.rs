//! Who is who: dialogs and calls to the mailboxes of their drivers, and the task that sorts SIP
//! events into them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::api::control::{Ask, Asker, Refusal};
use crate::call::{AgentReport, Target};
use crate::ids::{AgentId, CallId};
use crate::queue;
use crate::sip::core::{DialogId, Event, Incoming};

/// A call's mailbox holds this many events; a call that lets it fill up is ended.
pub(super) const MAILBOX: usize = 256;

/// What reaches a call's driver from outside.
#[derive(Debug)]
pub(super) enum Mail {
    /// Of one of its dialogs.
    Sip(Event),
    /// A leg calls in.
    Joining(Box<Joining>),
    /// Of its place in the queue.
    Desk(queue::Output),
    /// Somebody at a screen asks something of it.
    Asked(Box<Asked>),
    /// An agent of its conversation has a phone again, or another kind of phone.
    PhoneIsBack(AgentId),
    /// The server stops.
    Shutdown,
}

/// A leg that calls in to a call under way.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) incoming: Incoming,
    pub(super) purpose: Purpose,
}

/// Something asked of a call.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) who: Asker,
    pub(super) what: Ask,
    /// Told once; dropped when the call is over.
    pub(super) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// What for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To take this dialog's place.
    Replace(DialogId),
    /// An agent in conversation asks somebody.
    Consult(Target),
}

#[derive(Default)]
struct Tables {
    calls: HashMap<CallId, mpsc::Sender<Mail>>,
    dialogs: HashMap<DialogId, CallId>,
    /// Agents in conversation.
    agents: HashMap<AgentId, CallId>,
    /// Agents whose phones are called to supervise a call, or do.
    supervisors: HashSet<AgentId>,
}

/// The tables, shared by all drivers. Locked for look-ups only, never on the packet path.
#[derive(Clone, Default)]
pub(super) struct Switchboard(Arc<Mutex<Tables>>);

impl Switchboard {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No code panics while it holds the lock, and the tables stay usable if one did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_call(&self, call: CallId, mailbox: mpsc::Sender<Mail>) {
        self.tables().calls.insert(call, mailbox);
    }

    pub(super) fn add_dialog(&self, dialog: DialogId, call: CallId) {
        self.tables().dialogs.insert(dialog, call);
    }

    pub(super) fn remove_dialog(&self, dialog: DialogId) {
        self.tables().dialogs.remove(&dialog);
    }

    pub(super) fn remove_call(&self, call: CallId) {
        let mut tables = self.tables();
        tables.calls.remove(&call);
        metrics::gauge!("sayso_switchboard_dialogs").set(tables.dialogs.len() as f64);
    }

    /// The call a dialog belongs to.
    pub(super) fn call_of(&self, dialog: DialogId) -> Option<CallId> {
        self.tables().dialogs.get(&dialog).copied()
    }

    /// The call an agent is in conversation in.
    pub(super) fn call_of_agent(&self, agent: &AgentId) -> Option<CallId> {
        self.tables().agents.get(agent).copied()
    }

    /// An agent's phone is called to supervise a call; `false`: it supervises one already.
    pub(super) fn begins_supervising(&self, agent: &AgentId) -> bool {
        self.tables().supervisors.insert(agent.clone())
    }

    /// It supervises no longer.
    pub(super) fn ends_supervising(&self, agent: &AgentId) {
        self.tables().supervisors.remove(agent);
    }

    /// An agent's conversation began or is over.
    pub(super) fn agent_fares(&self, agent: &AgentId, call: CallId, report: AgentReport) {
        let agents = &mut self.tables().agents;
        match report {
            AgentReport::Ringing => {}
            AgentReport::Connected => drop(agents.insert(agent.clone(), call)),
            AgentReport::Missed(_) | AgentReport::Released | AgentReport::Finished => {
                if agents.get(agent) == Some(&call) {
                    agents.remove(agent);
                }
            }
        }
    }

    /// Calls going on.
    pub(super) fn calls(&self) -> usize {
        self.tables().calls.len()
    }

    /// Puts mail into a call's box. A call that is gone needs none; one whose box is full has
    /// stopped working and is told nothing more.
    pub(super) fn post(&self, call: CallId, mail: Mail) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.try_post(call, mail) {
            metrics::counter!("sayso_mail_lost_total").increment(1);
            tracing::error!(%call, "a call's mailbox is full: its events are lost");
        }
    }

    /// As [`Self::post`]; the mail comes back when it cannot be delivered.
    pub(super) fn try_post(&self, call: CallId, mail: Mail) -> Result<(), mpsc::error::TrySendError<Mail>> {
        let mailbox = self.tables().calls.get(&call).cloned();
        match mailbox {
            Some(mailbox) => mailbox.try_send(mail),
            None => Err(mpsc::error::TrySendError::Closed(mail)),
        }
    }

    /// Puts something asked into a call's box, while half of the box is free: the rest is for the phones.
    pub(super) fn ask(&self, call: CallId, asked: Asked) -> Result<(), Refusal> {
        let mailbox = self.tables().calls.get(&call).cloned().ok_or(Refusal::NoCall)?;
        if mailbox.is_closed() {
            return Err(Refusal::NoCall);
        }
        let busy = || Refusal::NotNow("the call is busy: try again".to_owned());
        if mailbox.capacity() < MAILBOX / 2 {
            return Err(busy());
        }
        mailbox.try_send(Mail::Asked(Box::new(asked))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => busy(),
            mpsc::error::TrySendError::Closed(_) => Refusal::NoCall,
        })
    }

    pub(super) fn post_to_dialog(&self, dialog: DialogId, event: Event) {
        let call = self.tables().dialogs.get(&dialog).copied();
        if let Some(call) = call {
            self.post(call, Mail::Sip(event));
        }
    }

    pub(super) fn post_to_all(&self, mail: impl Fn() -> Mail) {
        let calls: Vec<CallId> = self.tables().calls.keys().copied().collect();
        for call in calls {
            self.post(call, mail());
        }
    }
}

/// The dialog an event is about; `None` for events of no dialog.
pub(super) fn dialog_of(event: &Event) -> Option<DialogId> {
    match event {
        Event::Incoming(incoming) => Some(incoming.dialog),
        Event::Confirmed { dialog, .. }
        | Event::Reinvite { dialog, .. }
        | Event::Digit { dialog, .. }
        | Event::Ringing { dialog, .. }
        | Event::Answered { dialog, .. }
        | Event::Reinvited { dialog, .. }
        | Event::Refresh { dialog }
        | Event::Refer { dialog, .. }
        | Event::ReferProgress { dialog, .. }
        | Event::Unreachable { dialog }
        | Event::Ended { dialog, .. } => Some(*dialog),
        Event::Registered { .. }
        | Event::Stranger { .. }
        | Event::Spoofed { .. }
        | Event::LoginFailed { .. }
        | Event::TrunkRegistered { .. }
        | Event::Limited { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_leaves_room_for_the_phones() {
        let (switchboard, call) = (Switchboard::default(), CallId::new(ulid::Ulid(1)));
        let ask = || {
            let who = Asker { user: "bob".to_owned(), agent: None };
            switchboard.ask(call, Asked { who, what: Ask::Pause, answer: oneshot::channel().0 })
        };
        assert_eq!(ask(), Err(Refusal::NoCall));
        let (mailbox, mail) = mpsc::channel(MAILBOX);
        switchboard.add_call(call, mailbox);
        for _ in 0..=MAILBOX / 2 {
            assert_eq!(ask(), Ok(()));
        }
        assert!(matches!(ask(), Err(Refusal::NotNow(_))));
        assert!(switchboard.try_post(call, Mail::Shutdown).is_ok(), "there is room");
        drop(mail);
        assert_eq!(ask(), Err(Refusal::NoCall), "it is over");
    }

    #[test]
    fn a_phone_supervises_one_call_at_a_time() {
        let (switchboard, sue) = (Switchboard::default(), AgentId::from("sue"));
        assert!(switchboard.begins_supervising(&sue) && !switchboard.begins_supervising(&sue));
        assert!(switchboard.begins_supervising(&"tom".into()), "others are free");
        switchboard.ends_supervising(&sue);
        assert!(switchboard.begins_supervising(&sue));
    }
}
