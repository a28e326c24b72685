//! Versions of settings, and answers to other questions.

use super::*;
use crate::settings::{Difference, Kind as Of, Settings, from_document, without};

on_each_kind!(versions_grow_and_older_settings_are_refused, other_questions_are_found);

fn made(stored: &Settings, name: &str) -> Vec<Difference> {
    from_document(stored, Of::Queue, name, &serde_json::Map::new(), "sayso", [7; 32]).expect("right")
}

async fn versions_grow_and_older_settings_are_refused(kind: Kind) {
    let place = Place::new(kind).await;
    let change =
        |generation, differences| vec![Change::SettingsSince { generation, differences, who: Actor::System }];
    let first = place.store.versioned_settings().await.expect("reads");
    place
        .store
        .commit(change(first.generation, made(&first.settings, "a")))
        .await
        .expect("nothing in between");
    let late = place.store.commit(change(first.generation, made(&first.settings, "b"))).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let second = place.store.versioned_settings().await.expect("reads");
    assert_eq!(second.generation, first.generation + 1, "what was refused counts nothing");
    let version = |all: &VersionedSettings| all.versions.get(&(Of::Queue, "a".to_owned())).copied();
    assert_eq!(version(&second), Some(second.generation));

    // Removed and made again it is another one.
    let gone = without(&second.settings, Of::Queue, "a").expect("nothing refers to it");
    place.store.commit(change(second.generation, gone)).await.expect("commits");
    let third = place.store.versioned_settings().await.expect("reads");
    assert_eq!((version(&third), third.settings.queues.len()), (None, 0));
    place.store.commit(change(third.generation, made(&third.settings, "a"))).await.expect("commits");
    let fourth = place.store.versioned_settings().await.expect("reads");
    assert!(version(&fourth) > version(&second));
    assert_eq!(place.audit_rows().await, {
        let attributes = made(&Settings::default(), "a")[0].attributes().len() as u64;
        3 * attributes
    });
}

async fn other_questions_are_found(kind: Kind) {
    let place = Place::new(kind).await;
    let asked = async |queue: &str, language: &str, version: &str| {
        let language = Language(language.into());
        place.store.asked_otherwise(&queue.into(), &language, version).await.expect("reads")
    };
    assert!(!asked("support", "de", &"ab".repeat(32)).await);
    place.facts(vec![arrived(call(0), 0), answered(call(0), 1, yes())]).await;
    assert!(!asked("support", "de", &"ab".repeat(32)).await, "the same question");
    for other in ["00", "ff"] {
        assert!(asked("support", "de", &other.repeat(32)).await, "before or after in the order of hashes");
    }
    assert!(!asked("sales", "de", &"00".repeat(32)).await && !asked("support", "en", &"00".repeat(32)).await);
}
