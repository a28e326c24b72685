//! Chromium, driven by `sip-tests/browser/bridge.mjs`. A page is a browser of its own, with a microphone that
//! says a clip. `make tools` installs Chromium and the bridge's packages.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Process;
use super::phone::unique;

/// How long a page may take for what it is asked.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// A browser's start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// The bridge, one for the whole test process.
struct Bridge {
    stdin: Mutex<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    next: Mutex<u64>,
    // Ends with the test process: its stdin closes then.
    _process: Process,
}

fn bridge() -> &'static Bridge {
    static BRIDGE: OnceLock<Bridge> = OnceLock::new();
    BRIDGE.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/browser/bridge.mjs");
        let mut command = Command::new("node");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start("node", &mut command);
        let stdin = Mutex::new(process.child().stdin.take().expect("stdin is piped"));
        let stdout = BufReader::new(process.child().stdout.take().expect("stdout is piped"));
        let waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
        let told = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let reply: Value = serde_json::from_str(&line).expect("the bridge speaks JSON");
                let id = reply["id"].as_u64().expect("an answer has its request's id");
                if let Some(asker) = lock(&told).remove(&id) {
                    let _gone = asker.send(reply); // a test that waits no longer
                }
            }
            lock(&told).clear(); // the bridge has ended: nobody need wait
        });
        Bridge { stdin, waiting, next: Mutex::new(1), _process: process }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner) // another test failed
}

fn ask(mut request: Value, within: Duration) -> Result<Value, String> {
    let bridge = bridge();
    let id = {
        let mut next = lock(&bridge.next);
        *next += 1;
        *next
    };
    request["id"] = json!(id);
    request["within"] = json!(u64::try_from(within.as_millis()).expect("a short time"));
    let (asker, answer) = channel();
    lock(&bridge.waiting).insert(id, asker);
    writeln!(lock(&bridge.stdin), "{request}").map_err(|e| format!("the bridge is gone: {e}"))?;
    let reply = answer.recv_timeout(within + SOON).map_err(|e| match e {
        RecvTimeoutError::Timeout => format!("no answer to {request}"),
        RecvTimeoutError::Disconnected => "the bridge has ended: run `make tools`".to_owned(),
    })?;
    match reply["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(reply["value"].clone()),
    }
}

/// What a page is opened with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look<'a> {
    /// What its microphone says, over and over; without it a beep.
    pub(crate) says: Option<&'a Path>,
    /// `en-GB` by default.
    pub(crate) locale: Option<&'a str>,
    /// `light` by default.
    pub(crate) scheme: Option<&'a str>,
    /// Width and height; 1280 by 800 by default.
    pub(crate) size: Option<(u32, u32)>,
    /// A script that runs before the page's own.
    pub(crate) before: Option<&'a str>,
}

/// A page in a browser of its own; closed when dropped.
pub(crate) struct Page {
    name: String,
}

impl Page {
    /// Opens `url`.
    pub(crate) fn open(url: &str, look: Look<'_>) -> Self {
        let page = Self { name: unique("page") };
        let size = look.size.map(|(width, height)| json!({ "width": width, "height": height }));
        let fields = json!({
            "url": url, "audio": look.says, "locale": look.locale, "scheme": look.scheme, "size": size,
            "before": look.before,
        });
        page.ask("open", fields, START);
        page
    }

    /// Another tab of the same browser, at the same address.
    pub(crate) fn tab(&self) -> Self {
        let page = Self { name: unique("tab") };
        page.ask("tab", json!({ "of": self.name }), START);
        page
    }

    /// Clicks what has this accessible name: a button.
    pub(crate) fn click(&self, button: &str) {
        self.ask("click", json!({ "name": button }), SOON);
    }

    /// Clicks something else: a `tab`, a `link`, a `menuitem`, an `option`.
    pub(crate) fn click_the(&self, role: &str, name: &str) {
        self.ask("click", json!({ "role": role, "name": name }), SOON);
    }

    /// Clicks what has a name that begins like this.
    pub(crate) fn click_like(&self, role: &str, name: &str) {
        self.ask("clickLike", json!({ "role": role, "name": name }), SOON);
    }

