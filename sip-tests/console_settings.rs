//! Administrators change things by page: what is recorded, who may get in and with which rights, tokens of machines,
//! webhooks. What comes of it is asked from a telephone, from the API and from a listener elsewhere.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::console::{Console, calls};
use crate::harness::listener::Listener;
use crate::harness::phone::SOON;
use crate::harness::raw;
use crate::harness::server::{Server, password};
use crate::harness::vault::{self, Kept, settled};
use crate::harness::{shared, until};

const CALLER: &str = "+4930555987001";
const NEW_PASSWORD: &str = "a password that is typed";
const SECRET: &str = "what the webhook is signed with";

/// A queue that records nobody; two who set what is recorded, two superusers.
fn settings() -> String {
    let users = [
        ("rita", "recording-administrator"),
        ("ralf", "recording-administrator"),
        ("boss", "superuser"),
        ("chef", "superuser"),
    ]
    .map(|(user, role)| {
        format!("[user.{user}]\nrole = \"{role}\"\npassword = \"{}\"\nmust-change = false\n", password(user))
    });
    let here = "[system.sayso]\nwebhook-networks = [\"127.0.0.1\"]\n";
    format!("{}{}{here}", vault::settings(1, |_| "recording = \"never\"".to_owned()), users.concat())
}

#[test]
fn what_administrators_change_by_page_holds() {
    let _machine = shared();
    let server = vault::start(&settings(), &Kept::Folder.config("", ""));
    let consoles = [Console::open(&server), Console::open(&server)];
    users_are_managed(&server, &consoles);
    tokens_end(&server, &consoles[0]);
    let listener = Listener::start();
    webhooks_are_tested(&consoles[0], &listener);
    what_is_recorded_changes(&server, &consoles, &listener);
    for console in &consoles {
        console.is_clean("the end");
    }
    server.audit_is_whole();
}

/// The sentence and the linter follow what is typed; what is saved holds from the next call on; and of two who change
/// the same, the second sees both.
fn what_is_recorded_changes(server: &Server, [first, second]: &[Console; 2], listener: &Listener) {
    calls(server, CALLER, None);
    server.nothing_captured();
    listener.hears("call.ended");
    first.is("rita", &password("rita"));
    second.is("ralf", &password("ralf"));
    first.goes("queues/q0", "q0");
    second.goes("queues/q0", "q0");
    let preview = first.page.inside("complementary", Some("What will happen"));
    preview.see("Callers of q0 are never recorded");
    first.page.tick("switch", "Agents may record without consent (with a reason)");
    preview.see("Nobody is asked here, and agents may record all the same");
    first.page.tick("switch", "Agents may record without consent (with a reason)");
    let recording = first.page.inside("group", Some("Recording"));
    recording.tick("radio", "Always");
    first.page.fill("Legal obligation", "quality");
    preview.see("all are recorded for the obligation quality");
    preview.see("callers are recorded without being asked");
    recording.tick("radio", "After asking");
    preview.see("Callers of q0 are asked each time; yes: recorded, kept for ever");
    first.page.inside("group", Some("Recordings are kept")).tick("radio", "For");
    preview.see("kept 90 days");
    first.saves("Save");
    let (_, stored) = first.api("GET", "/queues/q0");
    assert_eq!((&stored["recording"], &stored["file-removal"]), (&json!("consent"), &json!("90d")));

    second.page.inside("group", Some("Call data is kept")).tick("radio", "For");
    second.page.click("Save");
    let dialog = second.page.dialog();
    dialog.see("Somebody else was faster");
    let said = dialog.text();
    for one in ["Recording", "consent", "Recordings are kept", "90d", "Call data is kept"] {
        assert!(said.contains(one), "{one}: {said}");
    }
    second.saves("Save what is chosen");
    let (_, stored) = second.api("GET", "/queues/q0");
    let of = |key: &str| stored[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (of("recording"), of("file-removal"), of("retention")),
        ("consent".into(), "90d".into(), "90d".into())
    );
    // The document says so; the desk follows within moments.
    calls(server, CALLER, Some('1'));
    let given = listener.hears("consent.given");
    assert!(given.is_signed_with(SECRET) && !given.body.contains("30555987001"), "{given:?}");
    listener.hears("call.ended");
    let rows = settled(server, Duration::from_secs(30));
    assert_eq!(rows.len(), 1, "the next caller was asked and agreed: {rows:?}");
    let changed = server.rows(&["audit", "list", "--action", "queue.changed"]);
    let by = |who: &str, value: &str| {
        changed.iter().any(|row| {
            row["class"] == "config" && row.to_string().contains(who) && row.to_string().contains(value)
        })
    };
    assert!(by("user rita", "consent") && by("user ralf", "90d"), "{changed:?}");
}

