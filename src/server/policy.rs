//! How a leg is spoken with: codecs, SRTP with keys of its own, digits in the audio. From the settings
//! of its trunk or of its agent's phone.

use zeroize::Zeroizing;

use crate::ids::{AgentId, TrunkId};
use crate::media::Codec;
use crate::media::srtp::{MasterKey, Suite};
use crate::settings::{Phone, Settings, SrtpPolicy, Trunk};
use crate::sip::core::Source;

/// One leg's; its keys serve no other.
pub(super) struct Policy {
    /// The best first.
    pub(super) codecs: Vec<Codec>,
    pub(super) srtp: SrtpPolicy,
    /// One a suite, the best first; empty when nothing is sealed.
    pub(super) keys: Vec<MasterKey>,
    pub(super) in_band_digits: bool,
}

impl Policy {
    /// A leg that this source calls on.
    pub(super) fn of_source(settings: &Settings, source: &Source) -> Self {
        match source {
            Source::Trunk(trunk) => Self::of_trunk(settings, trunk),
            Source::Agent(agent) => Self::of_agent(settings, agent),
        }
    }

    /// A leg by this trunk. One that was just removed from the settings is spoken with in the usual way.
    pub(super) fn of_trunk(settings: &Settings, trunk: &TrunkId) -> Self {
        let usual = Trunk::default();
        let trunk = settings.trunks.get(trunk).map_or(&usual, |trunk| trunk);
        Self::new(trunk.codecs.clone(), trunk.srtp, trunk.in_band_digits)
    }

    /// A leg to or from this agent's phone.
    pub(super) fn of_agent(settings: &Settings, agent: &AgentId) -> Self {
        let phone = settings.agents.get(agent).map_or_else(Phone::default, |agent| agent.phone.clone());
        Self::new(phone.codecs, phone.srtp, false)
    }

    /// With fresh keys, where any are needed.
    pub(super) fn new(codecs: Vec<Codec>, srtp: SrtpPolicy, in_band_digits: bool) -> Self {
        let keys = match srtp {
            SrtpPolicy::Off => Vec::new(),
            SrtpPolicy::Optional | SrtpPolicy::Required => Suite::ALL.into_iter().filter_map(draw).collect(),
        };
        Self { codecs, srtp, keys, in_band_digits }
    }
}

/// A fresh key. Without one the suite is not offered, and where SRTP is required no call comes about.
fn draw(suite: Suite) -> Option<MasterKey> {
    let mut key = Zeroizing::new(vec![0; suite.key_len() + suite.salt_len()]);
    if aws_lc_rs::rand::fill(&mut key).is_err() {
        tracing::error!("the system gives no random bytes: no key for {}", suite.name());
        return None;
    }
    MasterKey::new(suite, key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_for_each_leg_and_only_where_sealed() {
        let plain = Policy::new(vec![Codec::Pcma], SrtpPolicy::Off, false);
        assert!(plain.keys.is_empty());
        let keys = || Policy::new(vec![Codec::Pcma], SrtpPolicy::Optional, false).keys;
        let (one, other) = (keys(), keys());
        assert_eq!(one.iter().map(|key| key.suite).collect::<Vec<_>>(), Suite::ALL);
        assert!(one.iter().zip(&other).all(|(one, other)| one.key_and_salt != other.key_and_salt));
    }
}
