//! Media workers: one OS thread each, its sockets, its sessions.
