//! Reading a TOML table key by key, keeping every error with its place.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::span::{format_span, parse_span};

/// What is wrong in an apply file, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {}{what}", line.map_or_else(String::new, |line| format!(":{line}")), key_part(key))]
pub struct SettingsError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; `None` when it is about something already stored.
    pub line: Option<usize>,
    /// The key, such as `queue.support.wrap-up`; empty when it is about the file.
    pub key: String,
    /// What is wrong, and what is allowed. Holds no secret.
    pub what: String,
}

fn key_part(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

/// The file being read, and what was wrong so far.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    text: &'a str,
    pub(super) errors: Vec<SettingsError>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, errors: Vec::new() }
    }

    pub(super) fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn error(&mut self, at: usize, key: impl Into<String>, what: impl Into<String>) {
        let line = Some(self.line(at));
        self.errors.push(SettingsError {
            file: self.file.to_owned(),
            line,
            key: key.into(),
            what: what.into(),
        });
    }
}

/// A table whose keys are taken one by one; [`close`](Self::close) complains of those that were not.
pub(super) struct Table<'t> {
    pub(super) path: String,
    pub(super) at: usize,
    entries: &'t DeTable<'t>,
    allowed: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// `None`, with an error kept, when `value` is no table.
    pub(super) fn open(
        source: &mut Source<'_>,
        path: String,
        at: usize,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<Self> {
        match value.get_ref().as_table() {
            Some(entries) => Some(Self { path, at, entries, allowed: Vec::new() }),
            None => {
                // The value itself may be a misplaced password.
                let what = format!("is a {}; a table [{path}] is expected", value.get_ref().type_str());
                source.error(at, path, what);
                None
            }
        }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The raw value of `key`, with where the key stands.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<(usize, &'t Spanned<DeValue<'t>>)> {
        if !self.allowed.contains(&key) {
            self.allowed.push(key);
        }
        self.entries.get_key_value(key).map(|(name, value)| (name.span().start, value))
    }

    /// The value of `key` as `read` makes it; `None` when it is absent, or wrong (the error is kept).
    pub(super) fn take<T>(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        read: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        let (at, value) = self.raw(key)?;
        match read(value.get_ref()) {
            Ok(value) => Some(value),
            Err(what) => {
                source.error(at, self.path_of(key), what);
                None
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Every key that was not taken is unknown.
    pub(super) fn close(self, source: &mut Source<'_>) {
        for (name, _) in self.entries {
            let key = name.get_ref().as_ref();
            if !self.allowed.contains(&key) {
                source.error(name.span().start, self.path_of(key), unknown(key, &self.allowed));
            }
        }
    }
}

/// Each entry of a table of tables: key, where it stands, value.
pub(super) fn entries<'t>(
    table: &'t DeTable<'t>,
) -> impl Iterator<Item = (&'t str, Range<usize>, &'t Spanned<DeValue<'t>>)> {
    table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value))
}

/// `path.key`, the key quoted where TOML asks for it.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The complaint about an unknown key or word.
pub(super) fn unknown(key: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|word| (distance(key, word), word)).min();
    let hint = near
        .filter(|(far, word)| *far <= 1 + word.chars().count() / 4)
        .map_or_else(String::new, |(_, word)| format!("; did you mean {word:?}?"));
    format!("is unknown; allowed: {}{hint}", allowed.join(", "))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A text.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    let text = value.as_str().ok_or_else(|| format!("is {}; a text in quotes is expected", kind(value)))?;
    if steers(text) { Err(STEERS.to_owned()) } else { Ok(text) }
}

/// What a terminal would obey; a database takes no NUL.
fn steers(text: &str) -> bool {
    text.contains(|c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c))
}

const STEERS: &str = "holds a control character, which no text here may";

/// A text that must not show in an error.
pub(super) fn secret(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some("") => Err("is empty; a password is expected".to_owned()),
        Some(text) if steers(text) => Err(STEERS.to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err("a password in quotes is expected".to_owned()),
    }
}

/// A text that is not blank.
pub(super) fn filled(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?.trim();
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("is {}; true or false is expected", kind(value)))
}

/// A whole number within `range`.
pub(super) fn integer(value: &DeValue<'_>, range: RangeInclusive<u32>) -> Result<u32, String> {
    value
        .as_integer()
        .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "is {}; a whole number from {} to {} is expected",
                kind(value),
                range.start(),
                range.end()
            )
        })
}

/// A duration within `range`.
pub(super) fn span(value: &DeValue<'_>, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let Some(text) = value.as_str() else {
        return Err(format!("is {}; {}", kind(value), super::span::BadSpan));
    };
    let span = parse_span(text).map_err(|bad| format!("is {text:?}; {bad}"))?;
    if range.contains(&span) {
        Ok(span)
    } else {
        let (least, most) = (format_span(*range.start()), format_span(*range.end()));
        Err(format!("is {text:?}; {least} to {most} is allowed"))
    }
}

/// A duration within `range`, or `"never"`.
pub(super) fn span_or_never(
    value: &DeValue<'_>,
    range: RangeInclusive<Duration>,
) -> Result<Option<Duration>, String> {
    if value.as_str() == Some("never") {
        return Ok(None);
    }
    span(value, range).map(Some).map_err(|what| format!("{what}, or \"never\""))
}

/// One of some words.
pub(super) fn word<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, String> {
    let text = text(value)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{text:?} {}", unknown(text, &allowed))
    })
}

/// A list, each item as `read` makes it.
pub(super) fn list<T>(
    value: &DeValue<'_>,
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| format!("is {}; a list [...] is expected", kind(value)))?;
    items.iter().map(|item| read(item.get_ref())).collect()
}

/// A table within a value, such as `{ obligation = "..." }`, with its only key.
pub(super) fn single<'v>(
    value: &'v DeValue<'v>,
    allowed: &[&str],
) -> Result<(&'v str, &'v DeValue<'v>), String> {
    let expected = || {
        let forms: Vec<String> = allowed.iter().map(|key| format!("{{ {key} = \"...\" }}")).collect();
        format!("{} is expected", forms.join(" or "))
    };
    let table = value.as_table().ok_or_else(|| format!("is {}; {}", kind(value), expected()))?;
    let mut entries = table.iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) if allowed.contains(&key.get_ref().as_ref()) => {
            Ok((key.get_ref().as_ref(), value.get_ref()))
        }
        (_, _) => Err(expected()),
    }
}
