//! x
use super::endpoint::Endpoint;
use super::extensions;
use super::io::DialogId;
use super::respond::Inbound;
use super::wire::{HeaderName, Key};
impl Endpoint {
    pub(super) fn on_update(&mut self, _id: DialogId, inbound: Inbound, _key: Key) {
        self.refuse(&inbound, 405, &[(HeaderName::Allow, extensions::ALLOW)]);
    }
}
