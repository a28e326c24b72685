//! What is asked about people: wherever an erasure or a move is cut, it goes on and ends in its proof, and nothing that is
//! held is touched.

use std::io::Read as _;

use ulid::Ulid;

use super::house::{House, until};
use crate::audit::{Actor, Sealed};
use crate::call::{Cause, Fact};
use crate::certificate::{self, Erasure, verify_erasure};
use crate::ids::{CallId, HoldId, PhoneNumber, RecordingId, Redacted, TaskId};
use crate::privacy::ANONYMIZED;
use crate::retention::HoldOn;
use crate::settings::Language;
use crate::store::{
    AuditFilter, Change, HoldChange, NewTask, NoteChange, PrivacyChange, TaskCounts, TaskKind, TaskRow,
    TaskState, Whose,
};
use crate::vault::{Chest, Format, KeySource, Keyring, WrappedKey};

const NUMBER: &str = "+49301234567";

/// The house's own call is 1: its recordings are of that.
fn first() -> CallId {
    CallId::new(Ulid(1))
}

fn number() -> PhoneNumber {
    PhoneNumber::parse(NUMBER, None).unwrap()
}

/// A call that has ended.
async fn call(house: &House, n: u128) -> CallId {
    let (call, at) = (CallId::new(Ulid(n)), house.deps().clock.now());
    let arrived = Fact::Arrived {
        call,
        at,
        from: Some(number()),
        dialled: "100".to_owned(),
        trunk: None,
        queue: "support".into(),
        language: Language("en".to_owned()),
    };
    let ended = Fact::Ended { call, at, cause: Cause::HungUp };
    house.deps().store.commit(vec![Change::Fact(arrived), Change::Fact(ended)]).await.unwrap();
    call
}

/// Somebody says yes in a call.
async fn answer(house: &House, call: CallId, from: PhoneNumber) {
    let answered = crate::consent::Answered {
        answer: crate::consent::Answer::Yes(
            crate::media::Digit::try_from('1').unwrap(),
            crate::media::DigitChannel::Info,
        ),
        at: house.deps().clock.now(),
        question_sha256: "ab".repeat(32),
        language: Language("en".to_owned()),
    };
    let fact = Fact::ConsentAnswered { call, from: Some(from), queue: "support".into(), answered };
    house.deps().store.commit(vec![Change::Fact(fact)]).await.unwrap();
}

/// The house's call ends, with a note and a recording that is stored.
async fn recorded(house: &House) -> RecordingId {
    let id = house.finished().await;
    house.run_all(false).await;
    let at = house.deps().clock.now();
    let ended = Change::Fact(Fact::Ended { call: first(), at, cause: Cause::HungUp });
    let note = Change::Note(NoteChange {
        call: first(),
        by: "bob".to_owned(),
        who: Actor::User("bob".to_owned()),
        at,
        text: Redacted("Ms Miller called".to_owned()),
    });
    house.deps().store.commit(vec![ended, note]).await.unwrap();
    id
}

async fn ask(house: &House, kind: TaskKind, calls: &[CallId], whose: Option<Whose>) -> TaskId {
    let (id, at) = (TaskId::new(Ulid::generate()), house.deps().clock.now());
    let task = NewTask {
        id,
        kind,
        by: "dora".to_owned(),
        at,
        reason: Redacted("asked for".to_owned()),
        calls: calls.to_vec(),
        entries: Vec::new(),
        consents: true,
        whose,
        approval: false,
        spool: house.deps().vault.spool_id().to_owned(),
        counts: TaskCounts::default(),
    };
    house.deps().store.commit(vec![Change::Privacy(PrivacyChange::Asked(Box::new(task)))]).await.unwrap();
    id
}

async fn task(house: &House, id: TaskId) -> TaskRow {
    house.deps().store.privacy_task(id).await.unwrap().expect("it has a row")
}

/// Runs jobs until the task is over.
async fn done(house: &House, id: TaskId) -> TaskRow {
    let run = house.run(false, None);
    until("the task is over", async || {
        house.hurry().await;
        task(house, id).await.ended_at.is_some()
    })
    .await;
    run.stop().await;
    task(house, id).await
}

async fn erasure(house: &House, id: TaskId) -> Erasure {
    let text = house.deps().store.privacy_certificate(id).await.unwrap().expect("a certificate");
    assert!(!text.contains("Miller") && !text.contains("1234567"), "{text}");
    verify_erasure(&text, Some(house.deps().signer.public_key())).unwrap().0
}

fn made(house: &House, row: &TaskRow) -> Vec<u8> {
    let file = row.file.clone().expect("something was made");
    let mut all = Vec::new();
    let key = WrappedKey(file.wrapped_key.0);
    house.deps().vault.open_chest(row.id, &key).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all.len() as u64, file.bytes);
    all
}

