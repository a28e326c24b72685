//! Which kinds of phones agents have registered, and which kind is called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::AgentId;
use crate::settings::{PhoneMedia, Settings};
use crate::sip::core::{Media, Phones, Source, Transport};

/// As the endpoint told it last. Agents without a phone are not in it.
#[derive(Clone, Default)]
pub(super) struct PhoneBook(Arc<Mutex<HashMap<AgentId, Phones>>>);

impl PhoneBook {
    /// An agent's phones came, changed or went.
    pub(super) fn set(&self, agent: &AgentId, on: bool, phones: Phones) {
        let mut book = self.book();
        if on {
            book.insert(agent.clone(), phones);
        } else {
            book.remove(agent);
        }
    }

    /// The kind of phone that is called: the browser where there is one. `None`: none is registered.
    pub(super) fn kind(&self, agent: &AgentId) -> Option<Media> {
        match self.book().get(agent)? {
            Phones { webrtc: true, .. } => Some(Media::Webrtc),
            Phones { rtp: true, .. } => Some(Media::Rtp),
            Phones { rtp: false, webrtc: false } => None,
        }
    }

    fn book(&self) -> MutexGuard<'_, HashMap<AgentId, Phones>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a phone speaks that calls without an offer: what its agent's settings say, or its connection.
pub(super) fn kind_of_caller(settings: &Settings, source: &Source, by: Transport) -> Media {
    let Source::Agent(agent) = source else { return Media::Rtp };
    let set = settings.agents.get(agent).map(|agent| agent.phone.media).unwrap_or_default();
    match (set, by) {
        (PhoneMedia::Webrtc, _) | (PhoneMedia::Auto, Transport::Ws | Transport::Wss) => Media::Webrtc,
        (PhoneMedia::Rtp, _) | (PhoneMedia::Auto, Transport::Udp | Transport::Tcp | Transport::Tls) => {
            Media::Rtp
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_before_another_phone() {
        let (book, ada) = (PhoneBook::default(), AgentId::from("ada"));
        let kind = |rtp, webrtc| {
            book.set(&ada, rtp || webrtc, Phones { rtp, webrtc });
            book.kind(&ada)
        };
        assert_eq!(kind(true, false), Some(Media::Rtp));
        assert_eq!(kind(true, true), Some(Media::Webrtc));
        assert_eq!(kind(false, true), Some(Media::Webrtc));
        assert_eq!(kind(false, false), None);
        assert!(book.book().is_empty(), "who has no phone is forgotten");
    }

    #[test]
    fn a_late_offer_is_what_the_phone_can_take() {
        let settings = Settings::default();
        let of = |source: &Source, by| kind_of_caller(&settings, source, by);
        let ada = Source::Agent("ada".into());
        assert_eq!(of(&ada, Transport::Wss), Media::Webrtc);
        assert_eq!(of(&ada, Transport::Udp), Media::Rtp);
        assert_eq!(of(&Source::Trunk("carrier".into()), Transport::Tls), Media::Rtp);
    }
}
