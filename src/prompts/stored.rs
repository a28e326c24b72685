//! The library as calls shall hear it: shipped, of the folder, and imported.

use std::path::Path;

use crate::store::Store;

use super::library::{Imported, Stored};
use super::{Library, PromptError, PromptName};

/// Reads all prompts there are now. Imported ones that `before` has are not read once more.
///
/// # Errors
/// When the database refuses ([`PromptError::Store`]), or a file of the folder cannot be used.
pub async fn load(store: &Store, dir: &Path, before: Option<&Library>) -> Result<Library, PromptError> {
    let mut known = before.map(Library::imported).unwrap_or_default();
    let mut imported = Imported::default();
    for (prompt, version) in store.prompts_in_force().await? {
        let Some(name) = read(&prompt) else { continue };
        let stored = match known.get(&version) {
            Some(loaded) => Stored::Known(loaded.clone()),
            None => match store.prompt_sound(&version, false).await? {
                Some(bytes) => Stored::Bytes(bytes),
                None => {
                    tracing::error!(prompt, version, "an imported prompt has no sound: it is not played");
                    continue;
                }
            },
        };
        imported.sounds.push((name, version, stored));
    }
    known.clear();
    for (prompt, version, text) in store.prompt_texts().await? {
        if let Some(name) = read(&prompt) {
            imported.texts.insert((name, version), text);
        }
    }
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || Library::with(Some(&dir), imported)).await?
}

fn read(prompt: &str) -> Option<PromptName> {
    let name = prompt.parse();
    if let Err(error) = &name {
        tracing::error!(prompt, %error, "an imported prompt is none of this version's: it is not played");
    }
    name.ok()
}
