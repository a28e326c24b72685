//! What the tests of the vault share: stores to keep recordings in, pairs of a caller and an agent who say noise, and
//! the account of a server's recordings when all has settled.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::audio::{RATE, channels};
use super::faults::Faults;
use super::phone::{Phone, SOON};
use super::rtp::Stream;
use super::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use super::server::{Server, password};
use super::until;

/// A superuser of [`settings`].
pub(crate) const ROOT: (&str, &str) = ("root", "the secret of root");

/// The most that a kill may cost, in samples of a channel: 0.25 s.
pub(crate) const QUARTER: usize = RATE / 4;

/// Recording by law: nobody is asked, so a call is soon in conversation.
pub(crate) const ALWAYS: &str = "recording = \"always\"\nlegal-basis = { obligation = \"MiFID II\" }";

/// Settings of so many queues, each with a number (`+493010` and two digits) and one agent, and of a superuser.
pub(crate) fn settings(queues: usize, queue: impl Fn(usize) -> String) -> String {
    let (user, secret) = ROOT;
    let mut text = format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.1/32\"]\n\n[user.{user}]\ndisplay-name = \"Root\"\n\
         role = \"superuser\"\npassword = \"{secret}\"\nmust-change = false\n"
    );
    for n in 0..queues {
        let (number, agent) = (number(n), agent(n));
        text.push_str(&format!(
            "\n[number.\"{number}\"]\nqueue = \"q{n}\"\n\n[queue.q{n}]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{}\n\n\
             [agent.{agent}]\npassword = \"{}\"\nqueues = [\"q{n}\"]\n",
            queue(n),
            password(&agent)
        ));
    }
    text
}

/// The number that leads to a queue.
pub(crate) fn number(queue: usize) -> String {
    format!("+493010{queue:02}")
}

fn agent(queue: usize) -> String {
    format!("agent{queue}")
}

/// Starts a server whose prompts take a tenth of a second, so that many calls fit into a test; `vault` are tables of
/// its configuration.
pub(crate) fn start(settings: &str, vault: &str) -> Server {
    let mut server = Server::start_with(settings, vault);
    server.kill();
    let dir = server.dir.path().join("data/prompts/en");
    std::fs::create_dir_all(&dir).expect("the folder is writable");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for name in ["welcome", "please-wait", "thanks"] {
        let path = dir.join(format!("{name}.wav"));
        let mut wav = hound::WavWriter::create(path, spec).expect("the folder is writable");
        super::audio::tone(440.0)[..RATE / 10]
            .iter()
            .for_each(|s| wav.write_sample(*s).expect("it is written"));
        wav.finalize().expect("it is whole");
    }
    server.start_again();
    server
}

/// Where a server's recordings are kept.
pub(crate) enum Kept {
    /// In a folder.
    Folder,
    /// In a bucket behind a proxy.
    Bucket { server: &'static S3Server, proxy: Faults, bucket: String },
}

impl Kept {
    /// A new bucket of the `s3s-fs` that tests share.
    pub(crate) fn s3s() -> Self {
        Self::bucket(S3Server::shared_s3s())
    }

    /// A new bucket of the `moto` that tests share: with versions.
    pub(crate) fn moto() -> Self {
        let kept = Self::bucket(S3Server::shared_moto());
        if let Self::Bucket { server, bucket, .. } = &kept {
            use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let put = server.client().put_bucket_versioning().bucket(bucket).versioning_configuration(on);
            wait(put.send()).expect("moto has versions");
        }
        kept
    }

    /// A new bucket of the `moto` that tests share: with versions and Object Lock.
    pub(crate) fn locking() -> Self {
        let server = S3Server::shared_moto();
        Self::behind_proxy(server, wait(server.locking_bucket()))
    }

    fn bucket(server: &'static S3Server) -> Self {
        Self::behind_proxy(server, wait(server.bucket()))
    }

    fn behind_proxy(server: &'static S3Server, bucket: String) -> Self {
        Self::Bucket { server, proxy: Faults::start(server.address()), bucket }
    }

    /// The tables of the configuration: `vault` are keys of `[vault]`, `s3` keys of `[vault.s3]`.
    pub(crate) fn config(&self, vault: &str, s3: &str) -> String {
        let vault = format!("[vault]\nreserve = \"1MB\"\nreconcile-every = \"0s\"\nlate = \"2s\"\n{vault}\n");
        match self {
            Self::Folder => vault,
            Self::Bucket { proxy, bucket, .. } => format!(
                "{vault}[vault.s3]\nbucket = \"{bucket}\"\nprefix = \"sayso/\"\nregion = \"us-east-1\"\n\
                 endpoint = \"{}\"\naccess-key-id = \"{ACCESS_KEY}\"\nsecret-access-key = \"{SECRET_KEY}\"\n{s3}\n",
                proxy.endpoint()
            ),
        }
    }