#[tokio::test]
async fn an_erasure_goes_on_from_wherever_it_was_cut() {
    for step in ["begun", "people-erased", "call-erased", "forgotten", "ended"] {
        let house = House::new(Format::Pcm16).await;
        let store = &house.deps().store;
        let recording = recorded(&house).await;
        let second = call(&house, 2).await;
        let report = ask(&house, TaskKind::Report, &[first()], None).await;
        assert_eq!(done(&house, report).await.state, TaskState::Done);
        let id = ask(&house, TaskKind::Erase, &[first(), second], None).await;
        let run = house.run(false, Some(step));
        // What waits for removals is hurried to the step.
        until(step, async || {
            house.hurry().await;
            tokio::time::timeout(std::time::Duration::from_millis(1), run.ctx.halted.notified()).await.is_ok()
        })
        .await;
        run.crash().await;
        if step != "ended" {
            assert!(store.privacy_certificate(id).await.unwrap().is_none(), "{step}: not before all is gone");
        }
        let row = done(&house, id).await;
        assert_eq!(
            (row.state, row.counts.calls, row.counts.recordings),
            (TaskState::Done, 2, 1),
            "{step}: {row:?}"
        );
        let told = erasure(&house, id).await;
        assert_eq!((told.task, told.calls, told.by.as_str()), (id, 2, "dora"));
        let proof = store.certificate(recording).await.unwrap().expect("the recording's own");
        assert!(certificate::verify(&proof, None).is_ok());
        assert_eq!(told.recordings.len(), 1, "{step}");
        assert_eq!(house.row(recording).await.state, "removed");
        for call in [first(), second] {
            let detail = store.call(call).await.unwrap().unwrap();
            assert!(detail.call.anonymised_at.is_some(), "{step}");
            assert_ne!(detail.call.from.map(|from| from.0).as_deref(), Some(NUMBER));
            let (notes, _) = store.written_about(call).await.unwrap();
            assert!(notes.iter().all(|note| note.text.0 == ANONYMIZED));
        }
        let report = task(&house, report).await;
        assert!(
            report.file.is_none() && report.reason.0 == ANONYMIZED,
            "{step}: what was made before goes too"
        );
        assert!(house.deps().vault.chests().unwrap().is_empty(), "{step}");
        store.verify_audit(|_, _| {}).await.expect("the chain is whole");
        let audit = store.audit(&AuditFilter { limit: 100_000, ..AuditFilter::default() }).await.unwrap();
        let said =
            |sealed: &Option<Sealed>| sealed.as_ref().and_then(Sealed::text).unwrap_or_default().to_owned();
        let all: Vec<String> =
            audit.iter().flat_map(|row| [&row.about, &row.old, &row.new].map(said)).collect();
        assert!(!all.iter().any(|text| text.contains("1234567")), "{step}: {all:?}");
    }
}

#[tokio::test]
async fn what_is_held_or_goes_on_is_left_and_told() {
    let house = House::new(Format::Pcm16).await;
    let store = &house.deps().store;
    let recording = house.finished().await;
    house.run_all(false).await;
    let held = call(&house, 2).await;
    let free = call(&house, 3).await;
    let hold = HoldChange::Created {
        id: HoldId::new(Ulid(9)),
        on: HoldOn::Call(held),
        reason: Redacted("a lawsuit".to_owned()),
        by: Actor::User("lea".to_owned()),
        at: house.deps().clock.now(),
        ends: None,
    };
    store.commit(vec![Change::Hold(hold)]).await.unwrap();
    // The house's call has not ended.
    let id = ask(&house, TaskKind::Erase, &[first(), held, free], None).await;
    let row = done(&house, id).await;
    assert_eq!((row.state, row.counts.calls), (TaskState::Done, 1), "{row:?}");
    let told = erasure(&house, id).await;
    let left: Vec<(CallId, &str)> = told.left.iter().map(|(call, why)| (*call, why.as_str())).collect();
    assert_eq!(left, [(first(), "going on"), (held, "held")]);
    assert!(row.what.unwrap().contains("2 left as they are"));
    let refused =
        |call: CallId, why: &str| format!("failure system privacy-task {id}: nothing -> call {call}: {why}");
    assert_eq!(
        store.told("privacy-task.call-refused").await,
        [refused(first(), "going on"), refused(held, "held")]
    );
    assert_eq!(house.row(recording).await.state, "stored", "nothing of a call that goes on is destroyed");
    assert!(store.call(held).await.unwrap().unwrap().call.anonymised_at.is_none());
    let only_held = ask(&house, TaskKind::Erase, &[held], None).await;
    let row = done(&house, only_held).await;
    assert_eq!(row.state, TaskState::Failed);
    assert!(
        store.privacy_certificate(only_held).await.unwrap().is_none(),
        "nothing was erased, nothing is certified"
    );
}

