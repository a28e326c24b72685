//! Rotations against a real database and a real key file: whole, interrupted after each step, two at once, and while a
//! server holds the old keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;
use ulid::Ulid;

use super::rotation::{Began, Rotation};
use crate::audit::Actor;
use crate::call::Fact;
use crate::config::Config;
use crate::consent::{DataKey, RecordingPermit};
use crate::ids::{CallId, RecordingId};
use crate::server::keys;
use crate::settings::Language;
use crate::store::{AuditFilter, Change, Filter, RecordingChange, RecordingRow, Store};
use crate::time::{Clock, Timestamp};
use crate::vault::{KekId, Keyring, WrappedKey};

const SPOOL: &str = "01JD00000000000000000000AA";

struct Place {
    dir: TempDir,
    config: Config,
    store: Store,
    clock: Clock,
}

fn id(n: u8) -> RecordingId {
    RecordingId::new(Ulid(u128::from(n)))
}

impl Place {
    /// A database with the call that recordings are of.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().to_owned(), ..Config::default() };
        let clock = Clock::start();
        let store = Store::open(&config.database_url(), clock).await.unwrap();
        let arrived = Fact::Arrived {
            call: CallId::new(Ulid(1)),
            at: clock.now(),
            from: None,
            dialled: "+4989100".into(),
            trunk: Some("carrier".into()),
            queue: "support".into(),
            language: Language("de".into()),
        };
        store.commit(vec![Change::Fact(arrived)]).await.unwrap();
        Self { dir, config, store, clock }
    }

    /// Opens the keys as a server does at its start.
    async fn open(&self) -> Keyring {
        keys::open(&self.config, &self.store, self.clock.now(), Actor::System).await.unwrap()
    }

    async fn arm(&self, keyring: &Keyring, n: u8) {
        let permit = RecordingPermit::for_test(id(n), DataKey::new([n; 32]));
        keys::arm(&self.store, keyring, &permit, (SPOOL, "pcm16"), self.clock.now()).await.unwrap();
    }

    fn rotation(&self, keyring: &Keyring) -> Rotation {
        Rotation::new(
            self.store.clone(),
            keyring.clone(),
            Actor::User("ada".into()),
            self.clock,
            Duration::ZERO,
        )
    }

    async fn rows(&self) -> Vec<RecordingRow> {
        let all = Filter { limit: 10_000, ..Filter::default() };
        self.store.recordings(&all).await.unwrap()
    }

    /// Every recording opens with these keys, and its row says by which.
    async fn all_open(&self, keyring: &Keyring) -> BTreeMap<String, usize> {
        let mut by = BTreeMap::new();
        for row in self.rows().await {
            let Some(wrapped) = row.wrapped_key else { continue };
            let wrapped = WrappedKey(wrapped.0);
            let key = keyring.unwrap(row.id, &wrapped).unwrap();
            let n = (1..=u8::MAX).find(|n| id(*n) == row.id).expect("one of ours");
            assert_eq!(key.bytes(), &[n; 32]);
            assert_eq!(row.kek, wrapped.kek().map(|kek| kek.to_string()), "row and key agree");
            *by.entry(row.kek.unwrap_or_default()).or_default() += 1;
        }
        by
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join("vault.key")
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(self.key_file()).unwrap().lines().count()
    }

    /// One key is left, and it is the one that all recordings are sealed with.
    async fn is_rotated(&self, old: &KekId, recordings: usize) {
        let keyring = self.open().await;
        let current = keyring.current();
        assert_ne!(&current, old);
        assert_eq!(self.all_open(&keyring).await, BTreeMap::from([(current.to_string(), recordings)]));
        assert_eq!(self.lines(), 1, "the old key is gone");
        assert!(!keyring.holds(old));
        let states: Vec<&str> = self.store.keks().await.unwrap().iter().map(|kek| kek.state.word()).collect();
        assert_eq!(states.iter().filter(|state| **state == "current").count(), 1, "{states:?}");
        assert!(!states.contains(&"retiring"), "{states:?}");
    }

    async fn audited(&self, action: &str) -> Vec<(String, String, String)> {
        let filter = AuditFilter { action: Some(action.to_owned()), limit: 1_000, ..AuditFilter::default() };
        let rows = self.store.audit(&filter).await.unwrap();
        let text = |row: &crate::audit::Row| {
            row.new.as_ref().and_then(|new| new.text().map(str::to_owned)).unwrap_or_default()
        };
        rows.iter().map(|row| (row.who.to_string(), row.what.id.clone(), text(row))).collect()
    }
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_says_who_did_it() {
    let place = Place::new().await;
    let keyring = place.open().await;
    let old = keyring.current();
    for n in 1..=250 {
        place.arm(&keyring, n).await;
    }
    let gone = RecordingChange::Destroyed {
        id: id(7),
        at: place.clock.now(),
        rule: "withdrawn".into(),
        why: "consent withdrawn".into(),
        by: Actor::Caller,
    };
    place.store.commit(vec![Change::Recording(gone)]).await.unwrap();
    let mut told = Vec::new();
    let (began, resealed, retired) =
        place.rotation(&keyring).run(&mut |done, all| told.push((done, all))).await.unwrap();
    assert_eq!(began, Began::New(keyring.current()));
    assert_eq!((resealed.done, resealed.stuck, retired), (249, 0, vec![old.clone()]));
    assert_eq!((told.first(), told.last()), (Some(&(0, 249)), Some(&(249, 249))));
    assert!(told.len() > 2, "it moves on the way: {told:?}");
    place.is_rotated(&old, 249).await;
    let new = keyring.current().to_string();
    let ada = |id: &str, text: String| vec![("user ada".to_owned(), id.to_owned(), text)];
    assert_eq!(
        place.audited("kek.resealed").await,
        ada(old.as_str(), format!("249 recordings' keys by {new}"))
    );
    assert_eq!(place.audited("kek.retired").await, ada(old.as_str(), "retired".to_owned()));
    assert_eq!(place.audited("kek.removed").await, ada(old.as_str(), "from the key file".to_owned()));
    assert_eq!(place.audited("kek.made").await[0], ("user ada".to_owned(), new, "file".to_owned()));
    place.store.verify_audit(|_, _| {}).await.unwrap();
}

