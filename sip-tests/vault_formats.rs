//! Recordings of real calls in every format, as they are exported and as they lie in a bucket whose store encrypts:
//! files that any player opens, with what both said.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::harness::audio::{RATE, channels, clips, find, read};
use crate::harness::server::Server;
use crate::harness::shared;
use crate::harness::vault::{
    ALWAYS, Kept, Line, Words, assert_only_what_is_stored, settings, settled, start, text, wait,
};

const SETTLED: Duration = Duration::from_secs(60);
/// The share of windows that may slip on a busy machine: how exactly time is kept is judged elsewhere.
const SLIPS: f64 = 0.1;

/// Speech, so that lossy codecs have something to keep.
fn speech(server: &Server) -> (Words, Vec<Value>) {
    let voice = |path: &Path| Arc::new(read(path));
    let talk = Line::ringing(server, 0, "+4930555001").talk([voice(&clips().caller), voice(&clips().agent)]);
    talk.lasts(8.0);
    let words = talk.hang_up();
    let rows = settled(server, SETTLED);
    assert_eq!((rows.len(), text(&rows[0], "state").as_str()), (1, "stored"), "{rows:#?}");
    (words, rows)
}

/// Both channels hold what was said, as alike as the format allows.
fn assert_speech(words: &Words, both: &[Vec<i16>], alike: f64) {
    let [caller, agent] = both else { panic!("a stereo file: {} channels", both.len()) };
    assert_eq!(caller.len(), agent.len(), "channels of one length");
    // Capture begins between two packets: the first 20 ms may be half silence. One stops talking before the other.
    let talk = RATE / 50..caller.len() - RATE / 10;
    find(&caller[talk.clone()], &words.said[0]).assert("channel 0 is the caller", 8, alike, SLIPS);
    find(&agent[talk], &words.said[1]).assert("channel 1 is the agent", 8, alike, SLIPS);
}

/// Any WAV as PCM, made by a player that is not ours.
fn pcm(path: &Path) -> PathBuf {
    let out = path.with_extension("pcm.wav");
    let status = Command::new("sox").arg(path).args(["-b", "16", "-e", "signed-integer"]).arg(&out).status();
    assert!(status.is_ok_and(|status| status.success()), "sox does not play {}", path.display());
    out
}

/// Length and bytes of the only recording, format by format.
fn recorded(format: &str) -> (Server, Words, Value, u64) {
    let server = start(
        &settings(1, |_| ALWAYS.to_owned()),
        &Kept::Folder.config(&format!("format = \"{format}\""), ""),
    );
    let (words, rows) = speech(&server);
    assert_only_what_is_stored(&server, &Kept::Folder, &rows, ".rec");
    let name = Kept::Folder.names(&server).remove(0);
    let bytes = std::fs::metadata(server.dir.path().join("data/vault/objects").join(name))
        .expect("it is there")
        .len();
    let row = rows[0].clone();
    let samples = row["samples"].as_u64().expect("a length");
    // Bytes for a second of both channels.
    let rate = bytes * RATE as u64 / samples;
    eprintln!("{format}: {samples} samples, {bytes} bytes sealed, {rate} bytes a second");
    (server, words, row, rate)
}

#[test]
fn pcm_is_kept_as_it_was_heard() {
    let _machine = shared();
    let (server, words, row, rate) = recorded("pcm16");
    assert!((32_000..33_000).contains(&rate), "{rate} bytes a second");
    assert_speech(&words, &channels(&server.export(&text(&row, "id"))), 0.99);
}

#[test]
fn g711_takes_half() {
    let _machine = shared();
    for format in ["ulaw", "alaw"] {
        let (server, words, row, rate) = recorded(format);
        assert!((16_000..16_500).contains(&rate), "{format}: {rate} bytes a second");
        let exported = server.export(&text(&row, "id"));
        assert_speech(&words, &channels(&pcm(&exported)), 0.99);
    }
}

