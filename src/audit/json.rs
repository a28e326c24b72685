//! Rows and proofs as JSON, for listings and exports. Personal values are in it in plain, erased ones
//! as `null` with their commitment, so that a row can be verified where it is read: whoever may see the log may see them, a log file may not.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::chain::{Hash, Row, Sealed};
use super::proof::AuditProof;

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Personal { commitment, opening } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("personal", &opening.as_ref().map(|opening| &opening.value))?;
                map.serialize_entry("commitment", commitment)?;
                map.serialize_entry("salt", &opening.as_ref().map(|opening| hex::encode(opening.salt)))?;
                map.end()
            }
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seq, version, class, who, at, action, what, about, old, new, hash } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", seq)?;
        map.serialize_entry("version", version)?;
        map.serialize_entry("at", &at.to_rfc3339())?;
        map.serialize_entry("class", class.word())?;
        map.serialize_entry("who", who.kind())?;
        map.serialize_entry("name", &who.name())?;
        map.serialize_entry("action", action)?;
        map.serialize_entry("object", &what.kind)?;
        map.serialize_entry("id", &what.id)?;
        map.serialize_entry("attribute", &what.attribute)?;
        map.serialize_entry("about", about)?;
        map.serialize_entry("old", old)?;
        map.serialize_entry("new", new)?;
        map.serialize_entry("hash", hash)?;
        map.end()
    }
}

impl Serialize for AuditProof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rows, head, personal, erased } = self;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("rows", rows)?;
        map.serialize_entry("head", head)?;
        map.serialize_entry("personal", personal)?;
        map.serialize_entry("erased", erased)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, AuditEvent, Class, Head, Object};
    use crate::time::Timestamp;

    #[test]
    fn a_row_is_one_flat_object() {
        let at = Timestamp::from_micros(1_795_339_800_000_001);
        let event =
            AuditEvent::new(Class::Modify, Actor::Caller, at, "consent.given", Object::new("call", 7));
        let mut row = Row::seal(event.about(Some("+4930123")), Head::EMPTY, [[1; 16]; 3]);
        let json = serde_json::to_value(&row).expect("JSON");
        assert_eq!(json["at"], "2026-11-22T09:30:00.000001Z");
        assert_eq!((&json["who"], &json["name"]), (&"caller".into(), &serde_json::Value::Null));
        assert_eq!(json["about"]["personal"], "+4930123");
        assert_eq!(json["hash"], row.hash.to_string());
        if let Some(Sealed::Personal { opening, .. }) = &mut row.about {
            *opening = None;
        }
        assert!(serde_json::to_value(&row).expect("JSON")["about"]["personal"].is_null());
    }
}
