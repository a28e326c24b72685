//! Who hears whom among legs that are together.

/// A leg's place among those who are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The leg's number.
    pub leg: u16,
    /// Who hears it. It hears everybody whose voice reaches it.
    pub voice: Voice,
}

/// Who hears a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// All others, and the recording.
    All,
    /// Nobody: it listens in.
    Nobody,
    /// This leg alone: it whispers. Not the recording.
    Only(u16),
}
