//! Imported prompts: versions, what replaces what, texts, and their audit events.

use std::time::Duration;

use super::*;

on_each_kind!(versions_are_kept_and_nobody_overwrites_unseen, texts_are_of_one_version);

const WELCOME: &str = "en~welcome";

fn put(sound: u8, replaces: Replaces) -> PromptDone {
    let sound = Box::new(PromptSound {
        version: version(sound),
        narrow: vec![sound; 300],
        wide: vec![sound; 600],
        time: Duration::from_millis(1_500),
    });
    PromptDone::Put { sound, replaces, beneath: Some(("ab".repeat(32), Duration::from_secs(2))) }
}

fn version(sound: u8) -> String {
    format!("{sound:02x}").repeat(32)
}

async fn does(place: &Place, prompt: &str, done: PromptDone) -> Result<(), StoreError> {
    let change = PromptChange { prompt: prompt.to_owned(), done, who: Actor::User("rita".to_owned()) };
    place.store.commit(vec![Change::Prompt(change)]).await
}

async fn in_force(place: &Place) -> Vec<(String, String)> {
    place.store.prompts_in_force().await.expect("reads")
}

async fn versions_are_kept_and_nobody_overwrites_unseen(kind: Kind) {
    let place = Place::new(kind).await;
    let before = place.store.generation().await.expect("reads");
    does(&place, WELCOME, put(1, Replaces::Nothing)).await.expect("there was none");
    assert_eq!(place.store.generation().await.expect("reads"), before + 1, "running servers are told");
    for wrong in [Replaces::Nothing, Replaces::OneOf(vec![version(2)]), Replaces::OneOf(vec![])] {
        let refused = does(&place, WELCOME, put(2, wrong.clone())).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{wrong:?}: {refused:?}");
    }
    let refused = does(&place, "de~welcome", put(2, Replaces::Something)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(
        in_force(&place).await,
        [(WELCOME.to_owned(), version(1))],
        "what was refused changed nothing"
    );
    assert_eq!(place.store.prompt_sound(&version(2), false).await.expect("reads"), None);

    does(&place, WELCOME, put(2, Replaces::OneOf(vec![version(9), version(1)])))
        .await
        .expect("it is that one");
    does(&place, "sales~en~welcome", put(1, Replaces::Any)).await.expect("a sound may serve twice");
    assert_eq!(place.store.prompt_sound(&version(1), false).await.expect("reads"), Some(vec![1; 300]));
    assert_eq!(place.store.prompt_sound(&version(2), true).await.expect("reads"), Some(vec![2; 600]));
    let had: Vec<(String, String)> = place
        .store
        .prompt_versions()
        .await
        .expect("reads")
        .into_iter()
        .map(|row| {
            assert_eq!(row.who, "rita");
            (row.prompt, row.version)
        })
        .collect();
    assert_eq!(had.len(), 3, "{had:?}");
    assert!(had.contains(&(WELCOME.to_owned(), version(1))), "{had:?}");

    let never = does(&place, "sales~en~welcome", PromptDone::Restored { version: version(2) }).await;
    assert!(matches!(never, Err(StoreError::Missing { .. })), "it never had it: {never:?}");
    does(&place, WELCOME, PromptDone::Restored { version: version(1) }).await.expect("it had it");
    does(&place, WELCOME, PromptDone::Restored { version: version(1) }).await.expect("it has it");
    does(&place, WELCOME, PromptDone::Removed).await.expect("there is one");
    let none = does(&place, WELCOME, PromptDone::Removed).await;
    assert!(matches!(none, Err(StoreError::Missing { .. })), "{none:?}");
    assert_eq!(in_force(&place).await, [("sales~en~welcome".to_owned(), version(1))]);
    assert!(place.store.prompt_had(WELCOME, &version(2)).await.expect("reads"), "versions stay");

    let mut rows =
        place.store.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).await.expect("reads");
    rows.retain(|row| row.action.starts_with("prompt."));
    let told = |value: &Option<crate::audit::Sealed>| {
        value.as_ref().and_then(crate::audit::Sealed::text).map(str::to_owned)
    };
    let told: Vec<_> =
        rows.iter().rev().map(|row| (row.action.to_string(), told(&row.old), told(&row.new))).collect();
    let is = |sound: u8| Some(format!("{}, 1.5 s", version(sound)));
    let shipped = Some(format!("{}, 2.0 s", "ab".repeat(32)));
    assert_eq!(
        told,
        [
            ("prompt.imported".to_owned(), shipped.clone(), is(1)),
            ("prompt.imported".to_owned(), is(1), is(2)),
            ("prompt.imported".to_owned(), shipped, is(1)),
            ("prompt.restored".to_owned(), is(2), is(1)),
            ("prompt.removed".to_owned(), is(1), None),
        ]
    );
}

async fn texts_are_of_one_version(kind: Kind) {
    let place = Place::new(kind).await;
    let noted = |text: &str, before: Option<&str>| PromptDone::Noted {
        version: version(1),
        text: text.to_owned(),
        before: before.map(str::to_owned),
    };
    does(&place, WELCOME, noted("Welcome.", None)).await.expect("of a shipped one, too");
    does(&place, WELCOME, noted("Welcome to us.", Some("Welcome."))).await.expect("commits");
    let texts = place.store.prompt_texts().await.expect("reads");
    assert_eq!(texts, [(WELCOME.to_owned(), version(1), "Welcome to us.".to_owned())]);
    assert_eq!(place.audit_rows().await, 2);
}
