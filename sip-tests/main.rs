//! End-to-end tests: real SIP clients against the running binary. Each test has its own server, folder
//! and ports. `make tools` installs the clients.
#![allow(clippy::disallowed_methods)] // tests read the clock: they measure deadlines of real time
#![allow(clippy::unwrap_used)]

mod harness;

mod actions;
mod attacks;
mod browser;
mod browser_admin;
mod browser_desk;
mod browser_listening;
mod browser_looks;
mod browser_network;
mod browser_transfers;
mod browser_wallboard;
mod carriers;
mod cli;
mod consent;
mod console_privacy;
mod console_records;
mod console_settings;
mod crash;
mod database;
mod defence;
mod dialogs;
mod gate;
mod instructions;
mod keys;
mod ladders;
mod load;
mod media;
mod objects;
mod offers;
mod openapi;
mod phases;
mod privacy;
mod probes;
mod prompts;
mod quality;
mod reading;
mod reconcile;
mod scale;
mod soak;
mod terms;
mod torture;
mod transfers;
mod transports;
mod vault_away;
mod vault_crash;
mod vault_disk;
mod vault_formats;
mod vault_gone;
mod vault_lock;
mod vault_nodes;
mod vault_withdrawn;
mod webrtc;
