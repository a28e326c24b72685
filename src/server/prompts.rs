//! The prompts that are played now, and how others take their place: calls keep what they hold, so a sound that plays is
//! played to its end.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use crate::prompts::{Library, PromptError, load};
use crate::store::Store;

/// See the module.
pub(super) struct Prompts {
    now: RwLock<Arc<Library>>,
    /// One reads at a time: who begins later reads what is newer, and is not overtaken.
    turn: Mutex<()>,
    dir: PathBuf,
}

impl Prompts {
    /// Reads those of the program, the folder `dir` and the database.
    pub(super) async fn open(store: &Store, dir: PathBuf) -> Result<Self, PromptError> {
        let now = RwLock::new(Arc::new(load(store, &dir, None).await?));
        Ok(Self { now, turn: Mutex::new(()), dir })
    }

    pub(super) fn now(&self) -> Arc<Library> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up what was stored meanwhile. After an error the old ones stay.
    pub(super) async fn renew(&self, store: &Store) -> Result<(), PromptError> {
        let _turn = self.turn.lock().await;
        let library = load(store, &self.dir, Some(&self.now())).await?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(library);
        Ok(())
    }
}
