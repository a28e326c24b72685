//! Worlds with faults: see the next commit.
