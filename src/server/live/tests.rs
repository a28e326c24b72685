//! The hub: who is told what.
