//! Composition root: starts everything, drives calls, drains.
