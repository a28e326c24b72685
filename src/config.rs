//! `sayso.toml` and the environment -> `Config`, parsed once.