    /// Types into the field of this label, in place of what is there.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        self.ask("fill", json!({ "label": label, "text": text }), SOON);
    }

    /// Presses keys: `Control+Enter`, `a`, …
    pub(crate) fn press(&self, keys: &str) {
        self.ask("press", json!({ "keys": keys }), SOON);
    }

    /// Waits until this text is to be seen.
    pub(crate) fn see(&self, text: &str) {
        self.ask("see", json!({ "text": text }), SOON);
    }

    /// The same, for what takes longer.
    pub(crate) fn see_within(&self, text: &str, within: Duration) {
        self.ask("see", json!({ "text": text }), within);
    }

    /// Waits until this text is not to be seen.
    pub(crate) fn gone_text(&self, text: &str) {
        self.ask("gone", json!({ "text": text }), SOON);
    }

    /// Goes to something of this name by the Tab key alone.
    pub(crate) fn reach(&self, name: &str) {
        self.ask("reach", json!({ "name": name }), SOON);
    }

    /// Types where the focus is.
    pub(crate) fn write(&self, text: &str) {
        self.ask("write", json!({ "text": text }), SOON);
    }

    /// Waits until something of this role and name is to be seen, with this text in it; gives all its text.
    pub(crate) fn see_the(&self, role: &str, name: &str, text: Option<&str>) -> String {
        let seen = self.ask("see", json!({ "role": role, "name": name, "text": text }), SOON);
        seen.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until no such button is to be seen.
    pub(crate) fn gone(&self, button: &str) {
        self.gone_the("button", button);
    }

    /// Waits until nothing of this role and name is to be seen.
    pub(crate) fn gone_the(&self, role: &str, name: &str) {
        self.ask("gone", json!({ "role": role, "name": name }), SOON);
    }

    /// The value of an expression in the page; promises are waited for.
    pub(crate) fn evaluate(&self, js: &str) -> Value {
        self.ask("evaluate", json!({ "js": js }), SOON)
    }

    /// The same; what went wrong, where something may.
    pub(crate) fn try_evaluate(&self, js: &str) -> Result<Value, String> {
        ask(json!({ "op": "evaluate", "js": js, "page": self.name }), SOON)
    }

    /// Waits until an expression in the page is true.
    pub(crate) fn hold(&self, js: &str, within: Duration) -> Value {
        self.ask("hold", json!({ "js": js }), within)
    }

    /// Loads the page anew, without goodbye to the server.
    pub(crate) fn reload(&self) {
        self.ask("reload", json!({}), SOON);
    }

    /// The system turns `light` or `dark`.
    pub(crate) fn turns(&self, scheme: &str) {
        self.ask("scheme", json!({ "scheme": scheme }), SOON);
    }

    /// Keeps a picture of it.
    pub(crate) fn screenshot(&self, path: &Path) {
        self.ask("screenshot", json!({ "path": path }), SOON);
    }

    /// Asserts that axe finds nothing against WCAG 2.2 A and AA.
    pub(crate) fn is_accessible(&self, what: &str) {
        let found = self.ask("axe", json!({}), START);
        assert_eq!(found, json!([]), "axe on {what}");
    }

    /// What is done and seen in a part of the page alone: a dialog (without a name: whichever is open), a group of
    /// fields.
    pub(crate) fn inside<'a>(&'a self, role: &'a str, name: Option<&'a str>) -> Part<'a> {
        Part { page: self, role, name }
    }

    /// The dialog that is open.
    pub(crate) fn dialog(&self) -> Part<'_> {
        self.inside("dialog", None)
    }

    /// Turns a `checkbox`, a `radio` or a `switch`.
    pub(crate) fn tick(&self, role: &str, name: &str) {
        self.ask("tick", json!({ "role": role, "name": name }), SOON);
    }

    /// Chooses in the menu of this label what says this.
    pub(crate) fn choose(&self, label: &str, text: &str) {
        self.ask("choose", json!({ "label": label, "text": text }), SOON);
    }

    /// What stands in the field of this label.
    pub(crate) fn value(&self, label: &str) -> String {
        let value = self.ask("value", json!({ "label": label }), SOON);
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks what has a name that begins like this, and keeps the file that it gives.
    pub(crate) fn download(&self, role: &str, name: &str, path: &Path) {
        self.ask("download", json!({ "role": role, "name": name, "path": path }), SOON);
    }

    fn ask(&self, op: &str, mut fields: Value, within: Duration) -> Value {
        fields["op"] = json!(op);
        fields["page"] = json!(self.name);
        ask(fields, within).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// A part of a page.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    page: &'a Page,
    role: &'a str,
    name: Option<&'a str>,
}

impl Part<'_> {
    /// Clicks the button of this name.
    pub(crate) fn click(&self, button: &str) {
        self.ask("click", json!({ "name": button }));
    }

    /// Types into the field of this label, in place of what is there.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        self.ask("fill", json!({ "label": label, "text": text }));
    }

    /// Turns a `checkbox`, a `radio` or a `switch`.
    pub(crate) fn tick(&self, role: &str, name: &str) {
        self.ask("tick", json!({ "role": role, "name": name }));
    }

    /// Chooses in the menu of this label what says this.
    pub(crate) fn choose(&self, label: &str, text: &str) {
        self.ask("choose", json!({ "label": label, "text": text }));
    }

    /// Waits until this text is to be seen.
    pub(crate) fn see(&self, text: &str) {
        self.ask("see", json!({ "text": text }));
    }

    /// All text of it, once it is there.
    pub(crate) fn text(&self) -> String {
        let text = self.ask("text", json!({}));
        text.as_str().unwrap_or_default().to_owned()
    }

    fn ask(&self, op: &str, mut fields: Value) -> Value {
        fields["inside"] = json!([self.role, self.name]);
        self.page.ask(op, fields, SOON)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Failing, it may be in any state; the bridge's end closes what is left.
        let _closed = ask(json!({ "op": "close", "page": self.name }), SOON);
    }
}