#[test]
fn opus_is_made_after_the_call() {
    let _machine = shared();
    let (server, words, row, rate) = recorded("opus");
    assert!((1_000..12_000).contains(&rate), "{rate} bytes a second");
    let out = server.dir.path().join("out.ogg");
    let output = server.try_export(&text(&row, "id"), &out);
    assert!(output.status.success(), "{}", crate::harness::server::text(&output));
    let both = opus(&std::fs::read(&out).expect("the file"));
    assert_eq!(both[0].len() as u64, row["samples"].as_u64().expect("a length"), "as long as what was said");
    assert_speech(&words, &both, 0.9);
}

/// Plays an Ogg Opus file (RFC 7845) with libopus at 8 kHz, by what its header says.
fn opus(file: &[u8]) -> [Vec<i16>; 2] {
    let mut packets = ogg::PacketReader::new(std::io::Cursor::new(file));
    let head = packets.read_packet_expected().expect("a first packet").data;
    assert_eq!((&head[..8], head[8] >> 4, head[9]), (&b"OpusHead"[..], 0, 2), "two channels");
    let skip = usize::from(u16::from_le_bytes([head[10], head[11]])) / 6;
    let (streams, coupled, mapping) =
        if head[18] == 0 { (1, 1, &[0, 1][..]) } else { (head[19], head[20], &head[21..23]) };
    assert_eq!(coupled, 0, "the two who speak are coded apart");
    let mut decoder =
        opus::MSDecoder::new(8_000, streams, coupled, mapping).expect("libopus takes the header");
    let tags = packets.read_packet_expected().expect("tags").data;
    assert!(tags.starts_with(b"OpusTags"));
    let (mut both, mut end) = ([Vec::new(), Vec::new()], 0);
    while let Some(packet) = packets.read_packet().expect("an Ogg file") {
        let mut pcm = [0; 960 * 2];
        let decoded = decoder.decode(&packet.data, &mut pcm, false).expect("an Opus packet");
        for frame in pcm[..2 * decoded].chunks_exact(2) {
            both[0].push(frame[0]);
            both[1].push(frame[1]);
        }
        end = end.max(packet.absgp_page());
    }
    // The last page's position says where the audio ends, in samples at 48 kHz, what is skipped included.
    let end = usize::try_from(end / 6).expect("a length");
    both.map(|channel| channel[skip..end].to_vec())
}

/// For those whose other tools read the bucket: the store encrypts, the object is a plain file.
#[test]
fn a_store_that_encrypts_holds_a_file_that_plays() {
    let _machine = shared();
    for (format, ending) in [("pcm16", ".wav"), ("opus", ".ogg")] {
        let kept = Kept::moto();
        let Kept::Bucket { server: store, bucket, .. } = &kept else { panic!("a bucket") };
        let vault = format!("format = \"{format}\"\nencryption = \"store\"");
        let server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config(&vault, "sse = \"s3\""));
        let (words, rows) = speech(&server);
        assert_only_what_is_stored(&server, &kept, &rows, ending);
        let name = kept.names(&server).remove(0);
        let (bytes, sse) = wait(async {
            let got = store.client().get_object().bucket(bucket).key(&name).send().await.expect("the object");
            let sse = got.server_side_encryption().map(|sse| sse.as_str().to_owned());
            (got.body.collect().await.expect("its body").to_vec(), sse)
        });
        assert_eq!(sse.as_deref(), Some("AES256"));
        let exported = server.dir.path().join(format!("out{ending}"));
        let output = server.try_export(&text(&rows[0], "id"), &exported);
        assert!(output.status.success(), "{}", crate::harness::server::text(&output));
        assert!(std::fs::read(&exported).expect("the file") == bytes, "what is exported is what lies there");
        if ending == ".wav" {
            assert_speech(&words, &channels(&exported), 0.99);
        } else {
            assert_speech(&words, &opus(&bytes), 0.9);
        }
    }
}
