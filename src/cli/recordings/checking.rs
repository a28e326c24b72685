//! `sayso recordings verify-export`: what was taken out, checked where it is. Needs no server, no database and no key.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use super::beside;
use crate::cli::out;
use crate::export::{AudioFile, Manifest, open};

/// Checks a vCon, a manifest with the file it stands beside, or such a file.
pub(super) fn run(file: &Path, key: Option<[u8; 32]>) -> anyhow::Result<ExitCode> {
    let manifest = beside(file, ".json");
    // A vCon is signed itself.
    let is_told_beside = !ends(file, "json") && !ends(file, "vcon") && manifest.exists();
    let told = if is_told_beside { &manifest } else { file };
    let name = told.display();
    let text = std::fs::read_to_string(told).with_context(|| format!("cannot read {name}"))?;
    let outer: Value =
        serde_json::from_str(&text).with_context(|| format!("{name} is neither a vCon nor a manifest"))?;
    if outer.get("payload").is_some() {
        let signed = open(&text, key).with_context(|| name.to_string())?;
        whose("vCon", signed.key, key.is_some());
        let told = |what: &str| signed.payload[what].as_str().unwrap_or_default().to_owned();
        out(format_args!("vCon       {:?}\ncreated    {:?}\n", told("uuid"), told("created_at")));
        return Ok(ExitCode::SUCCESS);
    }
    let (manifest, signer) = Manifest::open(&text, key).with_context(|| name.to_string())?;
    whose("manifest", signer, key.is_some());
    let AudioFile { file, content_type, bytes, sha256 } = &manifest.audio;
    out(format_args!(
        "recording  {:?}\nfile       {file:?} ({content_type:?}, {bytes} bytes)\n",
        manifest.recording
    ));
    compare(told, &manifest.audio)?;
    out(format_args!("SHA-256    {sha256}, and the file has it\n"));
    Ok(ExitCode::SUCCESS)
}

fn ends(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|it| it == ending)
}

fn whose(what: &str, key: [u8; 32], expected: bool) {
    let whose = if expected {
        "the expected key"
    } else {
        "a key that nobody vouches for here: compare it with the installation's own (--key)"
    };
    out(format_args!("The {what} is as it was signed, by {whose}:\n  {}\n\n", hex::encode(key)));
}

/// That the file beside a manifest is the one it tells of.
fn compare(manifest: &Path, told: &AudioFile) -> anyhow::Result<()> {
    // A foreign manifest may name anything.
    let plain = Path::new(&told.file).file_name().is_some_and(|name| name == told.file.as_str());
    ensure!(plain, "the manifest names {:?}, which is no plain file name", told.file);
    let path = manifest.with_file_name(&told.file);
    let mut file = std::fs::File::open(&path)
        .with_context(|| format!("{}, which the manifest tells of, cannot be read", path.display()))?;
    let (mut hash, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    let found = hex::encode(hash.finish());
    if found != told.sha256 {
        bail!(
            "{} is not the file that was signed: its SHA-256 is {found}, not {:?}",
            path.display(),
            told.sha256
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    /// A manifest of a file with these bytes, as an export signs it.
    fn manifest(dir: &Path, names: &str, bytes: &[u8]) -> (std::path::PathBuf, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let key = <[u8; 32]>::try_from(pair.public_key().as_ref()).unwrap();
        let sha256 = hex::encode(aws_lc_rs::digest::digest(&SHA256, bytes));
        // Keys in order and no spaces: the form that is signed.
        let told = json!({
            "audio": { "bytes": bytes.len(), "content_type": "audio/wav", "file": names, "sha256": sha256 },
            "recording": "01M80YRDQYQ7HRM7Y8VMVQJ7WW",
        });
        let signature = hex::encode(pair.sign(told.to_string().as_bytes()));
        let all = json!({
            "manifest": told, "algorithm": "Ed25519", "public_key": hex::encode(key), "signature": signature,
        });
        let path = dir.join("a.wav.json");
        std::fs::write(&path, all.to_string()).unwrap();
        (path, key)
    }

    #[test]
    fn a_manifest_and_its_file_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        let (path, key) = manifest(dir.path(), "a.wav", b"RIFF");
        assert!(run(&path, Some(key)).is_err(), "the file is not there");
        let audio = dir.path().join("a.wav");
        std::fs::write(&audio, b"RIFF").unwrap();
        for told in [&path, &audio] {
            assert!(run(told, Some(key)).is_ok() && run(told, None).is_ok());
            assert!(run(told, Some([7; 32])).is_err(), "another key");
        }
        std::fs::write(&audio, b"RIFX").unwrap();
        assert!(run(&path, Some(key)).is_err() && run(&audio, Some(key)).is_err());
        // What it names is looked for beside it and nowhere else.
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/c.wav"), b"RIFF").unwrap();
        assert!(run(&manifest(dir.path(), "b/c.wav", b"RIFF").0, Some(key)).is_err());
    }
}
