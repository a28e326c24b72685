//! A JSON document as the table of an apply file that says the same.

use serde_json::{Map, Value};

use super::DocumentError;
use crate::settings::Kind;

/// The apply file of one object. `null` says nothing: the key is left out.
///
/// # Errors
/// For what TOML has no word for: `null` within a list.
pub(super) fn to_toml(
    kind: Kind,
    name: &str,
    document: &Map<String, Value>,
) -> Result<String, Vec<DocumentError>> {
    let mut text = format!("[{}.{}]\n", kind.word(), quoted(name));
    let mut errors = Vec::new();
    for (key, value) in document.iter().filter(|(_, value)| !value.is_null()) {
        text.push_str(&quoted(key));
        text.push_str(" = ");
        if write(value, &mut text).is_none() {
            let what = "has null in a list, where something is expected".to_owned();
            errors.push(DocumentError { key: key.clone(), what });
        }
        text.push('\n');
    }
    if errors.is_empty() { Ok(text) } else { Err(errors) }
}

/// A value in one line; `None` for what cannot be written.
fn write(value: &Value, text: &mut String) -> Option<()> {
    match value {
        Value::Null => return None,
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(value) => text.push_str(&quoted(value)),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text)?;
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            let mut first = true;
            for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                if !std::mem::take(&mut first) {
                    text.push(',');
                }
                text.push_str(&quoted(key));
                text.push('=');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Some(())
}

/// A basic string of TOML: in one line, whatever it holds.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
