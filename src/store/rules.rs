//! What the settings say of the audit log and of webhooks, as the writer needs it in each transaction. It is read anew
//! when the generation of settings has moved, not each time.

use std::sync::Arc;

use sqlx::{AnyConnection, Row as _};

use crate::audit::{AuditEvent, Class};
use crate::settings::{Kind, Object};

use super::error::{Doing as _, StoreError};

const DOING: &str = "reading what is audited and told";

/// See the module.
#[derive(Debug)]
pub(super) struct Rules {
    generation: i64,
    /// Classes that are not written; never rights or modify.
    off: Vec<Class>,
    /// Who is told of what.
    hooks: Vec<Hook>,
}

/// A webhook that is enabled.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) name: String,
    events: Vec<String>,
}

impl Rules {
    /// What holds in this transaction.
    pub(super) async fn now(
        connection: &mut AnyConnection,
        known: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, StoreError> {
        let generation: i64 = sqlx::query_scalar("SELECT generation FROM settings_generation WHERE id = 1")
            .fetch_one(&mut *connection)
            .await
            .doing(DOING)?;
        if let Some(known) = known.filter(|known| known.generation == generation) {
            return Ok(Arc::clone(known));
        }
        let rows = sqlx::query("SELECT kind, name, body FROM settings WHERE kind IN ('system', 'webhook')")
            .fetch_all(connection)
            .await
            .doing(DOING)?;
        let mut rules = Self { generation, off: Vec::new(), hooks: Vec::new() };
        for row in &rows {
            let text = |column| row.try_get::<String, _>(column).unwrap_or_default();
            let (kind, name) = (text("kind"), text("name"));
            let object = Kind::from_word(&kind).and_then(|kind| Object::from_json(kind, &text("body")).ok());
            match object {
                Some(object) => rules.take(name, &object),
                // Calls go on; all is written, and nobody is told.
                None => {
                    tracing::error!(kind, name, "settings cannot be read: was a document changed by hand?")
                }
            }
        }
        Ok(Arc::new(rules))
    }

    fn take(&mut self, name: String, object: &Object) {
        match object {
            Object::System(system) => {
                let off = system.audit.off.iter().filter_map(|word| Class::from_word(word));
                self.off = off.filter(|class| class.may_be_off()).collect();
            }
            Object::Webhook(hook) if hook.enabled => {
                self.hooks.push(Hook { name, events: hook.events.clone() });
            }
            Object::Webhook(_)
            | Object::Trunk(_)
            | Object::Queue(_)
            | Object::Number(_)
            | Object::Agent(_)
            | Object::User(_)
            | Object::Role(_)
            | Object::Provider(_) => {}
        }
    }

    /// Whether an event is written. That a class was switched off or on always is, and what is done about people's data
    /// (domain rule 18).
    pub(super) fn writes(&self, event: &AuditEvent) -> bool {
        let switch = event.what.kind == "system" && event.what.attribute.as_deref() == Some("audit-off");
        let people =
            ["privacy", "privacy-task", "directory", "directory-entry"].contains(&event.what.kind.as_ref());
        switch || people || !self.off.contains(&event.class)
    }

    /// Who is told of something.
    pub(super) fn told_of(&self, word: &str) -> Vec<String> {
        let wants = |hook: &&Hook| hook.events.iter().any(|event| event == word);
        self.hooks.iter().filter(wants).map(|hook| hook.name.clone()).collect()
    }
}
