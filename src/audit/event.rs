//! What is written: class, actor, object, old and new value.

use std::borrow::Cow;
use std::fmt;

use crate::ids::{AgentId, TrunkId};
use crate::time::Timestamp;

/// One event, before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its class.
    pub class: Class,
    /// Who did it.
    pub who: Actor,
    /// When.
    pub at: Timestamp,
    /// What was done, in `object.participle` form: `consent.given`, `queue.changed`, ...
    pub action: Cow<'static, str>,
    /// To what.
    pub what: Object,
    /// The person it concerns, if there is one (a caller's number, a source address).
    pub about: Option<Value>,
    /// The value before.
    pub old: Option<Value>,
    /// The value after.
    pub new: Option<Value>,
}

impl AuditEvent {
    /// An event without values; add them with [`about`](Self::about), [`old`](Self::old) and
    /// [`new_value`](Self::new_value).
    #[must_use]
    pub fn new(
        class: Class,
        who: Actor,
        at: Timestamp,
        action: impl Into<Cow<'static, str>>,
        what: Object,
    ) -> Self {
        Self { class, who, at, action: action.into(), what, about: None, old: None, new: None }
    }

    /// Names the person it concerns; kept as a personal value.
    #[must_use]
    pub fn about(mut self, person: Option<impl Into<String>>) -> Self {
        self.about = person.map(|person| Value::Personal(person.into()));
        self
    }

    /// Sets the value before.
    #[must_use]
    pub fn old(mut self, value: Option<Value>) -> Self {
        self.old = value;
        self
    }

    /// Sets the value after.
    #[must_use]
    pub fn new_value(mut self, value: Option<Value>) -> Self {
        self.new = value;
        self
    }
}

/// An enum whose variants are stored and shown as words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word it is stored and shown as.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// From its word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

pub(crate) use words;

words!(
    /// The class of an event; what is switched on and filtered by (domain rule 25).
    Class {
        /// Agents coming, going, ready or not.
        Presence = "presence",
        /// Settings changed.
        Config = "config",
        /// Rights and passwords changed.
        Rights = "rights",
        /// Data made, changed or destroyed: consents, recordings.
        Modify = "modify",
        /// Data seen or exported.
        Read = "read",
        /// Something was refused or went wrong.
        Failure = "failure",
        /// The course of calls and of the server itself.
        System = "system",
    }
);

impl Class {
    /// Whether settings may switch it off. Consents, overrides and destructions are proven by `modify`, and who may do
    /// what by `rights`: they are always written (domain rule 25).
    #[must_use]
    pub const fn may_be_off(self) -> bool {
        match self {
            Self::Rights | Self::Modify => false,
            Self::Presence | Self::Config | Self::Read | Self::Failure | Self::System => true,
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// Sayso by itself.
    System,
    /// The caller of the call it is about.
    Caller,
    /// An agent.
    Agent(AgentId),
    /// A user, or whoever ran a command (the name of the account).
    User(String),
    /// A trunk.
    Trunk(TrunkId),
}

impl Actor {
    /// The kind's word: `system`, `caller`, `agent`, `user`, `trunk`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Caller => "caller",
            Self::Agent(_) => "agent",
            Self::User(_) => "user",
            Self::Trunk(_) => "trunk",
        }
    }

    /// The name, where the kind has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::System | Self::Caller => None,
            Self::Agent(id) => Some(&id.0),
            Self::User(name) => Some(name),
            Self::Trunk(id) => Some(&id.0),
        }
    }

    /// From kind and name, as stored. `None` when the two do not belong together.
    #[must_use]
    pub fn from_parts(kind: &str, name: Option<String>) -> Option<Self> {
        match (kind, name) {
            ("system", None) => Some(Self::System),
            ("caller", None) => Some(Self::Caller),
            ("agent", Some(name)) => Some(Self::Agent(AgentId(name))),
            ("user", Some(name)) => Some(Self::User(name)),
            ("trunk", Some(name)) => Some(Self::Trunk(TrunkId(name))),
            (_, _) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// The kind: `call`, `consent`, `recording`, `queue`, ...
    pub kind: Cow<'static, str>,
    /// Which one. Never personal: an id, or a name from the settings.
    pub id: String,
    /// Which of its attributes.
    pub attribute: Option<Cow<'static, str>>,
}

impl Object {
    /// A whole object.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl ToString) -> Self {
        Self { kind: kind.into(), id: id.to_string(), attribute: None }
    }

    /// One attribute of it.
    #[must_use]
    pub fn attribute(mut self, attribute: impl Into<Cow<'static, str>>) -> Self {
        self.attribute = Some(attribute.into());
        self
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        match &self.attribute {
            Some(attribute) => write!(f, ".{attribute}"),
            None => Ok(()),
        }
    }
}

/// A value in the log.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Stays as it is, for ever.
    Plain(String),
    /// About a person: can be erased without breaking the chain.
    Personal(String),
}

impl Value {
    /// A plain value.
    #[must_use]
    pub fn plain(text: impl ToString) -> Self {
        Self::Plain(text.to_string())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "Plain({text:?})"),
            Self::Personal(_) => f.write_str("Personal(…)"),
        }
    }
}
