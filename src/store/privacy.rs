//! What is done about a person: requests, approvals, restrictions, the directory, consents reset (domain rules 17-21).
//!
//! A request is a row with the calls and entries it is about; the job `privacy` does it. Each step leaves its audit row in
//! its own transaction, and a step that was taken is found taken, so that the job goes on after any crash.

mod by_words;
mod consents;
mod directory;
mod erase;
mod search;
mod searches;
mod tasks;
mod withdrawals;

use crate::audit::{Actor, AuditEvent, Class, Object, Value, words};
use crate::ids::{CallId, EntryId, PhoneNumber, Redacted, TaskId};
use crate::privacy::NewEntry;
use crate::time::Timestamp;

use super::error::StoreError;
use super::writer::Work;

pub use consents::{ConsentsToExport, ExportedConsent};
pub use directory::{EntryRow, Imported};
pub use erase::Unfinished;
pub use search::{CallFound, Found, MOST_FOUND, RecordingFound};
pub use tasks::{TaskCall, TaskCounts, TaskFile, TaskRow};
pub use withdrawals::Withdrawal;

words!(
    /// What is asked about people's data.
    TaskKind {
        /// All that is selected, as CSV.
        Report = "report",
        /// The recordings, with their manifests.
        Zip = "zip",
        /// What is selected goes for good.
        Erase = "erase",
        /// What is selected is hidden from all without the right `dpo`.
        Restrict = "restrict",
        /// It is shown again.
        Unrestrict = "unrestrict",
        /// It is put into the separate store, read back, and erased here.
        Move = "move",
        /// Consents are written out, and then reset.
        Consents = "consents",
    }
);

words!(
    /// How far it is.
    TaskState {
        /// Somebody else has to say yes.
        WaitingForApproval = "waiting-for-approval",
        /// Its job has not begun.
        Waiting = "waiting",
        /// Its job has begun.
        Running = "running",
        /// It is done.
        Done = "done",
        /// Nothing of it could be done.
        Failed = "failed",
        /// Somebody else said no.
        Refused = "refused",
    }
);

impl TaskKind {
    /// Whether data goes for good: that may need a second person's word.
    #[must_use]
    pub const fn erases(self) -> bool {
        match self {
            Self::Erase | Self::Move => true,
            Self::Report | Self::Zip | Self::Restrict | Self::Unrestrict | Self::Consents => false,
        }
    }
}

/// Which consents are reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of one number.
    Of(PhoneNumber),
    /// All: there is a new privacy policy.
    Everybodys,
}

/// Something that is asked.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// What.
    pub kind: TaskKind,
    /// The user who asks.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in the user's words.
    pub reason: Redacted<String>,
    /// About which calls.
    pub calls: Vec<CallId>,
    /// About which entries of the directory.
    pub entries: Vec<EntryId>,
    /// Whether the consents of the people are meant, too: erased, moved, reported.
    pub consents: bool,
    /// Of `consents`: whose.
    pub whose: Option<Whose>,
    /// Whether a second user has to approve it.
    pub approval: bool,
    /// The spool beside which its file is to lie.
    pub spool: String,
    /// How much it is about, as it was counted before.
    pub counts: TaskCounts,
}