    /// The proxy before the bucket.
    pub(crate) fn proxy(&self) -> &Faults {
        match self {
            Self::Folder => panic!("a folder has no proxy"),
            Self::Bucket { proxy, .. } => proxy,
        }
    }

    /// The SDK's own client of the server past the proxy, and the bucket.
    pub(crate) fn client(&self) -> (aws_sdk_s3::Client, &str) {
        match self {
            Self::Folder => panic!("a folder is no bucket"),
            Self::Bucket { server, bucket, .. } => (server.client(), bucket),
        }
    }

    /// The names of all objects, sorted; what the store keeps for itself is left out.
    pub(crate) fn names(&self, of: &Server) -> Vec<String> {
        let mut names = match self {
            Self::Folder => {
                let root = of.dir.path().join("data/vault/objects");
                let name = |path: PathBuf| path.strip_prefix(&root).expect("below it").display().to_string();
                files(&root).into_iter().map(name).collect()
            }
            Self::Bucket { server, bucket, .. } => {
                let mut pages = server.client().list_objects_v2().bucket(bucket).into_paginator().send();
                wait(async {
                    let mut names: Vec<String> = Vec::new();
                    while let Some(page) = pages.next().await {
                        let page = page.expect("a listing");
                        names.extend(page.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
                    }
                    names
                })
            }
        };
        names.sort();
        names
    }
}

/// Runs the SDK's own client to its answer.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().expect("a runtime")
    });
    runtime.block_on(future)
}

/// All files below a folder; none when there is no folder.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Half a minute of noise: unlike speech it has no pauses and never says the same again, so every moment of it can be
/// missed.
pub(crate) fn noise(seed: u32) -> Arc<Vec<i16>> {
    let mut random = Random(u64::from(seed));
    Arc::new((0..30 * RATE).map(|_| random.next() as i16 / 8).collect())
}

