//! Who is who: dialogs and calls to the mailboxes of their drivers, and the task that sorts SIP
//! events into them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::ids::CallId;
use crate::queue;
use crate::sip::core::{DialogId, Event};

/// A call's mailbox holds this many events; a call that lets it fill up is ended.
pub(super) const MAILBOX: usize = 256;

/// What reaches a call's driver from outside.
#[derive(Debug)]
pub(super) enum Mail {
    /// Of one of its dialogs.
    Sip(Event),
    /// Of its place in the queue.
    Desk(queue::Output),
    /// The server stops.
    Shutdown,
}

#[derive(Default)]
struct Tables {
    calls: HashMap<CallId, mpsc::Sender<Mail>>,
    dialogs: HashMap<DialogId, CallId>,
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

    /// Calls going on.
    pub(super) fn calls(&self) -> usize {
        self.tables().calls.len()
    }

    /// Puts mail into a call's box. A call that is gone needs none; one whose box is full has
    /// stopped working and is told nothing more.
    pub(super) fn post(&self, call: CallId, mail: Mail) {
        let Some(mailbox) = self.tables().calls.get(&call).cloned() else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = mailbox.try_send(mail) {
            metrics::counter!("sayso_mail_lost_total").increment(1);
            tracing::error!(%call, "a call's mailbox is full: its events are lost");
        }
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
        | Event::Ended { dialog, .. } => Some(*dialog),
        Event::Registered { .. }
        | Event::Stranger { .. }
        | Event::Spoofed { .. }
        | Event::LoginFailed { .. }
        | Event::TrunkRegistered { .. }
        | Event::Limited { .. } => None,
    }
}
