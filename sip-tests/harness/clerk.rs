//! Somebody who works at a page: an agent or a supervisor in a browser. What is clicked goes by accessible names;
//! what comes of it is asked from the server, and from the browser's own figures of its connection.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::Page;
use super::desk::LATER;
use super::phone::SOON;
use super::until;

/// A user at a page.
pub(crate) struct Clerk {
    pub(crate) page: Page,
    user: &'static str,
}

/// What a browser tells of its connection (`getStats`).
#[derive(Debug)]
pub(crate) struct Stats(pub(crate) Value);

/// `getStats` in short.
const STATS: &str = "(async () => {
    const peer = window.sayso?.peer
    if (!peer) return null
    const all = [...(await peer.getStats()).values()]
    const one = (type) => all.find((it) => it.type === type && (it.kind ?? 'audio') === 'audio') ?? {}
    const [heard, said, transport] = ['inbound-rtp', 'outbound-rtp', 'transport'].map(one)
    const by = (id) => all.find((it) => it.id === id) ?? {}
    const pair = by(transport.selectedCandidatePairId)
    return {
        state: peer.connectionState, received: heard.packetsReceived ?? 0, sent: said.packetsSent ?? 0,
        energy: heard.totalAudioEnergy ?? 0, lost: heard.packetsLost ?? 0,
        hears: by(heard.codecId).mimeType, says: by(said.codecId).mimeType,
        cipher: transport.srtpCipher, tls: transport.tlsVersion, path: by(pair.localCandidateId).candidateType,
    }
})()";

/// Listens for `millis` to what the page plays: in how many looks each pitch stood out, and the loudest look (RMS,
/// full scale is 1).
const EAR: &str = "(async (pitches, millis) => {
    const track = window.sayso?.peer?.getReceivers()[0]?.track
    if (!track) return null
    const ear = (window.testEar ??= {})
    if (ear.track !== track) {
        ear.context?.close()
        ear.context = new AudioContext()
        ear.analyser = ear.context.createAnalyser()
        ear.analyser.fftSize = 2048
        ear.analyser.smoothingTimeConstant = 0
        ear.context.createMediaStreamSource(new MediaStream([track])).connect(ear.analyser)
        ear.track = track
    }
    const { analyser, context } = ear
    const [levels, wave] = [new Float32Array(1024), new Float32Array(2048)]
    const at = (hz) => Math.max(...[-1, 0, 1].map((n) => levels[Math.round((hz * 2048) / context.sampleRate) + n]))
    const found = { looks: 0, pitches: pitches.map(() => 0), loudest: 0 }
    const end = performance.now() + millis
    // The first look is of what was before.
    await new Promise((done) => setTimeout(done, 60))
    while (performance.now() < end || found.looks === 0) {
        analyser.getFloatFrequencyData(levels)
        analyser.getFloatTimeDomainData(wave)
        found.looks += 1
        found.loudest = Math.max(found.loudest, Math.sqrt(wave.reduce((sum, v) => sum + v * v, 0) / wave.length))
        pitches.forEach((hz, n) => {
            const beside = Math.max(at(hz - 140), at(hz + 140))
            if (at(hz) > -55 && at(hz) > beside + 12) found.pitches[n] += 1
        })
        await new Promise((done) => setTimeout(done, 25))
    }
    return found
})";

/// All that goes on, as the event stream begins.
const SNAPSHOT: &str = "new Promise((done, failed) => {
    const stream = new EventSource('/api/v1/events')
    stream.addEventListener('snapshot', (event) => { stream.close(); done(JSON.parse(event.data)) })
    stream.onerror = () => { stream.close(); failed(new Error('no event stream')) }
})";

impl Clerk {
    /// At this page, not logged in.
    pub(crate) fn new(user: &'static str, page: Page) -> Self {
        Self { page, user }
    }

    /// Logs in.
    pub(crate) fn log_in(&self, password: &str) {
        self.page.fill("User name", self.user);
        self.page.fill("Password", password);
        self.page.click("Log in");
    }

