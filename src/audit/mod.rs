//! The audit log's events and the hash chain that proves it whole (domain rules 25, 26).
//!
//! An [`AuditEvent`] says who did what to what, and when. [`Row::seal`] gives it its place in the
//! chain: a hash over the row and the hash before it. Personal values enter that hash only as a
//! salted commitment, so a person can be erased and the chain stays whole. [`Verifier`] proves it.

mod actions;
mod anchor;
mod chain;
mod event;
mod export;
mod json;
mod of_fact;
mod person;
mod proof;
mod words;

pub use actions::{ACTIONS, Action, Tells, action};
pub use anchor::{Anchor, AnchorError, Anchors};
pub use chain::*;
pub(crate) use event::words;
pub use event::*;
pub use export::{ExportFault, ExportProof, ExportVerifier, end_line, row_line};
pub use of_fact::of_fact;
pub use person::Person;
pub use proof::*;
pub use words::*;
