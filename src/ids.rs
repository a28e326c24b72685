//! Ids, telephone numbers and the wrapper that keeps personal data out of logs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use ulid::Ulid;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl $name {
            /// From 128 bits the shell drew (48 bits of milliseconds, 80 random bits).
            #[must_use]
            pub const fn new(ulid: Ulid) -> Self {
                Self(ulid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Ulid::from_string(text).map(Self).map_err(|_| BadId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String);
                text.pattern(Some("^[0-7][0-9A-HJKMNP-TV-Z]{25}$")).into()
            }
        }

        impl ToSchema for $name {}
    };
}

/// A text that is not a ULID (26 characters of Crockford's base 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 26 characters of Crockford's base 32 are expected")]
pub struct BadId;

ulid_id!(
    /// A call, from its first INVITE to its last BYE.
    CallId
);
ulid_id!(
    /// A recording.
    RecordingId
);
ulid_id!(
    /// Something asked about people's data: a report, an erasure.
    TaskId
);
ulid_id!(
    /// Somebody on a list of the directory.
    EntryId
);
ulid_id!(
    /// A comparison of calls, recordings and the object store.
    ReconciliationId
);
ulid_id!(
    /// A legal hold.
    HoldId
);

/// A leg of a call: legs are counted within their call, the caller's is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId {
    /// The call it belongs to.
    pub call: CallId,
    /// Its number within the call.
    pub n: u16,
}

impl LegId {
    /// The caller's leg of `call`.
    #[must_use]
    pub const fn caller(call: CallId) -> Self {
        Self { call, n: 0 }
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.n)
    }
}

impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Numbers a unit of work that a call hands to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u32);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).into()
            }
        }

        impl ToSchema for $name {}
    };
}

name_id!(
    /// A queue, by the name it has in the settings.
    QueueId
);
name_id!(
    /// An agent, by the name it has in the settings (also its SIP user name).
    AgentId
);
name_id!(
    /// A trunk, by the name it has in the settings.
    TrunkId
);

/// A telephone number in E.164 form: `+` and up to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as a carrier sends it (`+49301234567`, `tel:` or SIP user part, separators
    /// allowed). A number without `+` is national to `region` (ISO 3166 alpha-2, such as `DE`).
    /// `None` for texts that are no number (`anonymous`, names, short extensions).
    #[must_use]
    pub fn parse(text: &str, region: Option<&str>) -> Option<Self> {
        let text = text.strip_prefix("tel:").unwrap_or(text);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let only_number = text.chars().all(|c| c.is_ascii_digit() || "+-.() /".contains(c));
        if !only_number || digits.len() < 5 {
            return None;
        }
        if text.starts_with('+') {
            return (digits.len() <= 15).then(|| Self(format!("+{digits}")));
        }
        let country = region.and_then(|region| region.parse().ok());
        let number = phonenumber::parse(country, text).ok()?;
        Some(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// The number with its `+`. Personal data: never log it, see [`Redacted`].
    #[must_use]
    pub fn as_e164(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

/// Personal data on its way through logs, errors and spans: shows `…` whatever is inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Redacted<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Redacted<T> {
    /// As `T`, but what is wrong with a value is not said: the words of an error show it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hidden = "a value of another kind is expected, most often a text in quotes; what stands there is not shown";
        T::deserialize(deserializer).map(Self).map_err(|error: D::Error| {
            // Where there is none, serde asks us for it all the same; its words name the field alone.
            if error.to_string().starts_with("missing field `") {
                error
            } else {
                serde::de::Error::custom(hidden)
            }
        })
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_carriers_send_them() {
        let parse = |text| PhoneNumber::parse(text, Some("DE")).map(|n| n.as_e164().to_owned());
        assert_eq!(parse("+49 30 1234567").as_deref(), Some("+49301234567"));
        assert_eq!(parse("tel:+1-212-555-0100").as_deref(), Some("+12125550100"));
        assert_eq!(parse("030 1234567").as_deref(), Some("+49301234567"));
        assert_eq!(parse("anonymous"), None);
        assert_eq!(parse("alice"), None);
        assert_eq!(parse("100"), None);
    }

    #[test]
    fn personal_data_shows_as_a_blot() {
        let number = PhoneNumber::parse("+49301234567", None).expect("a number");
        assert!(!format!("{number:?} {:?} {}", Redacted(&number), Redacted("Ada")).contains("30"));
        assert_eq!(format!("{}", Redacted("Ada")), "…");
    }

    #[test]
    fn ids_survive_text() {
        let id = CallId::new(Ulid(42));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("nonsense".parse::<CallId>(), Err(BadId));
    }
}