#[tokio::test]
async fn a_move_is_read_back_before_anything_is_erased_wherever_it_was_cut() {
    for step in ["archived", "read-back", "people-erased"] {
        let house = House::new(Format::Pcm16).await;
        let recording = recorded(&house).await;
        let id = ask(&house, TaskKind::Move, &[first()], None).await;
        house.crash_after(false, step).await;
        if step != "people-erased" {
            assert_eq!(house.row(recording).await.state, "stored", "{step}: nothing is erased yet");
        }
        let row = done(&house, id).await;
        assert_eq!(row.state, TaskState::Done, "{step}: {row:?}");
        let (file, sha256) = erasure(&house, id).await.moved_to.expect("it was moved");
        let keys = KeySource { file: house.path("archive.key"), kms: None };
        let (keys, _) = Keyring::open(keys, &[], false).await.unwrap();
        let path = house.path("archive").join(&file);
        let told = house.deps().store.told("privacy-task.archived").await;
        let [told] = told.as_slice() else { panic!("{step}: once, though it was cut: {told:?}") };
        let begins = format!("read system privacy-task {id}: nothing -> {file}: ");
        let ends = format!(" bytes, sha256 {sha256}, read back");
        assert!(told.starts_with(&begins) && told.ends_with(&ends), "{step}: {told}");
        let (of, chest) = Chest::open_archived(&path, &keys).unwrap();
        assert_eq!((of, chest.contents(|_| {}).unwrap().sha256), (id, sha256));
        let mut zip = Vec::new();
        Chest::open_archived(&path, &keys).unwrap().1.read_to_end(&mut zip).unwrap();
        let mut zip = ::zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        let mut names: Vec<String> =
            (0..zip.len()).map(|n| zip.by_index(n).unwrap().name().unwrap().into_owned()).collect();
        names.sort();
        assert_eq!(
            names,
            [format!("{recording}.wav"), format!("{recording}.wav.json"), "report.csv".to_owned()]
        );
        let mut text = String::new();
        zip.by_name("report.csv").unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("Ms Miller called"), "{step}: it was not anonymous yet: {text}");
        assert_eq!(house.row(recording).await.state, "removed");
        let other = KeySource { file: house.path("other.key"), kms: None };
        let (other, _) = Keyring::open(other, &[], true).await.unwrap();
        assert!(Chest::open_archived(&path, &other).is_err(), "not with another key");
    }
}

#[tokio::test]
async fn a_zip_has_each_recording_with_its_manifest_and_says_which_are_broken() {
    let house = House::new(Format::Pcm16).await;
    let (whole, broken) = (recorded(&house).await, house.finished().await);
    house.run_all(false).await;
    let object = house.row(broken).await.object.unwrap().name;
    let path = house.object(&object);
    let mut octets = std::fs::read(&path).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, octets).unwrap();
    let id = ask(&house, TaskKind::Zip, &[first()], None).await;
    house.crash_after(false, "made").await;
    let row = done(&house, id).await;
    assert_eq!((row.state, row.counts.recordings), (TaskState::Done, 1));
    assert!(row.what.as_ref().unwrap().contains(&broken.to_string()), "{row:?}");
    let mut zip = ::zip::ZipArchive::new(std::io::Cursor::new(made(&house, &row))).unwrap();
    let mut manifest = String::new();
    zip.by_name(&format!("{whole}.wav.json")).unwrap().read_to_string(&mut manifest).unwrap();
    let told = crate::export::Manifest::verify(&manifest, Some(house.deps().signer.public_key())).unwrap();
    let mut audio = Vec::new();
    zip.by_name(&format!("{whole}.wav")).unwrap().read_to_end(&mut audio).unwrap();
    assert_eq!((told.recording, told.audio.bytes), (whole.to_string(), audio.len() as u64));
    assert!(zip.by_name(&format!("{broken}.wav.broken.txt")).is_ok());
    assert!(zip.by_name(&format!("{broken}.wav.json")).is_err(), "no manifest vouches for a torn file");
}