#[tokio::test]
async fn whatever_step_a_crash_comes_after_the_next_rotation_ends_it() {
    for steps in 0..=5 {
        let place = Place::new().await;
        let keyring = place.open().await;
        let old = keyring.current();
        for n in 1..=9 {
            place.arm(&keyring, n).await;
        }
        let rotation = place.rotation(&keyring);
        let mut new = None;
        if steps == 1 {
            // The key is in the file, and the database does not know it.
            new = Some(rotation.prepare().await.unwrap());
        }
        if steps >= 2 {
            rotation.begin().await.unwrap();
            new = Some(keyring.current());
        }
        if steps == 3 {
            // Some rows are sealed anew, some are not.
            rotation.reseal(&old, &mut |_, _| {}).await.unwrap();
            let stale = place.open().await;
            for n in 10..=12 {
                place.arm(&stale, n).await;
            }
        }
        if steps >= 4 {
            rotation.reseal(&old, &mut |_, _| {}).await.unwrap();
            assert!(rotation.retire(&old).await.unwrap());
        }
        drop((rotation, keyring));
        // A server starts on what the crash left, and records.
        let server = place.open().await;
        place.all_open(&server).await;
        place.arm(&server, 100).await;
        if steps == 5 {
            assert_eq!(place.rotation(&server).tidy().await.unwrap(), std::slice::from_ref(&old));
        }
        let (began, _, _) = place.rotation(&place.open().await).run(&mut |_, _| {}).await.unwrap();
        match (steps, new) {
            (1, Some(new)) => assert_eq!(began, Began::New(new), "the key that waited is taken"),
            (2 | 3, Some(new)) => assert_eq!(began, Began::Resumed(new), "no second key is made"),
            (_, _) => assert!(matches!(began, Began::New(_)), "{steps}: {began:?}"),
        }
        keys::follow(&place.store, &server).await.unwrap();
        let recordings = if steps == 3 { 13 } else { 10 };
        place.is_rotated(&old, recordings).await;
    }
}

