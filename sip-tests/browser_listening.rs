//! A supervisor hears a recording in a browser: a player of our origin jumps to the middle and hears what was said
//! there, and the listening log has one entry for it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::harness::audio::{RATE, tone};
use crate::harness::browser::{Look, Page};
use crate::harness::shared;
use crate::harness::vault::{ALWAYS, Kept, Line, settings, settled, start};

/// The caller's voice before and after the middle.
const BEFORE_HZ: f64 = 420.0;
const AFTER_HZ: f64 = 1_130.0;
/// When it changes, in seconds.
const CHANGE: usize = 6;

#[test]
fn a_player_jumps_to_the_middle_and_hears_the_right_place() {
    let _machine = shared();
    let lead =
        "\n[user.lead]\nrole = \"supervisor\"\npassword = \"the secret of lead\"\nmust-change = false\n";
    let server =
        start(&format!("{}{lead}", settings(1, |_| ALWAYS.to_owned())), &Kept::Folder.config("", ""));
    let mut voice = tone(BEFORE_HZ)[..CHANGE * RATE].to_vec();
    voice.extend_from_slice(&tone(AFTER_HZ)[..CHANGE * RATE]);
    let talk = Line::ringing(&server, 0, "+4930555001").talk([Arc::new(voice), Arc::new(vec![0; 12 * RATE])]);
    talk.lasts(11.5);
    talk.hang_up();
    let rows = settled(&server, Duration::from_secs(60));
    let id = rows[0]["id"].as_str().expect("an id");
    let seconds = rows[0]["samples"].as_u64().expect("a length") as f64 / RATE as f64;

    let page = Page::open(&format!("http://{}/", server.http), Look::default());
    let logged_in = page.evaluate(
        "fetch('/api/v1/session', { method: 'POST', headers: { 'X-Sayso': '1', 'Content-Type': 'application/json' },
            body: JSON.stringify({ user: 'lead', password: 'the secret of lead' }) }).then((it) => it.status)",
    );
    assert_eq!(logged_in, 200);
    // Pitch by zero crossings of the left channel.
    page.evaluate(&format!(
        "window.path = '/api/v1/recordings/{id}/audio'
         window.pitch = (samples, rate) => {{
            let crossings = 0
            for (let n = 1; n < samples.length; n += 1) if (samples[n - 1] < 0 && samples[n] >= 0) crossings += 1
            return crossings * rate / samples.length
         }}
         true"
    ));
    let player = page.evaluate(
        "(async () => {
            const player = new Audio(path)
            player.preload = 'metadata'
            const told = (name) => new Promise((done, fail) => {
                player.addEventListener(name, done, { once: true })
                player.addEventListener('error', () => fail(new Error(player.error?.message)), { once: true })
            })
            const ready = told('loadedmetadata')
            player.load()
            await ready
            const sought = told('seeked')
            player.currentTime = player.duration * 0.75
            await sought
            const context = new AudioContext()
            const ear = context.createAnalyser()
            ear.fftSize = 8192
            const split = context.createChannelSplitter(2)
            context.createMediaElementSource(player).connect(split)
            split.connect(ear, 0)
            ear.connect(context.destination)
            const at = player.currentTime
            await context.resume()
            await player.play()
            const heard = new Float32Array(ear.fftSize)
            const began = performance.now()
            let loud = 0
            while (performance.now() - began < 10_000 && (loud < 0.05 || player.currentTime < at + 0.4)) {
                await new Promise((next) => setTimeout(next, 20))
                ear.getFloatTimeDomainData(heard)
                loud = Math.max(...heard)
            }
            player.pause()
            return { duration: player.duration, at, pitch: pitch(heard, context.sampleRate), loud }
        })()",
    );
    let number = |name: &str| player[name].as_f64().unwrap_or_else(|| panic!("{name}: {player}"));
    assert!((number("duration") - seconds).abs() < 0.05, "{seconds} s: {player}");
    assert!((number("at") - seconds * 0.75).abs() < 0.05, "{player}");
    assert!((number("pitch") - AFTER_HZ).abs() < 25.0, "the voice after the change: {player}");

    // And by the numbers: what is fetched is what plays.
    let decoded = page.evaluate(
        "(async () => {
            const file = await (await fetch(path)).arrayBuffer()
            const audio = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(file.slice(0))
            const caller = audio.getChannelData(0)
            const part = (from) => pitch(caller.slice(from * 8000, (from + 1) * 8000), 8000)
            const range = await fetch(path, { headers: { Range: 'bytes=1000-1999' } })
            const same = new Uint8Array(await range.arrayBuffer()).every((byte, n) => byte === new Uint8Array(file)[1000 + n])
            return { duration: audio.duration, early: part(2), late: part(9), status: range.status, same }
        })()",
    );
    let number = |name: &str| decoded[name].as_f64().unwrap_or_else(|| panic!("{name}: {decoded}"));
    assert!((number("duration") - seconds).abs() < 0.01, "{decoded}");
    assert!((number("early") - BEFORE_HZ).abs() < 5.0, "{decoded}");
    assert!((number("late") - AFTER_HZ).abs() < 5.0, "{decoded}");
    assert_eq!((&decoded["status"], &decoded["same"]), (&json!(206), &json!(true)));

    let listened = server.rows(&["audit", "list", "--action", "recording.listened"]);
    assert_eq!(listened.len(), 1, "one session, one entry: {listened:?}");
}
