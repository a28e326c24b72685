//! Somebody who administers in a browser: logs in as whoever is asked for, goes from page to page, and finds out
//! whether a script of a stranger ran.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::audio::RATE;
use super::browser::{Look, Page};
use super::phone::{Phone, SOON};
use super::server::{Server, password};
use super::{until, vault};

/// Keeps what the page's own policy forbade, and what a stranger's script would call.
const WATCH: &str = "window.ran = []; window.strange = (what) => { window.ran.push(String(what)) }
    for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => { window.ran.push(name) }
    window.forbidden = []
    document.addEventListener('securitypolicyviolation', (event) => {
        window.forbidden.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
    })";

/// A browser at the console.
pub(crate) struct Console {
    pub(crate) page: Page,
    http: String,
}

impl Console {
    /// At the log-in page.
    pub(crate) fn open(server: &Server) -> Self {
        let http = format!("http://{}/", server.http);
        let page = Page::open(&http, Look { before: Some(WATCH), ..Look::default() });
        Self { page, http }
    }

    /// Somebody logs in, in place of who was there.
    pub(crate) fn is(&self, user: &str, password: &str) {
        let body = json!({ "user": user, "password": password }).to_string();
        let status = self.page.evaluate(&format!(
            "(async () => {{
                const headers = {{ 'X-Sayso': '1', 'Content-Type': 'application/json' }}
                await fetch('/api/v1/session', {{ method: 'DELETE', headers }})
                window.location.hash = '#/account'
                return (await fetch('/api/v1/session', {{ method: 'POST', headers, body: {} }})).status
            }})()",
            json!(body)
        ));
        assert_eq!(status, 200, "log-in of {user}");
        self.page.reload();
        self.page.see_the("heading", "Sign-in & security", None);
    }

    /// Goes to a page of this heading.
    pub(crate) fn goes(&self, address: &str, heading: &str) {
        self.page.evaluate(&format!("void (window.location.hash = {})", json!(format!("#/{address}"))));
        self.page.see_the("heading", heading, None);
    }

    /// The same, read anew: what was read before is asked again.
    pub(crate) fn goes_anew(&self, address: &str, heading: &str) {
        self.page.evaluate(&format!("void (window.location.hash = {})", json!(format!("#/{address}"))));
        self.page.reload();
        self.page.see_the("heading", heading, None);
    }

    /// Asks the API as who is logged in: status and body.
    pub(crate) fn api(&self, method: &str, path: &str) -> (u64, Value) {
        let answer = self.page.evaluate(&format!(
            "fetch('/api/v1{path}', {{ method: '{method}', headers: {{ 'X-Sayso': '1' }} }})
                .then(async (it) => ({{ status: it.status, body: await it.json().catch(() => null) }}))"
        ));
        (answer["status"].as_u64().expect("a status"), answer["body"].clone())
    }

    /// Saves by this button, and waits until nothing is left to be saved.
    pub(crate) fn saves(&self, button: &str) {
        self.page.see("There are changes that are not saved.");
        self.page.click(button);
        self.page.gone_the("dialog", "Somebody else was faster");
        self.page.gone_text("There are changes that are not saved.");
    }

    /// Waits until the page's main part says this.
    pub(crate) fn says(&self, text: &str) {
        self.page.inside("main", None).see(text);
    }

    /// All that the page shows.
    pub(crate) fn text(&self) -> String {
        self.page.evaluate("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true of the page.
    pub(crate) fn holds(&self, js: &str) -> Value {
        self.page.hold(js, Duration::from_secs(20))
    }

    /// Asserts that nothing of a stranger ran or was tried: no script, no element, nothing that the policy forbade.
    pub(crate) fn is_clean(&self, place: &str) {
        let found = self.page.evaluate(
            "({ ran: window.ran, forbidden: window.forbidden,
                elements: [...document.querySelectorAll('[onerror], [onload], [onmouseover], img[src=\"x\"], script:not([src]), iframe')]
                    .map((it) => it.outerHTML),
                links: [...document.querySelectorAll('a[href]')].map((it) => it.href).filter((it) => /^(javascript|data|vbscript):/i.test(it)) })",
        );
        let nothing = json!({ "ran": [], "forbidden": [], "elements": [], "links": [] });
        assert_eq!(found, nothing, "{place} at {}", self.http);
    }
}

/// Somebody calls queue `q0` of [`vault::settings`], presses this key if there is a question (and is then recorded), talks
/// for a second with the agent and hangs up.
pub(crate) fn calls(server: &Server, from: &str, key: Option<char>) {
    let before = server.captured();
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "agent0");
    agent.register(&password("agent0"), 3600);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], from);
    caller.call_answered(&vault::number(0));
    // A caller who sends nothing at all would be taken for dead.
    let silence = caller.talk(Arc::new(vec![0; RATE]));
    if let Some(key) = key {
        server.phase("asking");
        caller.press_info(key);
    }
    agent.rung_within(SOON * 4);
    agent.pick_up();
    let voice = agent.talk(vault::noise(1));
    until(SOON, "a second of talk", || voice.log(|log| (log.said.len() > RATE).then_some(())));
    let enough = || (key.is_none() || server.captured() > before + RATE as f64).then_some(());
    until(SOON * 3, "a recording of it", enough);
    drop((silence, voice));
    caller.bye();
    agent.take("BYE", SOON);
}
