//! Calls by phase, for `/metrics`.

use crate::call::Phase;

/// Counts this call in `sayso_calls{phase}`, out of it again when dropped.
#[derive(Default)]
pub(super) struct PhaseGauge(Option<&'static str>);

impl PhaseGauge {
    pub(super) fn set(&mut self, phase: Phase) {
        let phase = phase_word(phase);
        if self.0 != Some(phase) {
            self.clear();
            metrics::gauge!("sayso_calls", "phase" => phase).increment(1.0);
            self.0 = Some(phase);
        }
    }

    fn clear(&mut self) {
        if let Some(phase) = self.0.take() {
            metrics::gauge!("sayso_calls", "phase" => phase).decrement(1.0);
        }
    }
}

impl Drop for PhaseGauge {
    fn drop(&mut self) {
        self.clear();
    }
}

const fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Answering => "answering",
        Phase::Welcome => "welcome",
        Phase::Asking => "asking",
        Phase::Waiting => "waiting",
        Phase::Ringing => "ringing",
        Phase::Joining => "joining",
        Phase::Talking => "talking",
        Phase::Transferring => "transferring",
        Phase::Consulting => "consulting",
        Phase::Conference => "conference",
        Phase::Lost => "lost",
        Phase::Over => "over",
    }
}
