//! Whose key a personal value of the log is sealed under. Destroying that key erases what was said of the person, and
//! leaves the chain whole.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use crate::ids::{CallId, PhoneNumber, RecordingId};

use super::chain::{Opening, Row, Sealed};
use super::event::Object;

/// Somebody, or something that texts are about, with a key of its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    kind: Cow<'static, str>,
    value: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({} …)", self.kind)
    }
}

impl Person {
    /// Whoever has this number: it is under this key in all rows, of whatever call.
    #[must_use]
    pub fn number(number: &PhoneNumber) -> Self {
        Self::of_number(number.as_e164().to_owned())
    }

    /// What was written about a call: reasons, numbers apart.
    #[must_use]
    pub fn call(call: CallId) -> Self {
        Self { kind: "call".into(), value: call.to_string() }
    }

    /// What was written about a recording: reasons.
    #[must_use]
    pub fn recording(recording: RecordingId) -> Self {
        Self { kind: "recording".into(), value: recording.to_string() }
    }

    /// What was written about anything else: an agent's name as it was in the settings, for example.
    #[must_use]
    pub fn object(kind: impl Into<Cow<'static, str>>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), value: id.into() }
    }

    /// Whom an event tells of by name: a number as it is, an address without its port, else the text itself.
    #[must_use]
    pub fn about(text: &str) -> Self {
        if is_number(text) {
            return Self::of_number(text.to_owned());
        }
        let value = text.parse::<SocketAddr>().map_or_else(|_| text.to_owned(), |at| at.ip().to_string());
        Self { kind: "about".into(), value }
    }

    /// What the secret of a database makes a lookup of: kind and value, which cannot run into each other.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.kind.len() + 1 + self.value.len());
        octets.extend_from_slice(self.kind.as_bytes());
        octets.push(0);
        octets.extend_from_slice(self.value.as_bytes());
        octets
    }

    fn of_number(value: String) -> Self {
        Self { kind: "number".into(), value }
    }

    /// What texts about this object are sealed under.
    fn of_object(what: &Object) -> Self {
        match what.kind.as_ref() {
            // A leg's id begins with its call's.
            "call" | "leg" => {
                let call = what.id.split('/').next().unwrap_or(&what.id);
                Self { kind: "call".into(), value: call.to_owned() }
            }
            _ => Self { kind: what.kind.clone(), value: what.id.clone() },
        }
    }
}

impl Row {
    /// Whose key the row's personal values belong under; `None`: it has none that is not erased. The person it is about;
    /// else, where a value is a number, whose number that is; else what it was done to.
    #[must_use]
    pub fn person(&self) -> Option<Person> {
        let opened = |value: &Option<Sealed>| match value {
            Some(Sealed::Personal { opening: Some(opening), .. }) => Some(opening.value.clone()),
            Some(Sealed::Personal { opening: None, .. } | Sealed::Plain(_)) | None => None,
        };
        if let Some(about) = opened(&self.about) {
            return Some(Person::about(&about));
        }
        let values = [opened(&self.new), opened(&self.old)];
        let mut values = values.into_iter().flatten().peekable();
        values.peek()?;
        let number = values.find(|value| is_number(value)).map(Person::of_number);
        Some(number.unwrap_or_else(|| Person::of_object(&self.what)))
    }

    /// The openings of its personal values: `about`, `old`, `new`.
    #[must_use]
    pub fn openings(&self) -> [Option<&Opening>; 3] {
        [&self.about, &self.old, &self.new].map(|value| match value {
            Some(Sealed::Personal { opening, .. }) => opening.as_ref(),
            Some(Sealed::Plain(_)) | None => None,
        })
    }
}

/// A number in E.164: a plus and 3 to 15 digits.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::super::{Actor, AuditEvent, Class, Head, Value};
    use super::*;
    use crate::time::Timestamp;

    fn row(what: Object, about: Option<&str>, old: Option<Value>, new: Option<Value>) -> Row {
        let event = AuditEvent::new(Class::Modify, Actor::System, Timestamp::from_micros(1), "x.y", what);
        Row::seal(event.about(about).old(old).new_value(new), Head::EMPTY, [[1; 16]; 3])
    }

    fn personal(text: &str) -> Option<Value> {
        Some(Value::Personal(text.to_owned()))
    }

    #[test]
    fn numbers_are_people_whatever_they_are_said_of() {
        let call = CallId::new(Ulid(7));
        let number = Person::number(&PhoneNumber::parse("+49301234567", None).expect("a number"));
        let of_call = row(Object::new("call", call), Some("+49301234567"), None, personal("a reason"));
        assert_eq!(of_call.person(), Some(number.clone()));
        let dialled = row(Object::new("leg", format!("{call}/2")), None, None, personal("+49301234567"));
        assert_eq!(dialled.person(), Some(number));
    }

    #[test]
    fn texts_are_of_what_they_are_about() {
        let (call, id) = (CallId::new(Ulid(7)), RecordingId::new(Ulid(8)));
        let told = |what, about, new| row(what, about, None, new).person();
        assert_eq!(told(Object::new("call", call), None, personal("hurt")), Some(Person::call(call)));
        let leg = Object::new("leg", format!("{call}/2"));
        assert_eq!(told(leg, None, personal("hurt")), Some(Person::call(call)));
        let recording = told(Object::new("recording", id), None, personal("asked"));
        assert_eq!(recording, Some(Person::recording(id)));
        let agent = told(Object::new("agent", "bob"), None, personal("Bob B."));
        assert_eq!(agent, Some(Person::object("agent", "bob")));
        let source = told(Object::new("source", "sip"), Some("192.0.2.7:5060"), None);
        assert_eq!(source, Some(Person::about("192.0.2.7")), "whatever the port");
        assert_eq!(told(Object::new("call", call), None, Some(Value::plain("hung-up"))), None);
    }

    #[test]
    fn one_is_not_taken_for_another_and_none_is_shown() {
        assert_ne!(Person::object("a", "bc").octets(), Person::object("ab", "c").octets());
        assert_eq!(format!("{:?}", Person::about("+4930123")), "Person(number …)");
        assert!(!is_number("+12") && !is_number("4930123") && !is_number("+49 30") && is_number("+4930123"));
    }
}