#[tokio::test]
async fn nothing_is_sealed_with_a_key_that_a_server_did_not_see_go() {
    let place = Place::new().await;
    let (server, operator) = (place.open().await, place.open().await);
    let old = server.current();
    place.arm(&server, 1).await;
    let rotation = place.rotation(&operator);
    rotation.begin().await.unwrap();
    // The server has not noticed: what it seals is sealed with the old key, which stays for that long.
    assert_eq!(server.current(), old);
    rotation.reseal(&old, &mut |_, _| {}).await.unwrap();
    place.arm(&server, 2).await;
    assert!(!rotation.retire(&old).await.unwrap(), "recording 2 needs it");
    place.all_open(&operator).await;
    rotation.reseal(&old, &mut |_, _| {}).await.unwrap();
    assert!(rotation.retire(&old).await.unwrap());
    // It still has not noticed: the database refuses, the server looks, and the row is there all the same.
    assert_eq!(server.current(), old);
    place.arm(&server, 3).await;
    assert_eq!(server.current(), operator.current());
    rotation.tidy().await.unwrap();
    place.is_rotated(&old, 3).await;
    place.all_open(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rotations_at_once_and_calls_that_come_in() {
    let place = Place::new().await;
    let server = place.open().await;
    let old = server.current();
    for n in 1..=120 {
        place.arm(&server, n).await;
    }
    let (one, two) = (place.open().await, place.open().await);
    let (one, two) = (place.rotation(&one), place.rotation(&two));
    let calls = async {
        for n in 121..=200 {
            place.arm(&server, n).await;
        }
        keys::follow(&place.store, &server).await.unwrap();
    };
    let (mut silent, mut still) = (|_, _| {}, |_, _| {});
    let (first, second, ()) = tokio::join!(one.run(&mut silent), two.run(&mut still), calls);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.1.stuck, second.1.stuck), (0, 0));
    place.all_open(&place.open().await).await;
    // Whatever the two left to each other, a third one finds all in order.
    place.rotation(&place.open().await).run(&mut |_, _| {}).await.unwrap();
    place.is_rotated(&old, 200).await;
}

#[tokio::test]
async fn rows_of_an_older_sayso_are_taken_along_and_what_does_not_open_stays() {
    let place = Place::new().await;
    let keyring = place.open().await;
    let old = keyring.current();
    for n in 1..=4 {
        place.arm(&keyring, n).await;
    }
    let path = place.config.database_url();
    let mut by_hand = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let unnamed = format!("UPDATE recordings SET kek = NULL WHERE id = '{}'", id(1));
    by_hand.execute(sqlx::AssertSqlSafe(unnamed)).await.unwrap();
    // The key of 3 under the name of 2: whoever swaps keys in the database gains nothing.
    let swapped = format!(
        "UPDATE recordings SET wrapped_key = (SELECT wrapped_key FROM recordings WHERE id = '{}') WHERE id = '{}'",
        id(3),
        id(2)
    );
    by_hand.execute(sqlx::AssertSqlSafe(swapped)).await.unwrap();
    let (_, resealed, retired) = place.rotation(&keyring).run(&mut |_, _| {}).await.unwrap();
    assert_eq!((resealed.done, resealed.stuck), (3, 1));
    assert_eq!(retired, [], "2 keeps the old key in use");
    assert_eq!(place.lines(), 2);
    let destroyed = RecordingChange::Destroyed {
        id: id(2),
        at: Timestamp::from_micros(5),
        rule: "operator".into(),
        why: "cannot be opened".into(),
        by: Actor::System,
    };
    place.store.commit(vec![Change::Recording(destroyed)]).await.unwrap();
    let (began, _, retired) = place.rotation(&keyring).run(&mut |_, _| {}).await.unwrap();
    assert_eq!((began, retired), (Began::Resumed(keyring.current()), vec![old.clone()]));
    place.is_rotated(&old, 3).await;
}
