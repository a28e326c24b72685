//! A vault beside the database, and answers that are bytes.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use ulid::Ulid;

use super::super::Archive;
use super::*;
use crate::audit::Actor;
use crate::call::Fact;
use crate::consent::{Basis, DataKey, RecordingPermit};
use crate::ids::{PhoneNumber, RecordingId};
use crate::jobs::{self, Alarms};
use crate::media::tap::{CHUNK, Chunk, ChunkSink as _, End};
use crate::settings::Language;
use crate::store::{KekChange, KekProvider, RecordingChange, Store, StoredObject};
use crate::time::Clock;
use crate::vault::objects::{About, Content, ObjectClass, Objects, ObjectsConfig};
use crate::vault::{Format, KeySource, Keyring, Signer, Vault, VaultConfig};

const PATIENCE: Duration = Duration::from_secs(20);

/// A vault with a folder for its objects.
pub(in crate::api) struct Kept {
    pub(in crate::api) archive: Archive,
    pub(in crate::api) signer: Arc<Signer>,
    store: Store,
    objects: PathBuf,
    woken: Arc<AtomicUsize>,
}

impl Kept {
    pub(super) async fn open(dir: &Path, store: &Store, listening_reason: bool) -> Self {
        let source = KeySource { file: dir.join("vault.key"), kms: None };
        let (keys, new) = Keyring::open(source, &[], true).await.unwrap();
        let id = new.unwrap().id.to_string();
        let (provider, by) = (KekProvider::File, Actor::System);
        let made = KekChange::Made { id, provider, wrapped: None, at: START, by };
        store.commit(vec![Change::Kek(made)]).await.unwrap();
        let config = VaultConfig { dir: dir.join("vault"), format: Format::Pcm16, reserve: 0 };
        let vault = Arc::new(Vault::open(config, keys, Clock::start()).unwrap());
        store.of_node(vault.spool_id());
        let objects = dir.join("objects");
        let signer = Arc::new(Signer::open(&dir.join("signing.key"), true).unwrap());
        let woken = Arc::new(AtomicUsize::new(0));
        let archive = Archive {
            vault,
            objects: Objects::open(&ObjectsConfig::Folder { dir: objects.clone() }).await.unwrap(),
            signer: Arc::clone(&signer),
            alarms: Alarms::new(store.clone(), Clock::start()),
            wake: {
                let woken = Arc::clone(&woken);
                Arc::new(move || {
                    woken.fetch_add(1, Ordering::SeqCst);
                })
            },
            clock: Clock::start(),
            listening_reason,
        };
        let arrived = Fact::Arrived {
            call: id_of_call(),
            at: START,
            from: PhoneNumber::parse("+49301234567", None),
            dialled: "+4930100".into(),
            trunk: None,
            queue: "support".into(),
            language: Language("en".into()),
        };
        store.commit(vec![Change::Fact(arrived)]).await.unwrap();
        Self { archive, signer, store: store.clone(), objects, woken }
    }

    /// How often the jobs were woken.
    pub(in crate::api) fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    /// A recording that is armed and no more.
    pub(in crate::api) async fn arm(&self, n: u128) -> RecordingId {
        self.permit(n).await.id()
    }

    async fn permit(&self, n: u128) -> RecordingPermit {
        let vault = &self.archive.vault;
        let id = RecordingId::new(Ulid::from_parts(u64::try_from(START.as_micros() / 1_000).unwrap(), n));
        let permit = RecordingPermit::for_test(id, DataKey::new([n as u8; 32]));
        let armed = RecordingChange::Armed {
            id,
            call: id_of_call(),
            basis: Basis::Agreed(START),
            wrapped_key: vault.wrap(&permit).0,
            kek: vault.keyring().current().to_string(),
            spool: vault.spool_id().to_owned(),
            format: "pcm16".into(),
            at: START,
        };
        self.store.commit(vec![Change::Recording(armed)]).await.unwrap();
        permit
    }

    /// A recording of so many samples, whole in the spool.
    pub(in crate::api) async fn record(&self, n: u128, samples: usize) -> RecordingId {
        let permit = self.permit(n).await;
        let id = permit.id();
        let (mut spool, ending) = self.archive.vault.begin(&permit).unwrap();
        let started = RecordingChange::Started { id, at: START };
        self.store.commit(vec![Change::Recording(started)]).await.unwrap();
        let step = CHUNK as usize;
        for start in (0..samples).step_by(step) {
            let mut chunk = spool.buffer();
            chunk.clear();
            let end = (start + step).min(samples);
            chunk.extend((start * 2..end * 2).map(|n| (n * 7_919 % 30_011) as i16));
            // A writer that lags takes no more for a moment.
            let mut chunk = Some(Chunk { start: start as u64, samples: chunk });
            while let Some(full) = chunk.take() {
                match spool.put(full) {
                    Ok(()) => {}
                    Err(back) => {
                        tokio::task::yield_now().await;
                        chunk = Some(back);
                    }
                }
            }
        }
        Box::new(spool).finish(End { samples: samples as u64, ..End::default() });
        let file = jobs::file(&ending.await.unwrap().unwrap());
        let finished = RecordingChange::Finished { id, at: START, file };
        self.store.commit(vec![Change::Recording(finished)]).await.unwrap();
        id
    }