#[tokio::test]
async fn consents_are_written_out_before_they_are_reset_and_callers_are_asked_again() {
    for whose in [Whose::Of(number()), Whose::Everybodys] {
        for step in ["made", "reset"] {
            let house = House::new(Format::Pcm16).await;
            let store = &house.deps().store;
            let call = call(&house, 2).await;
            answer(&house, call, number()).await;
            assert!(store.known_consent(&number()).await.unwrap().is_some());
            assert_eq!(store.consents_to_reset(&whose).await.unwrap(), 1);
            let id = ask(&house, TaskKind::Consents, &[], Some(whose.clone())).await;
            house.crash_after(false, step).await;
            assert_eq!(store.known_consent(&number()).await.unwrap().is_some(), step == "made");
            let row = done(&house, id).await;
            assert_eq!(
                (row.state, row.whose.clone()),
                (TaskState::Done, None),
                "whose they were is forgotten"
            );
            let text = String::from_utf8(made(&house, &row)).unwrap();
            assert!(text.contains("'+49301234567") && text.contains("yes"), "{text}");
            assert_eq!(store.known_consent(&number()).await.unwrap(), None, "asked again");
            assert_eq!(store.consents_to_reset(&whose).await.unwrap(), 0);
            let told = store.told("consents.reset").await;
            let [told] = told.as_slice() else { panic!("{step}: once, though it was cut: {told:?}") };
            let what = match &whose {
                Whose::Of(_) => "1 of a number",
                Whose::Everybodys => "all before ",
            };
            let begins = format!("modify user dora privacy-task {id}: nothing -> {what}");
            assert!(told.starts_with(&begins) && !told.contains("1234567"), "{step}: {told}");
        }
    }
}

#[tokio::test]
async fn a_file_whose_time_is_over_goes_key_first() {
    let house = House::new(Format::Pcm16).await;
    let id = ask(&house, TaskKind::Report, &[first()], None).await;
    let row = done(&house, id).await;
    assert!(!made(&house, &row).is_empty());
    assert_eq!(house.deps().vault.chests().unwrap().len(), 1);
    let gone = PrivacyChange::FileGone { id, at: house.deps().clock.now() };
    for _ in 0..2 {
        house.deps().store.commit(vec![Change::Privacy(gone.clone())]).await.unwrap();
    }
    assert!(task(&house, id).await.file.is_none());
    assert_eq!(
        house.deps().store.told("privacy-task.file-removed").await,
        [format!("modify system privacy-task {id}: nothing -> its time is over")],
        "it goes once"
    );
    let run = house.run(false, None);
    super::super::privacy::files::sweep(&run.ctx).await.unwrap();
    run.stop().await;
    assert!(house.deps().vault.chests().unwrap().is_empty());
}

#[tokio::test]
async fn restricting_hides_and_shows_again() {
    let house = House::new(Format::Pcm16).await;
    let store = &house.deps().store;
    let call = call(&house, 2).await;
    let restricted = async || store.call(call).await.unwrap().unwrap().call.restricted_at.is_some();
    let id = ask(&house, TaskKind::Restrict, &[call], None).await;
    house.crash_after(false, "restricted").await;
    assert!(restricted().await);
    assert_eq!(done(&house, id).await.state, TaskState::Done);
    let id = ask(&house, TaskKind::Unrestrict, &[call], None).await;
    assert_eq!(done(&house, id).await.state, TaskState::Done);
    assert!(!restricted().await);
}

#[tokio::test]
async fn a_move_waits_for_its_disk_and_makes_none() {
    let house = House::new(Format::Pcm16).await;
    let recording = recorded(&house).await;
    let (dir, key, away) = (house.path("archive"), house.path("archive.key"), house.path("away"));
    std::fs::rename(&dir, &away).unwrap();
    let id = ask(&house, TaskKind::Move, &[first()], None).await;
    let run = house.run(false, None);
    until("it says why it waits", async || {
        house.hurry().await;
        task(&house, id).await.what.is_some_and(|what| what.contains("mount its disk"))
    })
    .await;
    run.stop().await;
    assert!(!dir.exists(), "nothing is written below the mount point");
    assert_eq!(house.row(recording).await.state, "stored", "and nothing is erased");
    std::fs::rename(&away, &dir).unwrap();
    std::fs::rename(&key, house.path("away.key")).unwrap();
    let run = house.run(false, None);
    until("it says that the key is missing", async || {
        house.hurry().await;
        task(&house, id).await.what.is_some_and(|what| what.contains("archive.key"))
    })
    .await;
    run.stop().await;
    assert!(!key.exists(), "no second key");
    std::fs::rename(house.path("away.key"), &key).unwrap();
    assert_eq!(done(&house, id).await.state, TaskState::Done);
    // A later start makes neither anew: what was moved is on the disk that is missing.
    std::fs::rename(&dir, &away).unwrap();
    let place = house.config(false).separate_store.unwrap();
    place.make(&house.deps().store).await.unwrap();
    assert!(!dir.exists());
}