    /// Waits until the phone is registered.
    pub(crate) fn is_reachable(&self) {
        self.is_not("logged-off");
    }

    /// Waits until the server takes this agent for ready; says so first if need be.
    pub(crate) fn is_ready(&self) {
        if self.agent()["state"] != "ready" {
            self.page.click("Ready");
        }
        self.is("ready");
    }

    /// Waits until the server has this agent in this state.
    pub(crate) fn is(&self, state: &str) -> Value {
        let there = || Some(self.agent()).filter(|agent| agent["state"] == state);
        until(LATER, &format!("{} to be {state}", self.user), there)
    }

    fn is_not(&self, state: &str) {
        let there = || (self.agent()["state"] != state).then_some(());
        until(LATER, &format!("{} not to be {state}", self.user), there);
    }

    /// This agent, as the server has it.
    pub(crate) fn agent(&self) -> Value {
        let snapshot = self.snapshot();
        let agents = snapshot["agents"].as_array().into_iter().flatten();
        agents.into_iter().find(|agent| agent["id"] == self.user).cloned().unwrap_or_default()
    }

    /// All that goes on, as the server tells this user.
    pub(crate) fn snapshot(&self) -> Value {
        // A page that is just loading, or was just logged in, has no stream for a moment.
        until(LATER, "the event stream", || self.page.try_evaluate(SNAPSHOT).ok())
    }

    /// The only call, as the server tells this user, once it fits.
    pub(crate) fn call(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let there = || match self.snapshot()["calls"].as_array().map(Vec::as_slice) {
            Some([call]) if fits(call) => Some(call.clone()),
            Some(_) | None => None,
        };
        until(LATER, what, there)
    }

    /// Asks the API with this user's session: status and body.
    pub(crate) fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let body = body.map(|body| body.to_string());
        let js = format!(
            "(async () => {{
                const answer = await fetch('/api/v1{path}', {{
                    method: '{method}', body: {}, headers: {{ 'X-Sayso': '1', 'Content-Type': 'application/json' }},
                }})
                const text = await answer.text()
                return {{ status: answer.status, body: text ? JSON.parse(text) : null }}
            }})()",
            json!(body)
        );
        let answer = self.page.evaluate(&js);
        (answer["status"].as_u64().expect("a status"), answer["body"].clone())
    }

    /// Answers the call that rings, and waits until the media stands.
    pub(crate) fn answer(&self) {
        self.page.click("Answer");
        self.is_connected();
    }

    /// Sends the caller on to an agent or a queue at once.
    pub(crate) fn transfer_to(&self, name: &str) {
        self.page.click("Transfer");
        self.page.click_like("radio", name);
        self.page.click("Transfer now");
    }

    /// Sends the caller on to a number outside at once.
    pub(crate) fn transfer_outside(&self, number: &str) {
        self.page.click("Transfer");
        self.page.fill("Find an agent or a queue", number);
        self.page.click_like("radio", "+");
        self.page.click("Transfer now");
    }

    /// Asks an agent or a queue first.
    pub(crate) fn consult(&self, name: &str) {
        self.page.click("Transfer");
        self.page.click_like("radio", name);
        self.page.click("Consult");
    }

    /// Waits until the media stands.
    pub(crate) fn is_connected(&self) {
        self.page.hold("window.sayso?.peer?.connectionState === 'connected'", LATER);
    }

    /// Waits until the lamp says exactly this, and why.
    pub(crate) fn lamp(&self, state: &str, why: &str) {
        let says = || {
            let last = self.page.see_the("status", "Recording", None);
            last.strip_prefix(state).filter(|rest| rest.trim_start().starts_with(why)).map(|_| ())
        };
        until(SOON, &format!("the lamp to say {state:?} and {why:?}"), says);
    }

    /// What the browser tells of its connection.
    pub(crate) fn stats(&self) -> Stats {
        let stats = self.page.evaluate(STATS);
        assert!(!stats.is_null(), "{} has a connection", self.user);
        Stats(stats)
    }

    /// Waits until each of these voices was heard for a quarter of a second.
    pub(crate) fn hears(&self, voices: &[f64], what: &str) {
        let mut heard = vec![0; voices.len()];
        let mut last = Value::Null;
        let end = std::time::Instant::now() + LATER;
        while heard.iter().any(|looks| *looks < 8) {
            assert!(std::time::Instant::now() < end, "{what}: {voices:?} in {heard:?} looks, at last {last}");
            last = self.listen(voices, Duration::from_millis(500));
            for (n, looks) in heard.iter_mut().enumerate() {
                *looks += last["pitches"][n].as_u64().unwrap_or(0);
            }
        }
    }

    /// Asserts that none of these voices is heard for a second and a half.
    pub(crate) fn hears_none(&self, voices: &[f64], what: &str) {
        let heard = self.listen(voices, Duration::from_millis(1500));
        let looks = heard["looks"].as_u64().expect("a connection");
        assert!(looks >= 10, "{what}: {heard}");
        // One look may be of the moment before.
        let most = heard["pitches"].as_array().into_iter().flatten().filter_map(Value::as_u64).max();
        assert!(most <= Some(1), "{what}: {voices:?} in {heard}");
    }

    /// Asserts that nothing at all is heard for a second and a half.
    pub(crate) fn hears_nothing(&self, what: &str) {
        let loudest = || {
            let heard = self.listen(&[], Duration::from_millis(1500));
            heard["loudest"].as_f64().filter(|loudest| *loudest < 0.005)
        };
        until(SOON, what, loudest);
    }

    fn listen(&self, voices: &[f64], span: Duration) -> Value {
        self.page.evaluate(&format!("{EAR}({voices:?}, {})", span.as_millis()))
    }
}