/// Numbers that look random and come again with the same seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The seed is `SAYSO_SEED`, or another each time; it is printed, so that a failure can be had again.
    pub(crate) fn seeded(what: &str) -> Self {
        let given = std::env::var("SAYSO_SEED").ok().and_then(|text| text.parse().ok());
        let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
        let seed = given.unwrap_or_else(now);
        eprintln!("{what}: SAYSO_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Lets a random time pass.
    pub(crate) fn moment(&mut self, most: Duration) {
        pass(Duration::from_micros(self.below(most.as_micros() as u64)));
    }
}

/// Lets time pass in a call: what is to happen in it comes by time, not by an event.
pub(crate) fn pass(span: Duration) {
    let end = Instant::now() + span;
    until(span + SOON, "time", || (Instant::now() >= end).then_some(()));
}

/// A caller and the agent of a queue, who is rung.
pub(crate) struct Line {
    pub(crate) caller: Phone,
    pub(crate) agent: Phone,
    /// The caller's number: tells whose call is whose.
    pub(crate) from: String,
}

impl Line {
    /// Registers the queue's agent and calls; the agent's phone rings when this returns.
    pub(crate) fn ringing(server: &Server, queue: usize, from: &str) -> Self {
        let ip = [127, 0, 0, 1];
        let agent = agent(queue);
        let mut phone = Phone::new(server.udp, ip, &agent);
        phone.register(&password(&agent), 3600);
        let mut caller = Phone::new(server.udp, ip, from);
        caller.call_answered(&number(queue));
        phone.rung_within(SOON * 4);
        Self { caller, agent: phone, from: from.to_owned() }
    }

    /// The agent picks up, and both begin to say these.
    pub(crate) fn talk(mut self, voices: [Arc<Vec<i16>>; 2]) -> Talk {
        self.agent.pick_up();
        let [caller, agent] = voices;
        let said = [self.caller.talk(caller), self.agent.talk(agent)];
        Talk { line: self, said }
    }
}

/// A conversation.
pub(crate) struct Talk {
    pub(crate) line: Line,
    /// Of the caller and of the agent.
    pub(crate) said: [Stream; 2],
}

/// What was said in a conversation, by the caller and by the agent.
pub(crate) struct Words {
    /// The caller's number.
    pub(crate) from: String,
    pub(crate) said: [Vec<i16>; 2],
    pub(crate) heard: [Vec<i16>; 2],
}

impl Talk {
    /// Both say noise of their own.
    pub(crate) fn of_noise(server: &Server, queue: usize, from: &str, seed: u32) -> Self {
        Line::ringing(server, queue, from).talk([noise(2 * seed), noise(2 * seed + 1)])
    }

    /// How many samples each has said by now.
    pub(crate) fn by_now(&self) -> [usize; 2] {
        self.said.each_ref().map(|stream| stream.log(|log| log.said.len()))
    }

    /// Waits until both have said so many seconds in all.
    pub(crate) fn lasts(&self, seconds: f64) {
        let wanted = (seconds * RATE as f64) as usize;
        let enough = || self.by_now().iter().all(|said| *said >= wanted).then_some(());
        until(Duration::from_secs_f64(seconds) + SOON, &format!("{seconds} s of talk"), enough);
    }

    /// The caller says goodbye, and no answer is waited for.
    pub(crate) fn say_goodbye(&mut self) {
        self.line.caller.ids.cseq += 1;
        let bye = self.line.caller.request("BYE");
        self.line.caller.send(&bye);
    }

    /// Both stop talking at once.
    pub(crate) fn cut(self) -> Words {
        let Self { line, said } = self;
        let logs = said.map(Stream::finish);
        let heard = logs.each_ref().map(|log| log.heard.clone());
        Words { from: line.from, said: logs.map(|log| log.said), heard }
    }

    /// The caller hangs up, and all of the call is over.
    pub(crate) fn hang_up(self) -> Words {
        let Self { line, said } = self;
        let logs = said.map(Stream::finish);
        let Line { mut caller, mut agent, from } = line;
        caller.bye();
        agent.take("BYE", SOON);
        let heard = logs.each_ref().map(|log| log.heard.clone());
        Words { from, said: logs.map(|log| log.said), heard }
    }
}

/// A packet of 20 ms.
pub(crate) const PACKET: usize = RATE / 50;

/// Which packets of noise stand in a recording's channel, sample by sample, wherever that is.
pub(crate) fn held(said: &[i16], channel: &[i16]) -> Vec<bool> {
    const KEY: usize = 8;
    let mut places: HashMap<&[i16], Vec<usize>> = HashMap::new();
    for (at, key) in channel.windows(KEY).enumerate() {
        places.entry(key).or_default().push(at);
    }
    let stands = |packet: &[i16]| {
        let at = places.get(&packet[..KEY]).into_iter().flatten();
        at.into_iter().any(|at| channel.get(*at..*at + PACKET) == Some(packet))
    };
    said.chunks_exact(PACKET).map(stands).collect()
}

/// Samples at the end of `said` that a recording's channel does not hold. All else from `from` on must be in it. What
/// arrives late on a busy machine may be laid elsewhere by the tap, a few packets: far less than the smallest piece that
/// a writer could lose (a chunk, eight packets).
pub(crate) fn lost(what: &str, said: &[i16], channel: &[i16], from: usize) -> usize {
    let held = held(said, channel);
    let end = held.iter().rposition(|there| *there).map_or(0, |last| last + 1);
    let (missing, longest) = holes(&held[..end], from);
    let slips = missing <= end / 10 && longest <= 4;
    assert!(slips, "{what}: {missing} packets of {end} are missing amid the recording, {longest} in a row");
    said.len() - end * PACKET
}

/// How many packets after the sample `from` are missing, and how many in a row at most.
fn holes(held: &[bool], from: usize) -> (usize, usize) {
    let asked = held.get(from.div_ceil(PACKET)..).unwrap_or_default();
    let longest = asked.split(|there| *there).map(<[bool]>::len).max().unwrap_or(0);
    (asked.iter().filter(|there| !**there).count(), longest)
}

/// The states of a recording that is on its way.
const ON_THE_WAY: [&str; 4] = ["armed", "recording", "finished", "destroyed"];

/// Waits until nothing is under way: no job waits, every recording has come to rest, every call has ended. The
/// recordings.
pub(crate) fn settled(server: &Server, deadline: Duration) -> Vec<Value> {
    let mut last = (Vec::new(), Vec::new());
    let end = Instant::now() + deadline;
    loop {
        let jobs = server.rows(&["jobs", "list"]);
        let rows = server.rows(&["recordings", "list"]);
        let moving = |row: &&Value| row["state"].as_str().is_some_and(|state| ON_THE_WAY.contains(&state));
        let moving: Vec<Value> = rows.iter().filter(moving).cloned().collect();
        if jobs.is_empty() && moving.is_empty() && all_ended(server) {
            return rows;
        }
        last = if jobs.is_empty() && moving.is_empty() { last } else { (jobs, moving) };
        let (jobs, moving) = &last;
        assert!(Instant::now() < end, "after {deadline:?} still on their way: jobs {jobs:#?}, {moving:#?}");
        pass(Duration::from_millis(50));
    }
}

fn all_ended(server: &Server) -> bool {
    server.rows(&["calls", "list"]).iter().all(|call| !call["ended_at"].is_null())
}

/// Asserts that the spool holds nothing and that the store holds each stored recording once and nothing else. No
/// recording is on its way when this is asked.
pub(crate) fn assert_only_what_is_stored(server: &Server, kept: &Kept, rows: &[Value], suffix: &str) {
    let spool = files(&server.dir.path().join("data/vault/spool"));
    assert_eq!(spool, Vec::<PathBuf>::new(), "files left in the spool");
    let stored = rows.iter().filter(|row| row["state"] == "stored");
    let mut ids: Vec<String> = stored.map(|row| text(row, "id")).collect();
    ids.sort();
    let names = kept.names(server);
    let mut found: Vec<String> = names
        .iter()
        .map(|name| {
            let file = name.rsplit('/').next().unwrap_or_default();
            file.strip_suffix(suffix).unwrap_or(name).to_owned()
        })
        .collect();
    found.sort();
    assert_eq!(found, ids, "objects and stored recordings: {names:#?}");
}

/// The recordings by the number of their caller.
pub(crate) fn by_caller(server: &Server, rows: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let calls = server.rows(&["calls", "list"]);
    let from: BTreeMap<String, String> =
        calls.iter().map(|call| (text(call, "id"), text(call, "from"))).collect();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows {
        let from = from.get(&text(row, "call")).unwrap_or_else(|| panic!("a recording of no call: {row}"));
        found.entry(from.clone()).or_default().push(row.clone());
    }
    found
}

/// Both channels of a recording, which must be of one length.
pub(crate) fn exported(server: &Server, row: &Value) -> [Vec<i16>; 2] {
    let both: [Vec<i16>; 2] = channels(&server.export(&text(row, "id"))).try_into().expect("a stereo file");
    assert_eq!(both[0].len(), both[1].len(), "channels of one length");
    both
}

/// Asserts that a call of which all was said in order is recorded as both said it: of noise, sample by sample. The
/// first half second may be missing, the last packet too.
pub(crate) fn assert_whole(server: &Server, row: &Value, words: &Words) {
    let both = exported(server, row);
    for (said, channel) in words.said.iter().zip(&both) {
        let lost = lost(&words.from, said, channel, RATE / 2);
        assert!(lost <= 2 * PACKET, "{}: the last {lost} samples are missing", words.from);
    }
}

/// A text of a row.
pub(crate) fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_else(|| panic!("no {key} in {row}")).to_owned()
}

