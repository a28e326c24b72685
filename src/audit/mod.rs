//! The audit log's events and the hash chain that proves it whole (domain rules 25, 26).