/// A user is made, changed, locked out, let in, given a role of the house and removed.
fn users_are_managed(server: &Server, [first, second]: &[Console; 2]) {
    first.is("boss", &password("boss"));
    second.is("chef", &password("chef"));
    first.goes("roles/~new", "New role");
    first.page.fill("Name", "counter");
    first.page.fill("What it is for", "Counts calls");
    first.page.tick("checkbox", "See figures: calls and consents by queue and day");
    first.page.click("Create");
    first.page.see_the("heading", "counter", None);
    first.goes("users/~new", "New user");
    first.page.fill("User name", "kim");
    first.page.fill("Name", "Kim Example");
    first.page.fill("Password", &password("kim"));
    first.page.tick("switch", "Has to choose a password at the next log-in");
    first.page.choose("Role", "counter");
    first.page.click("Create");
    first.page.see_the("heading", "kim", None);
    let kim = Session::open(server.http, "kim", &password("kim"));
    assert_eq!(kim.ask("GET", "/session", None).1["role"], "counter");
    assert_eq!((kim.ask("GET", "/reports/calls", None).0, kim.ask("GET", "/calls", None).0), (200, 403));

    // Another right for the role holds for who has it.
    first.goes("roles/counter", "counter");
    first.page.tick("checkbox", "See past calls, their notes and attached data");
    first.saves("Save");
    let seen = || (kim.ask("GET", "/calls", None).0 == 200).then_some(());
    until(SOON, "the role's new right", seen);

    two_change_a_user(server, first, second);

    // Locked out by wrong passwords, and let in again.
    for _ in 0..5 {
        let body = json!({ "user": "kim", "password": "no such password" });
        assert_ne!(Session::stranger(server.http).ask("POST", "/session", Some(body)).0, 200);
    }
    first.goes_anew("users/kim", "kim");
    first.says("Locked until");
    first.page.click("Unlock");
    first.says("Not locked");
    Session::open(server.http, "kim", NEW_PASSWORD);
    first.goes_anew("users/kim", "kim");
    first.page.click("End all sessions");
    first.page.dialog().click("End all sessions");
    first.page.see("All sessions have ended.");
    assert_eq!(kim.ask("GET", "/session", None).0, 401);

    first.page.click("Remove");
    first.page.dialog().click("Remove");
    first.page.see("Removed.");
    let body = json!({ "user": "kim", "password": NEW_PASSWORD });
    assert_eq!(Session::stranger(server.http).ask("POST", "/session", Some(body)).0, 401);
    for (action, class) in [
        ("user.added", "rights"),
        ("user.changed", "rights"),
        ("user.removed", "rights"),
        ("role.added", "rights"),
        ("role.changed", "rights"),
        ("user.locked", "failure"),
        ("user.unlocked", "rights"),
        ("user.sessions-ended", "rights"),
    ] {
        let rows = server.rows(&["audit", "list", "--action", action]);
        assert!(rows.iter().any(|row| row["class"] == class), "{action}: {rows:?}");
        assert!(!rows.iter().any(|row| row.to_string().contains(NEW_PASSWORD)), "{action} tells a password");
    }
}

/// The second of two sees what both changed, and nobody sees the password that was typed.
fn two_change_a_user(server: &Server, first: &Console, second: &Console) {
    second.goes("users/kim", "kim");
    first.goes("users/kim", "kim");
    first.page.fill("Name", "Kim the First");
    first.saves("Save");
    second.page.fill("Name", "Kim the Second");
    second.page.fill("Password", NEW_PASSWORD);
    second.page.click("Save");
    let dialog = second.page.dialog();
    dialog.see("Somebody else was faster");
    let said = dialog.text();
    assert!(said.contains("Kim the First") && said.contains("Kim the Second"), "{said}");
    assert!(!second.text().contains(NEW_PASSWORD), "the password that was typed is shown: {said}");
    second.saves("Save what is chosen");
    Session::open(server.http, "kim", NEW_PASSWORD);
}

/// A token is made, shown once, does what it may and nothing else, and ends when it is revoked.
fn tokens_end(server: &Server, console: &Console) {
    console.goes("tokens", "Tokens");
    console.page.click("New token");
    let dialog = console.page.dialog();
    dialog.fill("Name", "nightly");
    dialog.tick("checkbox", "See past calls, their notes and attached data");
    dialog.fill("Your password", &password("boss"));
    dialog.click("Make token");
    dialog.see("Copy it now");
    let token = console.page.value("Token");
    assert!(token.starts_with("sayso_"), "{} characters", token.len());
    dialog.click("Done");
    let tokens = console.page.inside("table", Some("Tokens"));
    tokens.see("Valid");
    assert!(!console.text().contains(&token), "it is shown once");
    assert_eq!(with_token(server.http, &token, "/calls"), 200);
    assert_eq!(with_token(server.http, &token, "/users"), 403);
    console.page.click("Revoke nightly");
    console.page.dialog().click("Revoke");
    tokens.see("Revoked");
    assert_eq!(with_token(server.http, &token, "/calls"), 401);
    let made = server.rows(&["audit", "list", "--action", "token.made"]);
    let revoked = server.rows(&["audit", "list", "--action", "token.revoked"]);
    // A row for each attribute of what was made.
    assert_eq!((made.len(), revoked.len()), (3, 1));
    assert!(
        made.iter().chain(&revoked).all(|row| row["class"] == "rights" && !row.to_string().contains(&token))
    );
}

fn with_token(http: SocketAddr, token: &str, path: &str) -> u16 {
    let path = format!("/api/v1{path}");
    raw::ask(http, ("GET", &path), &[("Authorization", &format!("Bearer {token}"))], b"").status
}

/// A webhook is made; its test arrives, signed; and the page tells that it did.
fn webhooks_are_tested(console: &Console, listener: &Listener) {
    console.goes("webhooks/~new", "New webhook");
    console.page.fill("Name", "crm");
    console.page.fill("Address", &format!("http://{}/sayso", listener.address));
    console.page.fill("Key of the signature", SECRET);
    console.page.tick("checkbox", "A call ended");
    console.page.tick("checkbox", "Consent given");
    console.page.click("Create");
    console.page.see_the("heading", "crm", None);
    console.says("Nothing was sent yet.");
    console.page.click("Send a test");
    let told = listener.hears("test");
    assert!(told.is_signed_with(SECRET) && !told.is_signed_with("another secret"), "{told:?}");
    assert_ne!(told.json(), Value::Null);
    console.says("It was taken (200");
    let log = console.page.inside("table", Some("Deliveries")).text();
    assert!(log.contains("test") && log.contains("Delivered") && log.contains("200"), "{log}");
    assert!(!console.text().contains(SECRET));
}
