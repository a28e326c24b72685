//! The course of calls in the log.

use crate::audit::{basis_word, cause_word};
use crate::call::Fact;

/// Two lines a call in the log, and more for whoever looks closer. The audit log has the whole.
pub(super) fn log(fact: &Fact) {
    match fact {
        Fact::Arrived { queue, language, .. } => {
            tracing::info!(%queue, language = %language.0, "call arrived");
        }
        Fact::Ended { cause, .. } => tracing::info!(cause = cause_word(*cause), "call ended"),
        Fact::Decided { basis, .. } => tracing::debug!(basis = basis_word(basis), "recording decided"),
        Fact::Queued { queue, .. } => tracing::debug!(%queue, "queued"),
        Fact::Dialled { leg, .. } => tracing::debug!(leg = leg.n, "dialled"),
        Fact::Admitted { leg, .. } => tracing::debug!(leg = leg.n, "called in"),
        Fact::Connected { leg, .. } => tracing::debug!(leg = leg.n, "connected"),
        Fact::LegEnded { leg, cause, .. } => {
            tracing::debug!(leg = leg.n, cause = cause_word(*cause), "leg ended");
        }
        Fact::Overridden { agent, .. } => tracing::info!(%agent, "recorded by override"),
        Fact::Lost { agent, leg, .. } => tracing::warn!(%agent, leg = leg.n, "an agent's phone is gone"),
        Fact::Reattached { agent, leg, .. } => tracing::info!(%agent, leg = leg.n, "the agent is back"),
        Fact::Supervised { leg, .. } => tracing::info!(leg = leg.n, "supervised"),
        Fact::SuperviseEnded { leg, .. } => tracing::info!(leg = leg.n, "supervised no longer"),
        Fact::RecordingFailed { .. } => tracing::error!("the call should be recorded and is not"),
        Fact::ConsentAnswered { .. }
        | Fact::ConsentWithdrawn { .. }
        | Fact::Paused { .. }
        | Fact::Consulted { .. }
        | Fact::Returned { .. }
        | Fact::Transferred { .. } => tracing::debug!("consent, pause or transfer stored"),
    }
}
