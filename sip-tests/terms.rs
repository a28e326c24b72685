//! What a trunk speaks is what its settings say: codecs, SRTP, keys in the audio. The caller is `sayso call`,
//! the agent a plain G.711 phone, so that what differs is converted.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::audio::{RATE, channels, seconds_of, tone};
use crate::harness::phone::{Phone, SOON};
use crate::harness::server::{HELD_BY_CALLS, SAYSO, Server, password};
use crate::harness::{Process, shared, until};

const NUMBER: &str = "+4930100";
const CALLER_HZ: f64 = 420.0;
const ADA_HZ: f64 = 710.0;

fn server(trunk: &str, recording: &str) -> Server {
    Server::start(&format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.1/32\"]\n{trunk}\n\
         [number.\"{NUMBER}\"]\nqueue = \"support\"\n\
         [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{recording}\n\
         [agent.ada]\npassword = \"secret-of-ada\"\nqueues = [\"support\"]\n"
    ))
}

const ALWAYS: &str = "recording = \"always\"\nlegal-basis = { contract = \"test\" }";

/// `sayso call` with these words, speaking the caller's tone for so many seconds.
fn caller(server: &Server, words: &[&str], seconds: u32) -> Process {
    let say = server.dir.path().join("say.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&say, spec).expect("the folder is writable");
    tone(CALLER_HZ).iter().for_each(|sample| wav.write_sample(*sample).expect("it is written"));
    wav.finalize().expect("it is whole");
    let mut command = Command::new(SAYSO);
    command.args(["call", &format!("sip:{NUMBER}@{}", server.udp), "--from", "+4930555001"]);
    command.arg("--say").arg(&say).args(["--for", &format!("{seconds}s")]).args(words);
    Process::start("sayso call", command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

/// The caller's leg in the call's record, once it has its figures.
fn callers_leg(server: &Server) -> Value {
    let calls = server.rows(&["calls", "list"]);
    let id = calls[0]["id"].as_str().expect("an id").to_owned();
    let shown = || {
        let output = server.run(&["calls", "show", &id, "--json", "--config"], &[&server.config()]);
        let call: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(call["legs"][0].clone()).filter(|leg| !leg["quality"].is_null())
    };
    until(SOON * 2, "the leg's figures", shown)
}

/// A call of these words: both hear one another, both are recorded; the caller's leg.
fn talk(server: &Server, ada: &mut Phone, words: &[&str]) -> Value {
    let mut caller = caller(server, words, 10);
    ada.rung_within(Duration::from_secs(15));
    ada.pick_up();
    let voice = ada.talk(tone(ADA_HZ));
    let heard = || voice.log(|log| (seconds_of(CALLER_HZ, &log.heard) > 1.0).then_some(()));
    until(Duration::from_secs(15), "the caller's voice at the agent's phone", heard);
    ada.take("BYE", Duration::from_secs(20));
    drop(voice);
    assert_eq!(caller.wait(SOON), Some(0), "{words:?}");
    let row = server.sealed_recording();
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    assert!(seconds_of(CALLER_HZ, &wav[0]) > 1.0, "{words:?}: the caller on channel 0");
    assert!(seconds_of(ADA_HZ, &wav[1]) > 1.0, "{words:?}: the agent on channel 1");
    server.empty(&HELD_BY_CALLS[..3], SOON);
    callers_leg(server)
}

fn ada(server: &Server) -> Phone {
    let mut ada = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    ada.register(&password("ada"), 3600);
    ada
}

#[test]
fn opus_in_srtp_meets_g711() {
    let _machine = shared();
    let server = server("codecs = [\"opus\", \"pcma\"]\nsrtp = \"required\"", ALWAYS);
    let leg = talk(&server, &mut ada(&server), &["--codec", "opus,pcma", "--srtp", "required"]);
    let quality = &leg["quality"];
    assert_eq!((&quality["codec"], &quality["srtp"]), (&"opus".into(), &"AEAD_AES_256_GCM".into()), "{leg}");
    assert!(quality["mos_x100"].as_u64().is_some_and(|mos| (300..=450).contains(&mos)), "{leg}");
    assert_eq!(quality["auth_failures"], 0, "{leg}");
    assert!(server.metrics().sum("sayso_transcoded_total") >= Some(1.0));
}

#[test]
fn g722_is_taken_before_g711_where_the_trunk_says_so() {
    let _machine = shared();
    let server = server("codecs = [\"g722\", \"pcma\"]\nsrtp = \"optional\"", ALWAYS);
    let leg = talk(&server, &mut ada(&server), &["--codec", "pcma,g722"]);
    assert_eq!(leg["quality"]["codec"], "g722", "{leg}");
    assert_eq!(leg["quality"]["srtp"], Value::Null, "{leg}");
    let told = server.rows(&["audit", "list", "--action", "leg.unsealed"]);
    assert_eq!(told.len(), 1, "plain by choice is audited: {told:?}");
}

#[test]
fn plain_audio_is_refused_where_srtp_is_required() {
    let _machine = shared();
    let server = server("srtp = \"required\"", ALWAYS);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555001");
    caller.call(NUMBER);
    let answer = caller.response("INVITE");
    assert_eq!(answer.status(), Some(488), "{}", answer.start);
    caller.refused(&answer);
    server.nothing_captured();
    server.empty(&["sayso_media_ports"], SOON);
}

#[test]
fn keys_in_the_audio_answer_the_question_where_the_trunk_says_so() {
    let _machine = shared();
    let ask = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"10s\" }";
    let server = server("in-band-digits = true", ask);
    let mut ada = ada(&server);
    let _caller = caller(&server, &["--press", "1", "--digits", "in-band"], 30);
    ada.rung_within(Duration::from_secs(25));
    let rows = server.rows(&["consents", "list"]);
    assert_eq!((&rows[0]["answer"], &rows[0]["channel"]), (&"yes".into(), &"in-band".into()), "{rows:?}");
}
