use super::*;

#[test]
fn destroyed_is_gone_whenever_it_happens() {
    let place = Place::new();
    let files = Place::names;
    // Finished; and again, and one that never was.
    let (finished, key) = place.record(1, &chunks(1));
    let traces = place.vault.destroy(finished.id).unwrap();
    assert_eq!(traces, LocalTraces { before: vec![format!("{}.rec", finished.id)], after: vec![] });
    assert_eq!(place.vault.destroy(finished.id).unwrap(), LocalTraces::default());
    assert!(files(&place).is_empty());
    assert!(matches!(place.pcm(finished.id, &key), Err(VaultError::NotFound(_))));
    // While it is written: what comes later leaves nothing behind.
    let permit = place.permit(2);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    put(&mut spool, &chunks(2));
    place.vault.destroy(permit.id()).unwrap();
    put(&mut spool, &[]);
    Box::new(spool).finish(End { samples: 2 * CHUNK, ..End::default() });
    assert!(matches!(ending.blocking_recv().unwrap(), Err(VaultError::Destroyed(_))));
    assert!(files(&place).is_empty());
    // A leftover.
    let (place, id, _, _) = place.crash(3, &chunks(2));
    place.vault.destroy(id).unwrap();
    assert!(files(&place).is_empty() && place.vault.leftovers().unwrap().is_empty());
    // Drafts, and what somebody copied.
    let (finished, _) = place.record(4, &chunks(1));
    for ending in ["part", "draft", "rebuild", "rec.bak"] {
        fs::copy(place.rec(finished.id), place.rec(finished.id).with_extension(ending)).unwrap();
    }
    let (other, _) = place.record(5, &chunks(1));
    assert_eq!(place.vault.destroy(finished.id).unwrap().before.len(), 5);
    assert_eq!(files(&place), [format!("{}.rec", other.id)]);
    // What cannot be removed is told.
    fs::create_dir(place.rec(other.id).with_extension("d")).unwrap();
    assert!(place.vault.destroy(other.id).is_err());
}

#[test]
fn destroy_and_finish_may_race() {
    let place = Place::new();
    for n in 0..50 {
        let permit = place.permit(n);
        let (mut spool, ending) = place.vault.begin(&permit).unwrap();
        put(&mut spool, &[vec![1; 20]]);
        Box::new(spool).finish(End { samples: 10, ..End::default() });
        place.vault.destroy(permit.id()).unwrap();
        let _ = ending.blocking_recv().unwrap();
        assert!(!place.part(permit.id()).exists() && !place.rec(permit.id()).exists());
    }
}

#[test]
fn a_whole_recording_is_let_go() {
    let place = Place::new();
    let (finished, key) = place.record(1, &chunks(2));
    let (other, _) = place.record(2, &chunks(1));
    fs::write(place.rec(finished.id).with_extension("draft"), "left").unwrap();
    place.vault.let_go(finished.id).unwrap();
    place.vault.let_go(finished.id).unwrap();
    assert_eq!(place.names(), [format!("{}.rec", other.id)]);
    assert!(place.vault.spooled(finished.id).unwrap().is_none());
    assert!(matches!(wait(place.vault.plain(finished.id, &key)), Err(VaultError::NotFound(_))));
    assert!(matches!(place.vault.salvage(finished.id, &key), Err(VaultError::NotFound(_))));
}

#[test]
fn whole_recordings_are_no_leftovers_and_abandoned_drafts_go() {
    let place = Place::new();
    let (finished, _) = place.record(1, &chunks(1));
    let (place, part, _, _) = place.crash(2, &chunks(1));
    for ending in ["draft", "rebuild"] {
        fs::write(place.rec(finished.id).with_extension(ending), "left").unwrap();
    }
    fs::write(place.path("vault/spool/note.txt"), "somebody's").unwrap();
    let kinds = |place: &Place| {
        let files = place.vault.spool_files().unwrap();
        files.iter().map(|file| (file.id, file.kind)).collect::<std::collections::HashSet<_>>()
    };
    assert_eq!(kinds(&place).len(), 4);
    // One that somebody works on stays.
    let held = File::open(place.rec(finished.id).with_extension("draft")).unwrap();
    held.try_lock().unwrap();
    assert_eq!(place.vault.leftovers().unwrap(), [part]);
    assert!(place.rec(finished.id).with_extension("draft").exists());
    drop(held);
    assert_eq!(place.vault.leftovers().unwrap(), [part]);
    let left = [(finished.id, SpooledKind::Rec), (part, SpooledKind::Part)];
    assert_eq!(kinds(&place), left.into());
    assert!(place.path("vault/spool/note.txt").exists(), "left alone");
}
