//! The engine on loopback with real sockets. Nothing sleeps: tests wait for packets and events with
//! deadlines. A key sent last on a socket tells that all sent before it was dealt with.

mod bridge;
mod browser;
mod conference;
mod keys;
mod media;
pub(super) mod rig;
mod secure;
mod transcode;
mod webrtc;
