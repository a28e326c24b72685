//! Reconciliation against a real database and a folder.