/// The SQLite file of a server's folder.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join("data/sayso.db")
}

/// Runs statements on a SQLite file.
pub(crate) fn sql(file: &Path, statement: &'static str) {
    wait(async {
        let pool =
            sqlx::SqlitePool::connect(&format!("sqlite:{}", file.display())).await.expect("a database");
        sqlx::query(statement).execute(&pool).await.expect("a statement");
        pool.close().await;
    });
}

/// A recording's wrapped key as the server's database has it: its last 48 bytes are the sealed data key.
pub(crate) fn wrapped_key(server: &Server, id: &str) -> Option<Vec<u8>> {
    let url = format!("sqlite:{}", database(server.dir.path()).display());
    wait(async {
        let pool = sqlx::SqlitePool::connect(&url).await.expect("a database");
        let query = sqlx::query_scalar("SELECT wrapped_key FROM recordings WHERE id = $1").bind(id);
        let key = query.fetch_one(&pool).await.expect("a row");
        pool.close().await;
        key
    })
}

#[test]
fn what_is_missing_in_a_recording_is_counted() {
    let said = &noise(1)[..RATE];
    let other = &noise(2)[..RATE];
    let mut channel = vec![0; 1_000];
    channel.extend_from_slice(said);
    assert!(held(said, &channel).iter().all(|there| *there));
    assert!(held(other, &channel).iter().all(|there| !there), "another's noise is not there");
    assert_eq!(lost("whole", said, &channel, 0), 0);
    assert_eq!(lost("cut", said, &channel[..channel.len() - 2 * PACKET], 0), 2 * PACKET);
    assert_eq!(lost("begun late", said, &channel[1_000 + 3 * PACKET..], 4 * PACKET), 0);
    channel[5_000] ^= 64;
    let there = held(said, &channel);
    assert_eq!(
        (holes(&there, 0), holes(&there, 5_000)),
        ((1, 1), (0, 0)),
        "a changed sample, where it is asked for"
    );
    assert_eq!(holes(&[true, false, false, true, false], 0), (3, 2));
}
