//! REFER and NOTIFY inside a dialog (RFC 3515).

use super::endpoint::Endpoint;
use super::extensions;
use super::io::DialogId;
use super::respond::Inbound;
use super::wire::{HeaderName, Key};

impl Endpoint {
    /// A REFER inside a dialog; its sequence number and source were checked.
    pub(super) fn on_refer(&mut self, _id: DialogId, inbound: Inbound, _key: Key) {
        self.refuse(&inbound, 405, &[(HeaderName::Allow, extensions::ALLOW)]);
    }

    /// A NOTIFY inside a dialog; its sequence number and source were checked.
    pub(super) fn on_notify(&mut self, _id: DialogId, inbound: Inbound, _key: Key) {
        self.refuse(&inbound, 405, &[(HeaderName::Allow, extensions::ALLOW)]);
    }
}
