//! Destroyed recordings that are not where they were put: what proves that they are gone, and what needs an operator's
//! word.

use std::fs;

use super::super::names::{self, Form};
use super::super::{AlarmKind, GoneError, say_gone};
use super::house::{House, until};
use crate::audit::{Actor, Sealed};
use crate::certificate::{self, Certificate};
use crate::ids::{RecordingId, Redacted};
use crate::store::AuditFilter;
use crate::vault::Format;

fn fails(house: &House) -> bool {
    house.deps().alarms.list().iter().any(|alarm| alarm.kind == AlarmKind::JobFails)
}

/// Recordings that are stored.
async fn stored<const N: usize>(house: &House) -> [RecordingId; N] {
    let mut ids = Vec::new();
    for _ in 0..N {
        ids.push(house.finished().await);
    }
    house.run_all(false).await;
    ids.try_into().expect("as many")
}

/// Somebody deletes its object.
fn take_away(house: &House, id: RecordingId) {
    fs::remove_file(house.object(&names::whole(id, Form::Sealed))).unwrap();
}

/// It is destroyed, and the job that should prove it refuses to.
async fn is_not_proven(house: &House, id: RecordingId) {
    house.destroy(id).await;
    let run = house.run(false, None);
    let subject = format!("destroy {id}");
    until("the alarm", async || house.deps().alarms.is_raised_for(AlarmKind::JobFails, &subject)).await;
    run.stop().await;
    assert_eq!(house.row(id).await.state, "destroyed");
    assert!(house.deps().store.certificate(id).await.unwrap().is_none());
    let job = house.jobs().await.into_iter().find(|job| job.subject == id.to_string());
    let told = job.and_then(|job| job.error).expect("it says why");
    assert!(told.contains(&format!("sayso recordings gone {id}")), "{told}");
}

async fn certified(house: &House, id: RecordingId) -> Certificate {
    assert_eq!(house.row(id).await.state, "removed");
    let text = house.deps().store.certificate(id).await.unwrap().expect("a certificate");
    certificate::verify(&text, Some(house.deps().signer.public_key())).expect("ours").certificate
}

async fn say(house: &House, id: RecordingId, reason: &str) -> Result<(), GoneError> {
    let (deps, by) = (house.deps(), Actor::User("olga".to_owned()));
    let said = say_gone((&deps.store, deps.clock), id, by, &Redacted(reason.to_owned())).await;
    said.map(|object| assert_eq!(object.name, names::whole(id, Form::Sealed)))
}

#[tokio::test]
async fn what_somebody_deleted_is_certified_as_not_found() {
    let house = House::new(Format::Pcm16).await;
    let [one, two, three] = stored(&house).await;
    take_away(&house, two);
    house.destroy(two).await;
    house.run_all(false).await;
    let told = certified(&house, two).await;
    assert!(!told.found_before.iter().any(|line| line.starts_with("object ")), "{told:?}");
    let [line] = &told.not_seen[..] else { panic!("{told:?}") };
    assert!(
        line.contains(&names::whole(two, Form::Sealed)) && line.contains("it was not there before"),
        "{line}"
    );
    assert!(line.contains("of 2 recordings") && line.contains("2 were there"), "{line}");
    assert!(!line.contains("plain"), "{line}");
    // The others, the last of them deleted with nothing beside it, in a folder that was in use.
    house.destroy(one).await;
    house.run_all(false).await;
    assert_eq!(certified(&house, one).await.not_seen, [""; 0], "it was seen");
    take_away(&house, three);
    house.destroy(three).await;
    house.run_all(false).await;
    let told = certified(&house, three).await;
    assert!(told.not_seen[0].contains("no other recording should be there"), "{told:?}");
    assert!(!fails(&house));
}

#[tokio::test]
async fn a_disk_that_is_not_mounted_proves_nothing() {
    let house = House::new(Format::Pcm16).await;
    let [one, two] = stored(&house).await;
    let (folder, away) = (house.path("objects"), house.path("away"));
    fs::rename(&folder, &away).unwrap();
    fs::create_dir(&folder).unwrap();
    is_not_proven(&house, one).await;
    // Nothing else is stored there now, and what is being removed is not there either.
    is_not_proven(&house, two).await;
    fs::remove_dir_all(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    house.hurry().await;
    house.run_all(false).await;
    for id in [one, two] {
        let told = certified(&house, id).await;
        assert!(told.found_before.iter().any(|line| line.starts_with("object ")), "{told:?}");
        assert_eq!(told.not_seen, [""; 0]);
        assert!(!house.object(&names::whole(id, Form::Sealed)).exists());
    }
    assert!(!fails(&house));
}

#[tokio::test]
async fn nothing_is_proven_of_a_place_where_it_was_not_looked() {
    let mut house = House::new(Format::Pcm16).await;
    let [back, gone] = stored(&house).await;
    assert_eq!(house.row(back).await.object.unwrap().place, house.deps().objects.place());
    house.keep_in("elsewhere").await;
    is_not_proven(&house, back).await;
    assert!(house.object(&names::whole(back, Form::Sealed)).exists(), "where it was");
    house.keep_in("objects").await;
    house.hurry().await;
    house.run_all(false).await;
    assert_eq!(certified(&house, back).await.not_seen, [""; 0]);
    // One whose place is no more: by an operator's word, which the certificate tells.
    house.keep_in("elsewhere").await;
    is_not_proven(&house, gone).await;
    say(&house, gone, "the old disk broke, says Ms Miller").await.unwrap();
    house.run_all(false).await;
    let told = certified(&house, gone).await;
    let [line] = &told.not_seen[..] else { panic!("{told:?}") };
    let place = house.path("objects").display().to_string();
    assert!(line.contains(&place) && line.contains("user olga said at"), "{line}");
    assert!(
        line.contains("SHA-256") && !line.contains("Miller"),
        "a person's words may name somebody: {line}"
    );
    assert!(told.looked_in[0].ends_with("elsewhere"), "{told:?}");
    let filter = AuditFilter { action: Some("recording.said-gone".to_owned()), ..AuditFilter::default() };
    let said = house.deps().store.audit(&filter).await.unwrap().pop().expect("it is audited");
    assert_eq!((said.who.to_string().as_str(), said.what.id.clone()), ("user olga", gone.to_string()));
    assert!(matches!(said.new, Some(Sealed::Personal { .. })), "and can be erased");
}

#[tokio::test]
async fn a_word_is_taken_only_where_one_is_needed() {
    let house = House::new(Format::Pcm16).await;
    let [id] = stored(&house).await;
    let early = say(&house, id, "it is lost").await;
    assert!(matches!(early, Err(GoneError::NotDestroyed { .. })), "{early:?}");
    let nobody = house.finished().await;
    house.destroy(nobody).await;
    assert!(matches!(say(&house, nobody, "it is lost").await, Err(GoneError::NeverStored(_))));
    house.destroy(id).await;
    assert!(matches!(say(&house, id, " ").await, Err(GoneError::NoReason)));
    // Said of what is there after all: it is found and removed, and nobody's word is needed.
    say(&house, id, "it is lost").await.unwrap();
    house.run_all(false).await;
    let told = certified(&house, id).await;
    assert_eq!(told.not_seen, [""; 0]);
    assert!(told.found_before.iter().any(|line| line.starts_with("object ")), "{told:?}");
    let late = say(&house, id, "it is lost").await;
    assert!(matches!(late, Err(GoneError::NotDestroyed { .. })), "{late:?}");
}