    /// What it is in the clear, by the vault's own reader.
    pub(in crate::api) async fn wav(&self, id: RecordingId) -> Vec<u8> {
        let row = self.store.recording(id).await.unwrap().unwrap();
        let audio =
            crate::export::Audio::open(&row, &self.archive.vault, &self.archive.objects).await.unwrap();
        let wav = audio.read().await.unwrap();
        assert_eq!(&wav[..4], b"RIFF");
        assert_eq!(wav.len() as u64, audio.length());
        wav
    }

    /// It moves to the object store, as its job does it.
    pub(in crate::api) async fn store_away(&self, id: RecordingId) {
        let file = self.archive.vault.spooled(id).unwrap().unwrap();
        self.put(id, &file, "rec", "sealed").await;
    }

    /// The same, in the clear.
    pub(in crate::api) async fn store_plain(&self, id: RecordingId) {
        let row = self.store.recording(id).await.unwrap().unwrap();
        let key = crate::vault::WrappedKey(row.wrapped_key.unwrap().0);
        let file = self.archive.vault.plain(id, &key).await.unwrap();
        self.put(id, &file, "wav", "store").await;
    }

    async fn put(&self, id: RecordingId, file: &dyn Content, ending: &str, encryption: &str) {
        let vault = &self.archive.vault;
        let name = format!("recordings/2026/11/22/{id}.{ending}");
        let about = About {
            recording: id,
            sha256: None,
            content_type: "application/octet-stream",
            class: ObjectClass::Recording,
        };
        let put = self.archive.objects.put(&name, file, &about).await.unwrap();
        let object = StoredObject {
            place: "a folder".to_owned(),
            name,
            version: put.version,
            bytes: put.bytes,
            checksum: put.checksum,
            encryption: encryption.into(),
        };
        let stored = RecordingChange::Stored { id, at: START, object };
        self.store.commit(vec![Change::Recording(stored)]).await.unwrap();
        vault.let_go(id).unwrap();
    }

    /// One bit of its object turns.
    pub(in crate::api) fn damage(&self, id: RecordingId, at: u64) {
        let file = self.object(id);
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    /// Its object becomes another one.
    pub(in crate::api) fn replace(&self, id: RecordingId, bytes: &[u8]) {
        let file = self.object(id);
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    }

    /// Its object is gone.
    pub(in crate::api) fn remove(&self, id: RecordingId) {
        fs::remove_file(self.path(id)).unwrap();
    }

    fn path(&self, id: RecordingId) -> PathBuf {
        let there = |ending| self.objects.join(format!("recordings/2026/11/22/{id}.{ending}"));
        ["rec", "wav"].map(there).into_iter().find(|path| path.exists()).unwrap()
    }

    fn object(&self, id: RecordingId) -> fs::File {
        let path = self.path(id);
        let mut mode = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
        fs::set_permissions(&path, mode).unwrap();
        fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
    }
}

/// The only call.
fn id_of_call() -> CallId {
    super::house::id(0)
}

/// An answer of bytes.
pub(in crate::api) struct Raw {
    pub(in crate::api) status: u16,
    pub(in crate::api) headers: HashMap<String, String>,
    pub(in crate::api) body: Vec<u8>,
    /// As many bytes came as were announced.
    pub(in crate::api) whole: bool,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]).into_owned();
        write!(
            f,
            "{} {:?} {} bytes, whole: {}, {begin:?}",
            self.status,
            self.headers,
            self.body.len(),
            self.whole
        )
    }
}

impl Raw {
    /// Reads until the connection ends, however it does.
    pub(in crate::api) async fn read(mut socket: TcpStream) -> Self {
        let mut all = Vec::new();
        // An error is an end: a connection that is broken off may be reset.
        let _ended = timeout(PATIENCE, socket.read_to_end(&mut all)).await.expect("an answer in time");
        let end = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(all[..end].to_vec()).unwrap();
        let body = all.split_off(end + 4);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: HashMap<_, _> =
            fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        Self { status, headers, whole: body.len() == length, body }
    }
}
