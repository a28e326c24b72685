//! Keys against real files, the table of the database played by a list; KMS's refusals by canned answers (that it
//! works is tried against a whole KMS, end to end).

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;
use ulid::Ulid;

use super::*;
use crate::ids::Redacted;
use crate::vault::{AwsService, secret};

const OLD: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn id(n: u128) -> RecordingId {
    RecordingId::new(Ulid(n))
}

fn key(n: u8) -> DataKey {
    DataKey::new([n; 32])
}

/// A key file and what the database would know.
struct Place {
    dir: TempDir,
    known: Vec<KnownKek>,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), known: Vec::new() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("vault.key")
    }

    fn source(&self) -> KeySource {
        KeySource { file: self.file(), kms: None }
    }

    /// Opens it and registers a key that is new.
    async fn open(&mut self) -> Result<Keyring, VaultError> {
        let (ring, new) = Keyring::open(self.source(), &self.known, self.known.is_empty()).await?;
        new.into_iter().for_each(|new| self.register(new));
        Ok(ring)
    }

    /// What the database does with a new key.
    fn register(&mut self, new: NewKek) {
        self.known.iter_mut().filter(|kek| kek.state == KekState::Current).for_each(|kek| {
            kek.state = KekState::Retiring;
        });
        let NewKek { id, provider, wrapped } = new;
        self.known.push(KnownKek { id, provider, state: KekState::Current, wrapped });
    }

    fn retire(&mut self) {
        self.known.iter_mut().filter(|kek| kek.state == KekState::Retiring).for_each(|kek| {
            kek.state = KekState::Retired;
        });
    }

    fn lines(&self) -> usize {
        fs::read_to_string(self.file()).unwrap().lines().count()
    }
}

#[tokio::test]
async fn a_key_opens_for_its_own_recording_alone() {
    let ring = Place::new().open().await.unwrap();
    let wrapped = ring.wrap(id(1), &key(5));
    assert_eq!(wrapped.0.len(), 69);
    assert_eq!(wrapped.kek(), Some(ring.current()));
    assert_eq!(ring.unwrap(id(1), &wrapped).unwrap().bytes(), &[5; 32]);
    assert!(matches!(ring.unwrap(id(2), &wrapped), Err(VaultError::WrongKey(named)) if named == id(2)));
    for bit in 0..wrapped.0.len() * 8 {
        let mut changed = wrapped.clone();
        changed.0[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.unwrap(id(1), &changed).is_err(), "bit {bit}");
    }
    for length in 0..wrapped.0.len() {
        assert!(ring.unwrap(id(1), &WrappedKey(wrapped.0[..length].to_vec())).is_err());
    }
    assert_ne!(ring.wrap(id(1), &key(5)), wrapped, "each time another nonce");
}

#[tokio::test]
async fn the_file_of_one_line_and_what_it_wrapped_stay_good() {
    let mut place = Place::new();
    fs::write(place.file(), format!("{OLD}\n")).unwrap();
    fs::set_permissions(place.file(), Permissions::from_mode(0o600)).unwrap();
    let (ring, new) = Keyring::open(place.source(), &[], false).await.unwrap();
    let new = new.expect("it is to be registered");
    assert_eq!(new.id.as_str(), "6bc8d5c3c8ad56af", "(echo -n 'sayso kek'; xxd -r -p vault.key) | sha256sum");
    assert_eq!((new.provider, new.wrapped.clone()), (Provider::File, None));
    let old = Kek::new(&[1; 32]).wrap_unnamed(id(1), &key(7));
    assert_eq!((old.0.len(), old.kek()), (61, None));
    place.register(new);
    let made = ring.make(&place.known).await.unwrap();
    place.register(made);
    ring.reload(&place.known).await.unwrap();
    assert_eq!(ring.unwrap(id(1), &old).unwrap().bytes(), &[7; 32]);
    assert!(ring.unwrap(id(2), &old).is_err());
    let sealed = ring.rewrap(id(1), &old).unwrap();
    assert_eq!(sealed.kek(), Some(ring.current()));
    assert_eq!(ring.unwrap(id(1), &sealed).unwrap().bytes(), &[7; 32]);
}

