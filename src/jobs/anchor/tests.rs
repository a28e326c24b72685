//! Anchors in a file, in the object store, at a webhook that is not there.

use std::fs;

use super::super::tests::house::{House, until};
use super::*;
use crate::settings::{DiffOptions, diff, parse};
use crate::vault::Format;

async fn apply(house: &House, text: &str) -> Settings {
    let store = &house.deps().store;
    let (_, old) = store.settings().await.unwrap();
    let file = parse(text, "test.toml", "sayso").unwrap();
    let changes = diff(&old, &file, &DiffOptions { prune: false, seed: [7; 32] }).unwrap();
    store.commit(vec![Change::Settings(changes, Actor::System)]).await.unwrap();
    store.settings().await.unwrap().1
}

fn with(house: &House) -> Anchoring {
    let deps = house.deps();
    Anchoring {
        store: deps.store.clone(),
        objects: deps.objects.clone(),
        signer: Arc::clone(&deps.signer),
        clock: deps.clock,
        alarms: Some(deps.alarms.clone()),
        name: "here".to_owned(),
    }
}

#[tokio::test]
async fn a_statement_is_put_at_each_place_and_fits_the_log() {
    let house = House::new(Format::Pcm16).await;
    let path = house.path("anchors.jsonl");
    let to = format!("[system.sayso]\nanchor-to = [\"{}\", \"store\", \"webhook crm\"]", path.display());
    let settings = apply(&house, &to).await;
    let with = with(&house);
    let key = Some(with.signer.public_key());
    for n in 1..=2 {
        let (anchor, places) = anchor(&with, &settings, Actor::System, None).await.unwrap();
        let states: Vec<AnchorState> = places.iter().map(|place| place.state).collect();
        assert_eq!(states, [AnchorState::Anchored, AnchorState::Anchored, AnchorState::Failed]);
        assert!(places[2].what.as_ref().unwrap().contains("no webhook crm"), "{places:?}");
        let stated = read_file(&path, key).unwrap();
        assert_eq!((stated.anchors.len(), stated.anchors.last()), (n, Some(&anchor)));
        let object = fs::read_to_string(house.object(places[1].what.as_ref().unwrap())).unwrap();
        assert_eq!(Anchor::verify(&object, key), Ok(anchor));
    }
    assert!(house.deps().alarms.is_raised_for(AlarmKind::AnchorFails, "webhook crm"));
    assert!(!house.deps().alarms.is_raised_for(AlarmKind::AnchorFails, "store"));
    let (anchors, fault) = known(&with.store, &settings, key).await.unwrap();
    assert_eq!((anchors.len(), fault), (8, None), "twice three rows, and two lines");
    with.store.verify_audit_with(anchors, |_, _| {}).await.unwrap();

    // Another's key signed none of them.
    let (none, fault) = known(&with.store, &settings, Some([1; 32])).await.unwrap();
    assert!(none.is_empty() && fault.unwrap().contains("not with the expected"));
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_is_passed_over() {
    let house = House::new(Format::Pcm16).await;
    let path = house.path("anchors.jsonl");
    let settings = apply(&house, &format!("[system.sayso]\nanchor-to = [\"{}\"]", path.display())).await;
    fs::write(&path, "{\"algorithm\":\"Ed2").unwrap();
    let with = with(&house);
    let (anchor, _) = anchor(&with, &settings, Actor::System, None).await.unwrap();
    let stated = read_file(&path, None).unwrap();
    assert_eq!((stated.anchors, stated.faults, stated.unreadable), (vec![anchor], Vec::new(), 1));
    let line = fs::read_to_string(&path).unwrap().replace("\"seq\":", "\"seq\":1");
    fs::write(&path, line).unwrap();
    assert_eq!(read_file(&path, None).unwrap().faults.len(), 1, "changed");
}

#[tokio::test]
async fn it_is_done_as_often_as_the_settings_say_and_told_when_it_fails() {
    let house = House::new(Format::Pcm16).await;
    let path = house.path("not-there/anchors.jsonl");
    let ctx = Arc::new(Context::new(house.config(false), house.deps().clone()));
    let stop = CancellationToken::new();
    let text = format!("[system.sayso]\nanchor-every = \"1h\"\nanchor-to = [\"{}\"]", path.display());
    let settings = apply(&house, &text).await;
    let task = tokio::spawn(watch(ctx, stop.clone()));
    let alarms = &house.deps().alarms;
    let place = path.display().to_string();
    until("it fails", async || alarms.is_raised_for(AlarmKind::AnchorFails, &place)).await;
    let store = &house.deps().store;
    until("it is written", async || store.anchor_turn().await.unwrap().failures == 1).await;
    stop.cancel();
    task.await.unwrap();

    fs::create_dir(house.path("not-there")).unwrap();
    let with = with(&house);
    let hour = Some(Duration::from_secs(3_600));
    let early = anchor(&with, &settings, Actor::System, hour).await;
    assert!(matches!(early, Err(AnchorFault::NotNow)), "not so soon after a failure: {early:?}");
    anchor(&with, &settings, Actor::User("ada".to_owned()), None).await.unwrap();
    assert!(!alarms.is_raised_for(AlarmKind::AnchorFails, &place));
    let turn = store.anchor_turn().await.unwrap();
    assert!(turn.anchored_at.is_some() && turn.failures == 0);
    let again = anchor(&with, &settings, Actor::System, hour).await;
    assert!(matches!(again, Err(AnchorFault::NotNow)), "not due: {again:?}");
    let none = anchor(&with, &Settings::default(), Actor::System, None).await;
    assert!(matches!(none, Err(AnchorFault::NoPlace)), "{none:?}");
}