/// See [`Change::Privacy`](super::Change::Privacy).
#[derive(Clone, Debug)]
pub enum PrivacyChange {
    /// Something is asked: its rows, its job unless it waits for approval, `privacy-task.asked`.
    Asked(Box<NewTask>),
    /// Another user says yes: its job follows. [`StoreError::State`] unless it waits for that, and for who asked.
    Approved {
        /// Which task.
        id: TaskId,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody says no, who asked or another. [`StoreError::State`] unless it waits for approval.
    Refused {
        /// Which task.
        id: TaskId,
        /// Who.
        by: String,
        /// Why.
        reason: Redacted<String>,
        /// When.
        at: Timestamp,
    },
    /// Its job has begun; again has no effect.
    Began {
        /// Which task.
        id: TaskId,
    },
    /// A call of it is left as it is: held, or going on. Again has no effect.
    CallRefused {
        /// Which task.
        id: TaskId,
        /// Which call.
        call: CallId,
        /// Why, in words. No personal data.
        what: String,
        /// When.
        at: Timestamp,
    },
    /// All that it moves was put into the separate store and read back. Once.
    Archived {
        /// Which task.
        id: TaskId,
        /// The file there.
        archive: String,
        /// SHA-256 (hex) of its content.
        sha256: String,
        /// How long that is.
        bytes: u64,
        /// When its making began, and the last consent that was there by then: what is younger is not in it.
        began: (Timestamp, i64),
        /// When.
        at: Timestamp,
    },
    /// A part of erasing what is about the people themselves: see [`Store::erase_people`](super::Store::erase_people).
    ErasePeople {
        /// Which task.
        id: TaskId,
        /// Which part.
        step: PeopleStep,
        /// When.
        at: Timestamp,
    },
    /// Destroys a call's recordings and anonymises it, as one. [`StoreError::State`] when it is held, goes on, or was
    /// written about since it was put into the separate store.
    EraseCall {
        /// Which task.
        id: TaskId,
        /// Which call.
        call: CallId,
        /// When.
        at: Timestamp,
    },
    /// Hides a task's calls, or shows them again.
    Restricted {
        /// Which task.
        id: TaskId,
        /// Whether they are hidden.
        on: bool,
        /// When.
        at: Timestamp,
    },
    /// The consents that a task names count no more: `consents.reset`. Once.
    Reset {
        /// Which task.
        id: TaskId,
        /// The last consent that may have been written out: later ones stay.
        last: i64,
        /// When its writing out began.
        at: Timestamp,
    },
    /// What was made of these calls and entries for earlier tasks goes: the keys of the files, the words of the requests.
    /// What is being made of them is not kept when it is ready. With consents, so does what was written out of those.
    ForgetEarlier {
        /// For the sake of this task.
        id: TaskId,
        /// When.
        at: Timestamp,
    },
    /// It is over. Once.
    Ended {
        /// Which task.
        id: TaskId,
        /// Done, or failed.
        done: bool,
        /// In words. No personal data.
        what: String,
        /// What was done.
        counts: TaskCounts,
        /// What was made.
        file: Option<Box<TaskFile>>,
        /// When that goes.
        expires_at: Option<Timestamp>,
        /// The signed proof of an erasure.
        certificate: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A task's file cannot be read any more: its time is over. No effect without one.
    FileGone {
        /// Which task.
        id: TaskId,
        /// When.
        at: Timestamp,
    },
    /// Somebody takes what was made: `privacy-task.downloaded`, before the first octet.
    Downloaded {
        /// Which task.
        id: TaskId,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Somebody looks for a person: `privacy.searched`, before anything is told.
    Searched {
        /// A fresh id of the search.
        search: String,
        /// What was typed.
        words: Redacted<String>,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Whom a search found: its words are erased with any of these.
    SearchFound {
        /// Which search.
        search: String,
        /// Calls and entries, by their ids.
        whom: Vec<String>,
    },
    /// The words of these searches are erased.
    SearchesGone {
        /// Which ones.
        searches: Vec<String>,
    },
    /// Messages of withdrawals go, whose time is over.
    WithdrawalsGone {
        /// By now.
        now: Timestamp,
    },
    /// Entries of the directory are added or changed: see [`Store::import_entries`](super::Store::import_entries).
    Import {
        /// Each with its id; the same as before for one that is changed.
        entries: Vec<(EntryId, NewEntry)>,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// An entry goes.
    EntryRemoved {
        /// Which one.
        id: EntryId,
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// The number's last answer does not count any more: a withdrawal, in its last call. No effect when there is none.
    Withdrawn {
        /// Whose.
        number: PhoneNumber,
        /// Who entered it.
        by: Actor,
        /// Why, in words.
        reason: Redacted<String>,
        /// When.
        at: Timestamp,
    },
}

/// See [`PrivacyChange::ErasePeople`]. A part is small enough not to hold up calls, and does nothing when it was done.
#[derive(Clone, Debug)]
pub enum PeopleStep {
    /// It begins.
    Begun,
    /// Those of these calls that are held, go on, or changed since they were archived are left.
    Calls(Vec<CallId>),
    /// Whose these consents were goes.
    Consents(Vec<Redacted<String>>),
    /// These entries go.
    Entries(Vec<EntryId>),
    /// Holds that are over, and the audit log's keys of those of whom nothing is left.
    Numbers(Vec<Redacted<String>>),
    /// It is done; the calls are next.
    Done,
}

impl PrivacyChange {
    /// Whether something is erased that must leave the database's own log, too.
    pub(super) const fn erases(&self) -> bool {
        match self {
            Self::ErasePeople { .. }
            | Self::EraseCall { .. }
            | Self::ForgetEarlier { .. }
            | Self::FileGone { .. }
            | Self::SearchesGone { .. }
            | Self::WithdrawalsGone { .. }
            | Self::EntryRemoved { .. }
            // The number of whose consents it was about.
            | Self::Refused { .. }
            | Self::Ended { .. } => true,
            Self::Asked(_)
            | Self::Approved { .. }
            | Self::Began { .. }
            | Self::CallRefused { .. }
            | Self::Archived { .. }
            | Self::Restricted { .. }
            | Self::Reset { .. }
            | Self::Downloaded { .. }
            | Self::Searched { .. }
            | Self::SearchFound { .. }
            | Self::Import { .. }
            | Self::Withdrawn { .. } => false,
        }
    }
}

impl Work<'_> {
    pub(super) async fn privacy(&mut self, change: &PrivacyChange) -> Result<(), StoreError> {
        match change {
            PrivacyChange::Asked(task) => self.task_asked(task).await,
            PrivacyChange::Approved { id, by, at } => self.task_approved(*id, by, *at).await,
            PrivacyChange::Refused { id, by, reason, at } => self.task_refused(*id, by, reason, *at).await,
            PrivacyChange::Began { id } => self.task_began(*id).await,
            PrivacyChange::CallRefused { id, call, what, at } => {
                self.task_call_refused(*id, *call, what, *at).await
            }
            PrivacyChange::Archived { id, archive, sha256, bytes, began, at } => {
                self.task_archived(*id, (archive, sha256, *bytes), *began, *at).await
            }
            PrivacyChange::ErasePeople { id, step, at } => self.erase_people(*id, step, *at).await,
            PrivacyChange::EraseCall { id, call, at } => self.erase_call(*id, *call, *at).await,
            PrivacyChange::Restricted { id, on, at } => self.restricted(*id, *on, *at).await,
            PrivacyChange::Reset { id, last, at } => self.consents_reset(*id, *last, *at).await,
            PrivacyChange::ForgetEarlier { id, at } => self.forget_earlier(*id, *at).await,
            PrivacyChange::Ended { .. } => self.task_ended(change).await,
            PrivacyChange::FileGone { id, at } => self.file_gone(*id, *at, "its time is over").await,
            PrivacyChange::Downloaded { id, by, at } => {
                let what = Object::new(TASK, id);
                self.audit(AuditEvent::new(Class::Read, by.clone(), *at, "privacy-task.downloaded", what));
                Ok(())
            }
            PrivacyChange::Searched { search, words, by, at } => self.searched(search, words, by, *at).await,
            PrivacyChange::SearchFound { search, whom } => self.search_found(search, whom).await,
            PrivacyChange::SearchesGone { searches } => self.searches_gone(searches).await,
            PrivacyChange::WithdrawalsGone { now } => self.withdrawals_gone(*now).await,
            PrivacyChange::Import { entries, by, at } => self.import_entries(entries, by, *at).await,
            PrivacyChange::EntryRemoved { id, by, at } => self.entry_removed(*id, by, *at).await,
            PrivacyChange::Withdrawn { number, by, reason, at } => {
                self.consent_withdrawn(number, by, reason, *at).await
            }
        }
    }

    /// An audit row about a task.
    fn tell_of_task(
        &mut self,
        class: Class,
        who: Actor,
        at: Timestamp,
        action: &'static str,
        id: TaskId,
        new: String,
    ) {
        let event = AuditEvent::new(class, who, at, action, Object::new(TASK, id));
        self.audit(event.new_value(Some(Value::Plain(new))));
    }
}

/// What the audit log calls a task.
const TASK: &str = "privacy-task";

fn user(name: &str) -> Actor {
    Actor::User(name.to_owned())
}