#[tokio::test]
async fn a_rotation_changes_the_key_for_all_who_share_the_ring() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let sharing = ring.clone();
    let (first, old) = (ring.current(), ring.wrap(id(1), &key(1)));
    let new = ring.make(&place.known).await.unwrap();
    assert_eq!(place.lines(), 2, "it is in its place before anybody knows of it");
    assert_eq!(ring.current(), first, "and seals nothing before it is registered");
    place.register(new.clone());
    ring.reload(&place.known).await.unwrap();
    assert_eq!(sharing.current(), new.id);
    assert!(sharing.holds(&first));
    let anew = sharing.rewrap(id(1), &old).unwrap();
    assert_eq!(anew.kek(), Some(new.id.clone()));
    assert!(ring.forget(&place.known).await.unwrap().is_empty(), "nothing is retired yet");
    place.retire();
    ring.reload(&place.known).await.unwrap();
    assert!(
        matches!(sharing.unwrap(id(1), &old), Err(VaultError::KekNotHeld { kek, recording }) if kek == first && recording == id(1))
    );
    assert_eq!(ring.forget(&place.known).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(place.lines(), 1);
    assert!(ring.forget(&place.known).await.unwrap().is_empty(), "once is enough");
    let again = place.open().await.unwrap();
    assert_eq!(again.unwrap(id(1), &anew).unwrap().bytes(), &[1; 32]);
    assert!(again.unwrap(id(1), &old).is_err());
}

#[tokio::test]
async fn an_interrupted_rotation_goes_on_with_the_key_it_made() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let made = ring.make(&place.known).await.unwrap();
    // Crashed here: a server starts, with the old key, and the next rotation takes the key that waits.
    let again = place.open().await.unwrap();
    assert_eq!(again.current(), ring.current());
    assert_eq!(again.make(&place.known).await.unwrap(), made);
    assert_eq!(place.lines(), 2);
    // Crashed while the file was being written: the draft is nobody's.
    let draft = place.dir.path().join("vault.key.new");
    fs::write(&draft, "half a k").unwrap();
    place.register(made);
    let next = again.make(&place.known).await.unwrap();
    assert!(!draft.exists());
    assert_eq!(place.lines(), 3);
    assert!(!place.known.iter().any(|kek| kek.id == next.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_lose_no_key() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let retired = place.known[0].clone();
    // Each knows what it has made itself and nothing of the others: so all of them grow the file, or take what is there.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (ring, mut known) = (ring.clone(), place.known.clone());
        tasks.spawn(async move {
            let mut made = Vec::new();
            for _ in 0..5 {
                let new = ring.make(&known).await.unwrap();
                known.push(KnownKek {
                    id: new.id.clone(),
                    provider: Provider::File,
                    state: KekState::Retiring,
                    wrapped: None,
                });
                made.push(new.id);
                if n == 0 {
                    known[0].state = KekState::Retired;
                    ring.forget(&known).await.unwrap();
                }
            }
            made
        });
    }
    let made = tasks.join_all().await.concat();
    let there: Vec<KekId> =
        file::read(&place.file()).unwrap().unwrap().iter().map(|kek| kek.id().clone()).collect();
    assert!(made.iter().all(|id| there.contains(id)), "{made:?} {there:?}");
    assert!(!there.contains(&retired.id), "the retired one is gone");
}

#[tokio::test]
async fn a_key_file_that_does_not_fit_the_database_is_refused() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let truth = fs::read_to_string(place.file()).unwrap();
    let lacking = |error: VaultError, id: KekId| {
        assert!(error.to_string().contains("restore the file from its backup"), "{error}");
        assert!(matches!(error, VaultError::KeyLacking { kek, .. } if kek == id));
    };
    // Another installation's file.
    fs::write(place.file(), format!("{OLD}\n")).unwrap();
    lacking(place.open().await.expect_err("another key"), ring.current());
    // A reload that fails changes nothing.
    let was = ring.current();
    lacking(ring.reload(&place.known).await.expect_err("another key"), was.clone());
    assert_eq!(ring.unwrap(id(1), &ring.wrap(id(1), &key(1))).unwrap().bytes(), &[1; 32]);
    assert_eq!(ring.current(), was);
    // The file after a rotation, the database from before.
    fs::write(place.file(), &truth).unwrap();
    let before = place.known.clone();
    let new = ring.make(&place.known).await.unwrap();
    place.register(new);
    ring.reload(&place.known).await.unwrap();
    place.retire();
    ring.forget(&place.known).await.unwrap();
    let error = Keyring::open(place.source(), &before, false).await.expect_err("an older database");
    lacking(error, was.clone());
    // No file, no known key that is current, a key of KMS without KMS.
    fs::remove_file(place.file()).unwrap();
    assert!(matches!(place.open().await, Err(VaultError::KeyMissing { .. })));
    assert!(matches!(Keyring::open(place.source(), &[], false).await, Err(VaultError::KeyMissing { .. })));
    assert!(!place.file().exists(), "no new key where an old one is needed");
    place.known.retain(|kek| kek.state == KekState::Retired);
    assert!(matches!(place.open().await, Err(VaultError::NoCurrentKey)));
    place.register(NewKek { id: was, provider: Provider::Kms, wrapped: Some(vec![1]) });
    let error = place.open().await.expect_err("no KMS");
    assert!(error.to_string().contains("[vault.kms]"), "{error}");
}

