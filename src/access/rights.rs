//! Rights, and the roles that hold them.

use serde::Serialize;

use crate::settings::Role;

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Have a phone here and take calls; needs an agent, too.
    TakeCalls,
    /// Record without consent, where the queue allows it (domain rule 6).
    Override,
    /// See all calls, agents and queues as they are.
    Wallboard,
    /// Hear a conversation as it goes on.
    ListenLive,
    /// Speak to the agent alone in a conversation.
    Whisper,
    /// Speak to all in a conversation.
    Barge,
    /// See everybody's entries in the listening log (domain rule 24).
    ViewListeningLogs,
    /// Hear recordings (domain rule 24).
    ListenRecordings,
    /// Take recordings out of the vault, with the numbers of those who speak.
    ExportRecordings,
    /// Destroy a recording before its time.
    DestroyRecordings,
    /// See and hurry the vault's jobs, compare database and store, remove orphans.
    ManageVault,
}

/// The rights of a default role.
#[must_use]
pub const fn rights(role: Role) -> &'static [Right] {
    use Right::{
        Barge, DestroyRecordings, ExportRecordings, ListenLive, ListenRecordings, ManageVault, Override,
        TakeCalls, ViewListeningLogs, Wallboard, Whisper,
    };
    match role {
        Role::Superuser => &[
            TakeCalls,
            Override,
            Wallboard,
            ListenLive,
            Whisper,
            Barge,
            ViewListeningLogs,
            ListenRecordings,
            ExportRecordings,
            DestroyRecordings,
            ManageVault,
        ],
        Role::Supervisor => &[TakeCalls, Override, Wallboard, ListenLive, Whisper, Barge, ListenRecordings],
        Role::Agent => &[TakeCalls, Override],
        Role::AdvancedMonitoring => &[Wallboard, ListenLive],
        Role::RecordingAdministrator => {
            &[ViewListeningLogs, ListenRecordings, ExportRecordings, DestroyRecordings, ManageVault]
        }
        Role::Reporting | Role::QueueAdministrator | Role::IvrAdministrator => &[],
    }
}
