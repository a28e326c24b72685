//! The sealed file, as a store or a crash may give it back: octets that are anything, and files whose chunks are sealed
//! with the right key but hold what the fuzzer says, so that what lies behind the cipher is reached, too. The format is
//! written here once more, from its description.
//!
//! The first octet says how the file is read (bit 0: salvaged as a leftover), the second what it is made of, the third how
//! long its chunks are. What follows is a script, cut at each `0xFF`: a piece's first octet is 0 for a chunk of audio, 1 or
//! 2 for the last chunk, 3 for a full chunk of audio, and anything else for octets as they are.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use futures_util::StreamExt as _;
use libfuzzer_sys::fuzz_target;
use sayso::consent::DataKey;
use sayso::ids::RecordingId;
use sayso::time::Clock;
use sayso::vault::objects::{Objects, ObjectsConfig};
use sayso::vault::{Format, KeySource, Keyring, Reader, Source, Vault, VaultConfig, VaultError, WrappedKey};
use tokio::runtime::{Builder, Runtime};

const KEY: [u8; 32] = [7; 32];
const ID: u128 = 7;
const NAME: &str = "recordings/fuzzed.rec";

fuzz_target!(|input: &[u8]| {
    let [how, content, chunk, script @ ..] = input else { return };
    let file = file(1 + content % 4, 4 * (1 + u32::from(chunk % 16)), script);
    let place = place();
    if how & 1 == 0 { place.read(&file) } else { place.salvage(&file) }
});

/// Where files are put to be read.
struct Place {
    runtime: Runtime,
    dir: PathBuf,
    objects: Objects,
    vault: Vault,
    wrapped: WrappedKey,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        // One for all runs, so that none leaves another behind.
        let dir = std::env::temp_dir().join("sayso-fuzz-sealed");
        fs::create_dir_all(dir.join("recordings")).expect("writable");
        let objects = ObjectsConfig::Folder { dir: dir.clone() };
        let objects = runtime.block_on(Objects::open(&objects)).expect("a folder");
        let source = KeySource { file: dir.join("vault.key"), kms: None };
        let (keys, _) = runtime.block_on(Keyring::open(source, &[], true)).expect("a key");
        let wrapped = keys.wrap(id(), &DataKey::new(KEY));
        let config = VaultConfig { dir: dir.join("vault"), format: Format::Pcm16, reserve: 0 };
        let vault = Vault::open(config, keys, Clock::start()).expect("a vault");
        Place { runtime, dir, objects, vault, wrapped }
    })
}

impl Place {
    /// What opens is of the length it says, and any part of it is that part of the whole.
    fn read(&self, file: &[u8]) {
        fs::write(self.dir.join(NAME), file).expect("writable");
        let (objects, name) = (self.objects.clone(), NAME.to_owned());
        let source = Source::Object { objects, name, bytes: file.len() as u64 };
        self.runtime.block_on(async {
            let reader = match Reader::open(source, id(), DataKey::new(KEY), None).await {
                Ok(reader) => reader,
                Err(error) => return drop(error.to_string()),
            };
            let bytes = reader.info().bytes;
            let Ok(whole) = all(&reader, 0..u64::MAX).await else { return };
            assert_eq!(whole.len() as u64, bytes);
            let part = bytes / 3..bytes - bytes / 5;
            let expected = &whole[part.start as usize..part.end as usize];
            assert_eq!(all(&reader, part).await.expect("it was read before"), expected);
        });
    }

    /// What is salvaged is whole then; what is not is left as it was.
    fn salvage(&self, file: &[u8]) {
        let part = self.vault.spool_dir().join(format!("{}.part", id()));
        fs::write(&part, file).expect("writable");
        match self.vault.salvage(id(), &self.wrapped) {
            Ok(finished) => {
                let spooled =
                    self.vault.spooled(id()).expect("it can be looked at").expect("it is in its place");
                let opened =
                    Reader::open(Source::Spool(spooled), id(), DataKey::new(KEY), Some(finished.samples));
                let reader = self.runtime.block_on(opened).expect("it opens");
                let whole = self.runtime.block_on(all(&reader, 0..u64::MAX)).expect("it is whole");
                assert_eq!(whole.len() as u64, reader.info().bytes);
            }
            Err(_) => {
                assert!(fs::read(&part).is_ok_and(|left| left == file), "a file that is refused is changed")
            }
        }
        self.vault.destroy(id()).expect("it is removed");
    }
}

async fn all(reader: &Reader, range: std::ops::Range<u64>) -> Result<Vec<u8>, VaultError> {
    let mut all = Vec::new();
    let mut stream = reader.stream(range);
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

fn id() -> RecordingId {
    format!("{ID:026}").parse().expect("an id")
}

fn file(content: u8, chunk: u32, script: &[u8]) -> Vec<u8> {
    let mut header = b"SAYSOREC".to_vec();
    header.extend_from_slice(&[2, content, 2, 0, 0x40, 0x1F, 0, 0]);
    header.extend_from_slice(&ID.to_be_bytes());
    header.extend_from_slice(&[9; 7]);
    header.push(0);
    header.extend_from_slice(&chunk.to_le_bytes());
    header.extend_from_slice(&[0; 12]);
    let drawn = Salt::new(HKDF_SHA256, b"SAYSOREC").extract(&KEY);
    let key = drawn.expand(&[&header], &AES_256_GCM).map(UnboundKey::from).expect("short enough");
    let (key, mut file, mut counter) = (LessSafeKey::new(key), header.clone(), 0u32);
    for piece in script.split(|octet| *octet == 0xFF) {
        let Some((kind, rest)) = piece.split_first() else { continue };
        let (kind, mut text) = match kind {
            0..=2 => (*kind, rest.to_vec()),
            3 => (0, vec![rest.first().copied().unwrap_or(0); chunk as usize]),
            _ => {
                file.extend_from_slice(rest);
                continue;
            }
        };
        let mut nonce = [9; 12];
        nonce[7..11].copy_from_slice(&counter.to_be_bytes());
        nonce[11] = kind;
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(&header), &mut text).expect("short enough");
        let length = u32::try_from(text.len()).expect("inputs are short").to_le_bytes();
        file.push(kind);
        file.extend_from_slice(&length[..3]);
        file.extend_from_slice(&text);
        if kind != 0 {
            file.extend_from_slice(&length);
        }
        counter += 1;
    }
    file
}
