use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use super::*;
use crate::media::tap::{Gap, Missing};

/// A disk with room for so many bytes.
struct Full {
    file: File,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.file.write(&bytes[..bytes.len().min(self.room)])?;
        self.room -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Part for Full {
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// A disk that stands still until told to go on.
struct Still {
    file: File,
    go: Arc<Mutex<mpsc::Receiver<()>>>,
    header: bool,
}

impl Write for Still {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.header, false) {
            return self.file.write(bytes);
        }
        let _ = self.go.lock().unwrap().recv(); // an error: it goes on for good
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Part for Still {
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn a_disk_that_stands_still_is_noticed_and_nothing_begins_on_it() {
    let mut place = Place::new();
    let (go, goes) = mpsc::channel();
    let goes = Arc::new(Mutex::new(goes));
    place.vault.through = Box::new(move |file| Box::new(Still { file, go: Arc::clone(&goes), header: true }));
    let (mut spool, ending) = place.vault.begin(&place.permit(1)).unwrap();
    let samples = put(&mut spool, &[vec![3; CHUNK as usize * 2]]);
    let deadline = place.vault.clock.now() + std::time::Duration::from_secs(60);
    let later = |vault: &Vault| vault.clock.now() + pulse::STILL;
    while !place.vault.stands_still(later(&place.vault)) {
        assert!(place.vault.clock.now() < deadline, "the writer never came to the chunk");
        std::thread::yield_now();
    }
    assert!(!place.vault.stands_still(place.vault.clock.now()), "it has only just begun");
    place.vault.pulse.begins(place.vault.clock.now() - pulse::STILL);
    assert!(matches!(place.vault.begin(&place.permit(2)), Err(VaultError::Still(_))));
    assert!(!place.part(place.permit(2).id()).exists());
    drop(go);
    Box::new(spool).finish(End { samples, ..End::default() });
    assert_eq!(ending.blocking_recv().unwrap().unwrap().samples, samples, "nothing is lost");
    place.vault.begin(&place.permit(3)).unwrap();
}

#[test]
fn a_full_disk_fails_its_recording_loudly_and_no_other() {
    let mut place = Place::new();
    place.vault.through = Box::new(|file| Box::new(Full { file, room: 12_000 }));
    let unlucky = place.permit(1);
    let (mut failing, failed) = place.vault.begin(&unlucky).unwrap();
    let nothing = place.permit(3);
    place.vault.through = Box::new(|file| Box::new(Full { file, room: 100 }));
    let (mut empty, none) = place.vault.begin(&nothing).unwrap();
    place.vault.through = Box::new(|file| Box::new(file));
    let (mut well, ended) = place.vault.begin(&place.permit(2)).unwrap();

    let truth = chunks(5);
    for spool in [&mut failing, &mut empty, &mut well] {
        put(spool, &truth);
    }
    // It is known at once, not only at the end; what still comes is dropped.
    let error = failed.blocking_recv().unwrap().expect_err("the disk is full");
    assert!(matches!(&error, VaultError::WriteFailed { samples, source, .. }
        if *samples == 2 * CHUNK && source.kind() == io::ErrorKind::StorageFull));
    assert!(error.to_string().contains("salvage"), "{error}");
    put(&mut failing, &[]);
    Box::new(failing).finish(End { samples: 5 * CHUNK, ..End::default() });
    Box::new(well).finish(End { samples: 5 * CHUNK, ..End::default() });
    assert_eq!(ended.blocking_recv().unwrap().unwrap().samples, 5 * CHUNK);

    // What was written can be saved, without a restart; where nothing was, nothing is left.
    let key = place.vault.wrap(&unlucky);
    assert_eq!(place.vault.leftovers().unwrap(), [unlucky.id()]);
    assert_eq!(place.vault.salvage(unlucky.id(), &key).unwrap().samples, 2 * CHUNK);
    let (caller, _) = place.pcm(unlucky.id(), &key).unwrap();
    assert_eq!(caller, channels(&truth[..2]).0);
    assert!(none.blocking_recv().unwrap().is_err());
    assert!(!place.part(nothing.id()).exists());
    drop(empty);
}

#[test]
fn a_disk_full_at_the_header_is_an_error_of_begin() {
    let mut place = Place::new();
    place.vault.through = Box::new(|file| Box::new(Full { file, room: 10 }));
    let permit = place.permit(1);
    assert!(matches!(place.vault.begin(&permit).map(|_| ()), Err(VaultError::Io { .. })));
    assert!(place.vault.leftovers().unwrap().is_empty());
}

#[test]
fn a_disk_that_stands_still_costs_marked_silence_not_memory() {
    let mut place = Place::new();
    let (go, wait) = mpsc::channel();
    let wait = Arc::new(Mutex::new(wait));
    place.vault.through = Box::new(move |file| Box::new(Still { file, go: Arc::clone(&wait), header: true }));
    let permit = place.permit(1);
    let (mut spool, ending) = place.vault.begin(&permit).unwrap();
    let chunk = |n: u64| Chunk { start: n * 10, samples: vec![n as i16 + 1; 20] };
    let taken = (0..100_000).take_while(|n| spool.put(chunk(*n)).is_ok()).count() as u64;
    assert!((8_000..10_000).contains(&taken), "bounded: {taken} chunks");
    // While the disk stands still the call goes on; then the disk comes back, and so does sound.
    drop(go);
    let mut after = taken + 50;
    while spool.put(chunk(after)).is_err() {
        after += 1;
        std::thread::yield_now();
    }
    let gap = Gap { start: taken * 10, len: (after - taken) * 10, why: Missing::Backlog, channel: None };
    let samples = (after + 7) * 10;
    Box::new(spool).finish(End { samples, gaps: vec![gap], unlisted: 0 });
    let finished = ending.blocking_recv().unwrap().unwrap();
    assert_eq!((finished.samples, finished.gaps), (samples, vec![gap]));
    let (caller, agent) = place.pcm(permit.id(), &place.vault.wrap(&permit)).unwrap();
    assert_eq!(caller, agent);
    let heard = |n: u64| caller[n as usize * 10];
    assert_eq!(caller.len() as u64, samples);
    assert!((0..taken).all(|n| heard(n) == n as i16 + 1));
    assert!((taken..after).all(|n| heard(n) == 0), "silence where there was no room");
    assert_eq!((heard(after), heard(after + 1)), (after as i16 + 1, 0));
}

#[test]
fn the_key_file_is_made_once_and_kept_from_others() {
    let place = Place::new();
    let kek = place.path("keys/kek");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kek), 0o600);
    assert_eq!(fs::read_dir(place.path("keys")).unwrap().count(), 1, "no draft is left");
    let text = fs::read_to_string(&kek).unwrap();
    let place = place.restart();
    assert_eq!(fs::read_to_string(&kek).unwrap(), text);
    let (finished, _) = place.record(1, &chunks(1));
    assert_eq!(mode(&place.rec(finished.id)), 0o600);
    assert_eq!(mode(&place.path("vault/spool")), 0o700);

    let Place { dir, vault } = place;
    drop(vault);
    for open_to in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&kek, fs::Permissions::from_mode(open_to)).unwrap();
        let error = open(&dir).map(|_| ()).expect_err("others can reach it");
        assert!(matches!(error, VaultError::KeyExposed { mode, .. } if mode == open_to));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    for nonsense in ["", "\n", "zz", &text[..60], &format!("{text}{text}"), &format!("{text}\n{text}")] {
        fs::write(&kek, nonsense).unwrap();
        assert!(matches!(open(&dir).map(|_| ()), Err(VaultError::KeyInvalid { .. })), "{nonsense:?}");
    }
    fs::remove_file(&kek).unwrap();
    assert!(matches!(open(&dir).map(|_| ()), Err(VaultError::KeyMissing { .. })));
    assert!(!kek.exists(), "no new key where the old one is needed");
}
