//! What goes on, in the words of the HTTP side.

use crate::settings::Queue;

/// The time within which a call of this queue should be answered.
pub(super) fn service_seconds(_queue: &Queue) -> u32 {
    20
}