#[tokio::test]
async fn the_file_keeps_its_mode_its_owner_and_its_link() {
    let mut place = Place::new();
    let real = place.dir.path().join("elsewhere/kek");
    let ring = {
        secret::create(&real, &format!("{OLD}\n")).unwrap();
        symlink(&real, place.file()).unwrap();
        place.open().await.unwrap()
    };
    let owner = |path: &Path| fs::metadata(path).map(|about| (about.uid(), about.gid())).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&real, Some(4711), Some(4712)).unwrap();
    }
    let was = owner(&real);
    ring.make(&place.known).await.unwrap();
    assert_eq!(owner(&real), was);
    assert!(fs::symlink_metadata(place.file()).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    assert_eq!(place.lines(), 2);
    for open_to in [0o640, 0o604] {
        fs::set_permissions(&real, Permissions::from_mode(open_to)).unwrap();
        for error in [ring.make(&[]).await.map(drop), ring.reload(&place.known).await] {
            assert!(matches!(error, Err(VaultError::KeyExposed { mode, .. }) if mode == open_to));
        }
    }
}

#[tokio::test]
async fn a_key_is_never_printed() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let text = fs::read_to_string(place.file()).unwrap();
    let config = KmsConfig {
        key_id: "alias/sayso".into(),
        service: AwsService {
            credentials: Some(("AKIA".into(), Redacted("hidden".into()))),
            ..AwsService::default()
        },
    };
    let shown = format!("{ring:?} {:?} {config:?}", place.known);
    assert!(!shown.contains(text.trim()) && !shown.contains("hidden"), "{shown}");
    for wrong in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdefa", "0123456789abcdeg"] {
        assert_eq!(wrong.parse::<KekId>(), Err(BadKekId));
    }
}

/// A KMS that gives each request the next of `answers`: a status and a body of JSON.
fn canned(answers: Vec<(u16, String)>) -> KmsConfig {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        for (status, body) in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            // Requests of KMS are short: head and body in a few pieces.
            loop {
                let n = stream.read(&mut buffer).unwrap_or(0);
                seen.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&seen);
                let length = text.to_lowercase().split("content-length: ").nth(1).and_then(|rest| {
                    rest.split("\r\n").next().and_then(|digits| digits.trim().parse::<usize>().ok())
                });
                let whole =
                    text.find("\r\n\r\n").zip(length).is_some_and(|(head, n)| seen.len() >= head + 4 + n);
                if n == 0 || whole {
                    break;
                }
            }
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    KmsConfig {
        key_id: "alias/sayso".into(),
        service: AwsService {
            region: Some("eu-central-1".into()),
            endpoint,
            credentials: Some(("AKIA".into(), Redacted("hidden".into()))),
        },
    }
}

fn refusal(code: &str, message: &str) -> (u16, String) {
    (400, format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}"))
}

/// KMS's answer with a key of 32 such octets, to either request.
fn answer(octet: u8) -> (u16, String) {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let plain = BASE64_STANDARD.encode([octet; 32]);
    (200, format!("{{\"CiphertextBlob\":\"AQID\",\"Plaintext\":\"{plain}\",\"KeyId\":\"k\"}}"))
}

async fn draw_with(answers: Vec<(u16, String)>) -> Result<(Kek, Vec<u8>), KmsError> {
    Kms::new(&canned(answers)).await.draw().await
}