impl Stats {
    /// A counter.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.0))
    }

    /// The energy of all that was heard.
    pub(crate) fn energy(&self) -> f64 {
        self.0["energy"].as_f64().unwrap_or_else(|| panic!("energy: {}", self.0))
    }

    /// A word.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name}: {}", self.0))
    }
}

/// The ear and the browser's microphone by themselves: a page that calls itself. The yardstick for the tests with a
/// server.
#[test]
fn a_page_hears_its_own_beeps() {
    use super::browser::Look;
    let _machine = super::shared();
    let server = super::server::Server::start("[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n");
    let beeps = super::audio::beeps(710.0);
    // Any page of a secure origin will do.
    let page = Page::open(
        &format!("http://{}/healthz", server.http),
        Look { says: Some(&beeps), ..Look::default() },
    );
    let itself = Clerk::new("nobody", page);
    itself.page.evaluate(
        "(async () => {
            const microphone = await navigator.mediaDevices.getUserMedia({ audio: true })
            const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()]
            here.onicecandidate = ({ candidate }) => void there.addIceCandidate(candidate)
            there.onicecandidate = ({ candidate }) => void here.addIceCandidate(candidate)
            there.ontrack = ({ track }) => {
                const player = new Audio()
                player.srcObject = new MediaStream([track])
                void player.play()
            }
            here.addTrack(microphone.getTracks()[0])
            await here.setLocalDescription()
            await there.setRemoteDescription(here.localDescription)
            await there.setLocalDescription()
            await here.setRemoteDescription(there.localDescription)
            window.sayso = { peer: there }
            window.microphone = microphone
        })()",
    );
    itself.is_connected();
    itself.hears(&[710.0], "its own voice");
    itself.hears_none(&[420.0, 1_130.0, 1_510.0], "other voices");
    assert_eq!(itself.stats().word("hears"), "audio/opus");
    let before = itself.stats().energy();
    itself.page.evaluate("microphone.getTracks()[0].enabled = false");
    itself.hears_nothing("silence");
    assert!(itself.stats().energy() > before);
}
