//! Rights, and the default roles that hold them (domain rule 22).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::words;
use crate::settings::Role;

words!(
    /// A right.
    Right {
        /// Have a phone here and take calls; needs an agent, too.
        TakeCalls = "take-calls",
        /// Record without consent, where the queue allows it (domain rule 6).
        Override = "override",
        /// See all calls, agents and queues as they are.
        Wallboard = "wallboard",
        /// Hear a conversation as it goes on.
        ListenLive = "listen-live",
        /// Speak to the agent alone in a conversation.
        Whisper = "whisper",
        /// Speak to all in a conversation.
        Barge = "barge",
        /// See everybody's entries in the listening log (domain rule 24).
        ViewListeningLogs = "view-listening-logs",
        /// Hear recordings (domain rule 24).
        ListenRecordings = "listen-recordings",
        /// Take recordings out of the vault, with the numbers of those who speak.
        ExportRecordings = "export-recordings",
        /// Destroy a recording before its time.
        DestroyRecordings = "destroy-recordings",
        /// See and hurry the vault's jobs, compare database and store, remove orphans.
        ManageVault = "manage-vault",
        /// See past calls, their notes and attached data.
        ViewCalls = "view-calls",
        /// See figures: calls and consents by queue and day.
        ViewReports = "view-reports",
        /// See consents, with numbers.
        ViewConsents = "view-consents",
        /// See the audit log, export and verify it.
        ViewAuditLog = "view-audit-log",
        /// Set queues: strategy, hours, overflow, times.
        ConfigureQueues = "configure-queues",
        /// Set what is recorded, on which basis and how long it is kept; simulate retention.
        ConfigureRecording = "configure-recording",
        /// Upload prompts, set scripts.
        ConfigurePrompts = "configure-prompts",
        /// Set trunks and numbers.
        ConfigureTrunks = "configure-trunks",
        /// Set agents and their skills.
        ConfigureAgents = "configure-agents",
        /// Set users (whose rights only a superuser grants).
        ManageUsers = "manage-users",
        /// Make roles, grant rights, set sign-on: a superuser's.
        ManageRoles = "manage-roles",
        /// Set webhooks, tokens, passwords' rules, the audit log's classes and anchors.
        ConfigureSystem = "configure-system",
        /// Hold recordings and calls back from removal (domain rule 14).
        ManageHolds = "manage-holds",
        /// See health: nodes, alarms, jobs, SIP messages of a call.
        Monitor = "monitor",
        /// Find, report, erase, restrict what is known of a person (domain rules 17-20). In no role.
        Dpo = "dpo",
        /// Export, reset and withdraw consents (domain rule 21). In no role.
        CustomerConsent = "customer-consent",
    }
);

impl Right {
    /// Whether no role holds it: a superuser grants it to one user at a time.
    #[must_use]
    pub const fn is_special(self) -> bool {
        matches!(self, Self::Dpo | Self::CustomerConsent)
    }
}

impl Serialize for Right {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format!("{word:?} is no right")))
    }
}

impl utoipa::PartialSchema for Right {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let words = Self::ALL.iter().map(|right| right.word());
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(words))
            .into()
    }
}

impl ToSchema for Right {}

/// The rights of a default role.
#[must_use]
pub const fn rights(role: Role) -> &'static [Right] {
    use Right::{
        Barge, ConfigureAgents, ConfigurePrompts, ConfigureQueues, ConfigureRecording, ConfigureSystem,
        ConfigureTrunks, DestroyRecordings, ExportRecordings, ListenLive, ListenRecordings, ManageHolds,
        ManageRoles, ManageUsers, ManageVault, Monitor, Override, TakeCalls, ViewAuditLog, ViewCalls,
        ViewConsents, ViewListeningLogs, ViewReports, Wallboard, Whisper,
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
            ViewCalls,
            ViewReports,
            ViewConsents,
            ViewAuditLog,
            ConfigureQueues,
            ConfigureRecording,
            ConfigurePrompts,
            ConfigureTrunks,
            ConfigureAgents,
            ManageUsers,
            ManageRoles,
            ConfigureSystem,
            ManageHolds,
            Monitor,
        ],
        Role::Supervisor => &[
            TakeCalls,
            Override,
            Wallboard,
            ListenLive,
            Whisper,
            Barge,
            ListenRecordings,
            ViewCalls,
            ViewReports,
        ],
        Role::Agent => &[TakeCalls, Override],
        Role::AdvancedMonitoring => &[Wallboard, ListenLive, Monitor, ViewReports],
        Role::RecordingAdministrator => &[
            ViewListeningLogs,
            ListenRecordings,
            ExportRecordings,
            DestroyRecordings,
            ManageVault,
            ViewCalls,
            ViewReports,
            ViewConsents,
            ConfigureRecording,
            ManageHolds,
        ],
        Role::Reporting => &[ViewReports],
        Role::QueueAdministrator => &[ConfigureQueues, ConfigureAgents, ViewReports],
        Role::IvrAdministrator => &[ConfigurePrompts, ViewReports],
    }
}