#[tokio::test]
async fn what_kms_refuses_is_told_with_what_to_do() {
    let (kek, wrapped) = draw_with(vec![answer(1), answer(1)]).await.unwrap();
    assert_eq!((kek.id(), wrapped), (Kek::new(&[1; 32]).id(), vec![1, 2, 3]));
    type Is = fn(&KmsError) -> bool;
    let cases: [(&str, &str, Is); 6] = [
        ("AccessDeniedException", "kms:GenerateDataKey and kms:Decrypt", |e| {
            matches!(e, KmsError::Denied { .. })
        }),
        ("UnrecognizedClientException", "check the credentials", |e| matches!(e, KmsError::Denied { .. })),
        ("DisabledException", "enable it again", |e| matches!(e, KmsError::Disabled { .. })),
        ("KMSInvalidStateException", "cancel its deletion", |e| matches!(e, KmsError::Disabled { .. })),
        ("NotFoundException", "check key-id", |e| matches!(e, KmsError::NoSuchKey { .. })),
        ("SomethingNewException", "refused", |e| matches!(e, KmsError::Refused { .. })),
    ];
    for (code, says, is) in cases {
        // At the first request, and where only Decrypt is refused.
        for answers in [vec![refusal(code, "no.")], vec![answer(1), refusal(code, "no.")]] {
            let error = draw_with(answers).await.err().expect("refused");
            assert!(is(&error) && !error.passes(), "{code}: {error:?}");
            let text = error.to_string();
            assert!(text.contains(says) && text.contains("alias/sayso") && text.contains(code), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_key_that_kms_does_not_open_as_it_was_is_refused() {
    let foreign =
        |error: Option<KmsError>| assert!(matches!(error, Some(KmsError::Foreign { .. })), "{error:?}");
    foreign(draw_with(vec![answer(1), answer(2)]).await.err());
    for code in ["InvalidCiphertextException", "IncorrectKeyException"] {
        foreign(draw_with(vec![answer(1), refusal(code, "no.")]).await.err());
    }
    let short = (200, "{\"CiphertextBlob\":\"AQID\",\"Plaintext\":\"AQID\",\"KeyId\":\"k\"}".to_owned());
    assert!(matches!(draw_with(vec![short]).await, Err(KmsError::Refused { .. })));
}

#[tokio::test]
async fn a_kms_that_is_away_is_told_apart() {
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let mut config = canned(Vec::new());
    config.service.endpoint = Some(nowhere);
    let error = Kms::new(&config).await.draw().await.err().expect("nobody is there");
    assert!(error.passes() && error.to_string().contains("cannot be reached"), "{error}");
    // Busy twice, then there: it is tried again.
    let busy = || (500, "{\"__type\":\"KMSInternalException\"}".to_owned());
    assert!(draw_with(vec![busy(), answer(1), busy(), answer(1)]).await.is_ok());
    let error = draw_with(vec![busy(), busy(), busy(), busy()]).await.err().expect("busy");
    assert!(matches!(error, KmsError::Away { .. }), "{error}");
}

#[tokio::test]
async fn from_the_file_to_kms_by_a_rotation() {
    let mut place = Place::new();
    let ring = place.open().await.unwrap();
    let (first, old) = (ring.current(), ring.wrap(id(1), &key(1)));
    // The server is started anew with [vault.kms]: no request is made before there is a key of KMS.
    let source = KeySource { kms: Some(canned(vec![answer(9), answer(9), answer(9)])), ..place.source() };
    let (ring, new) = Keyring::open(source, &place.known, false).await.unwrap();
    assert_eq!((new, ring.current(), ring.provider()), (None, first.clone(), Provider::Kms));
    let made = ring.make(&place.known).await.unwrap();
    assert_eq!((made.provider, made.wrapped.as_deref()), (Provider::Kms, Some(&[1, 2, 3][..])));
    place.register(made.clone());
    ring.reload(&place.known).await.unwrap();
    ring.reload(&place.known).await.unwrap(); // asks nobody: there is no fourth answer
    let anew = ring.rewrap(id(1), &old).unwrap();
    place.retire();
    ring.reload(&place.known).await.unwrap();
    assert!(!ring.holds(&first));
    assert_eq!(ring.unwrap(id(1), &anew).unwrap().bytes(), &[1; 32]);
    assert_eq!(ring.forget(&place.known).await.unwrap(), [first]);
    assert!(!place.file().exists(), "it holds nothing that is needed");
    let source = KeySource { kms: Some(canned(vec![answer(9)])), ..place.source() };
    let (again, _) = Keyring::open(source, &place.known, false).await.unwrap();
    assert_eq!(again.unwrap(id(1), &anew).unwrap().bytes(), &[1; 32]);
}
