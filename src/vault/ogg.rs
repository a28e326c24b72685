//! Ogg Opus.
