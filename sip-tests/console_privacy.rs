//! Two data protection officers erase a person: by page on SQLite, by API on PostgreSQL. Afterwards the person is
//! nowhere, another one is still there, and the certificate is checked without the server.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::console::{Console, calls};
use crate::harness::postgres::Cluster;
use crate::harness::raw;
use crate::harness::server::{Server, password, text};
use crate::harness::shared;
use crate::harness::until;
use crate::harness::vault::{self, Kept, ROOT, settled};

const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"10s\" }";
const BERTA: &str = "+4930555987001";
const OTHER: &str = "+4930555987002";
/// All that is known of Berta, as it would be found in an answer.
const SECRETS: [&str; 5] =
    ["30555987001", "Berta Vergessen", "shoe size", "case-of-berta", "berta@example.org"];
const SOON: Duration = Duration::from_secs(60);

/// A server with calls of two people, of whom Berta has a note, data and an entry in the directory.
fn server(database: &str) -> Server {
    let people = [("dora", "superuser", true), ("emil", "superuser", true), ("agent0", "agent", false)];
    let users = people.map(|(user, role, officer)| {
        let more = if officer { "grants = [\"dpo\", \"customer-consent\"]" } else { "agent = \"agent0\"" };
        let password = password(user);
        format!("[user.{user}]\nrole = \"{role}\"\npassword = \"{password}\"\nmust-change = false\n{more}\n")
    });
    let settings = format!("{}{}", vault::settings(1, |_| ASK.to_owned()), users.concat());
    let server = vault::start(&settings, &format!("{}{database}", Kept::Folder.config("", "")));
    for from in [BERTA, OTHER] {
        calls(&server, from, Some('1'));
    }
    settled(&server, SOON);
    let [root, agent, dora] = [ROOT, ("agent0", "secret-of-agent0"), ("dora", "secret-of-dora")]
        .map(|(user, password)| Session::open(server.http, user, password));
    let (_, page) = root.ask("GET", "/calls", None);
    let call = of_number(&page, BERTA);
    root.does("PUT", &format!("/calls/{call}/data"), Some(json!({ "case": "case-of-berta" })));
    agent.does("POST", &format!("/calls/{call}/notes"), Some(json!({ "text": "She told her shoe size" })));
    let list = format!(
        "list,name,number,email,note\r\nvip,Berta Vergessen,{BERTA},berta@example.org,shoe size 38\r\n"
    );
    let headers = [("Cookie", dora.cookie()), ("Content-Type", "text/csv; charset=utf-8")];
    let answer = raw::ask(server.http, ("POST", "/api/v1/privacy/directory"), &headers, list.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.rows(&["audit", "list", "--action", "directory.imported"]).len(), 1);
    server
}

fn of_number(page: &Value, number: &str) -> String {
    let mut items = page["items"].as_array().into_iter().flatten();
    let call = items.find(|call| call["caller"] == number).unwrap_or_else(|| panic!("{number}: {page}"));
    call["id"].as_str().expect("an id").to_owned()
}

#[test]
fn two_officers_erase_a_person_by_page() {
    let _machine = shared();
    let server = server("");
    let console = Console::open(&server);
    console.is("dora", &password("dora"));
    let dora = Session::open(server.http, "dora", &password("dora"));
    let before = places(&server, &dora);
    assert!(before.iter().any(|(_, body)| body.contains(SECRETS[0])), "she is known before");
    is_reported(&server, &console);
    is_restricted(&server, &console);

    searches(&console);
    console.page.click("Erase…");
    console.page.dialog().fill("Reason", "She asked for it by letter");
    console.page.dialog().click("Erase for good");
    console.page.dialog().see("Tick the box first.");
    console.page.dialog().tick(
        "checkbox",
        "I have checked that what is selected (calls: 1, directory entries: 1) is of the person who asks.",
    );
    console.page.dialog().click("Erase for good");
    console.says("Another data protection officer has to approve it.");
    console.goes("tasks", "Tasks");
    console.says("Waits for approval");
    assert_eq!(console.page.evaluate("[...document.querySelectorAll('main button')].filter((it) => it.textContent.startsWith('Approve')).length"), 0, "nobody approves what one asked for");

    console.is("emil", &password("emil"));
    console.goes("tasks", "Tasks");
    console.page.click("Approve…");
    console.page.dialog().see("1 calls");
    console.page.dialog().click("Approve");
    console.page.see("Approved: it begins now.");
    let certificate = server.dir.path().join("erasure.json");
    console.page.see_within("Certificate", SOON);
    console.page.download("link", "Download the result of Erase", &certificate);
    is_proven(&server, &certificate);

    // Nowhere: neither where people look, nor in what can be taken out, nor in the audit log.
    console.goes("privacy", "Requests");
    console.page.fill("Number", "987001");
    console.page.click("Search");
    console.says("Nothing is known of this person.");
    for (address, heading) in [
        ("all-calls", "Calls"),
        ("consents", "Consents"),
        ("recordings", "Recordings"),
        ("directory", "Directory"),
        ("audit", "Audit log"),
        ("tasks", "Tasks"),
    ] {
        console.goes(address, heading);
        console.holds("!document.querySelector('main [role=status] .mantine-Loader-root')");
        console.holds("document.querySelector('main table, main .list-none')");
        let shown = console.text();
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{address}: {shown}");
    }
    is_nowhere(&server, &dora);
    console.is_clean("the end");
    tells_the_audit_log(&server);
}

#[test]
fn two_officers_erase_a_person_on_postgresql() {
    let _machine = shared();
    let url = Cluster::shared().database();
    let server = server(&format!("[database]\nurl = {url:?}\n"));
    let [dora, emil] = ["dora", "emil"].map(|user| Session::open(server.http, user, &password(user)));
    let (status, found) = dora.ask("POST", "/privacy/search", Some(json!({ "number": "987001" })));
    assert_eq!(status, 200, "{found}");
    let ids = |group: &str| -> Vec<Value> {
        found[group]["items"].as_array().into_iter().flatten().map(|one| one["id"].clone()).collect()
    };
    let selection = json!({ "calls": ids("calls"), "consents": true, "entries": ids("entries") });
    let ask = |kind: &str| {
        let body = json!({ "kind": kind, "selection": selection, "reason": "She asked for it by letter" });
        let (status, task) = dora.ask("POST", "/privacy/tasks", Some(body));
        assert_eq!(status, 201, "{kind} of {selection}: {task}; found {found}");
        task["id"].as_str().expect("an id").to_owned()
    };
    for kind in ["restrict", "unrestrict", "report", "zip"] {
        let id = ask(kind);
        done(&dora, &id);
        let calls = Session::open(server.http, ROOT.0, ROOT.1).ask("GET", "/calls", None).1;
        let seen = calls["items"].as_array().map_or(0, Vec::len);
        assert_eq!(seen, if kind == "restrict" { 1 } else { 2 }, "{kind}: {calls}");
    }
    let erase = ask("erase");
    assert_eq!(dora.ask("POST", &format!("/privacy/tasks/{erase}/approve"), Some(json!({}))).0, 409);
    assert_eq!(emil.ask("POST", &format!("/privacy/tasks/{erase}/approve"), Some(json!({}))).0, 200);
    done(&dora, &erase);
    let path = format!("/api/v1/privacy/tasks/{erase}/file");
    let certificate = server.dir.path().join("erasure.json");
    let file = raw::ask(server.http, ("GET", &path), &[("Cookie", dora.cookie())], b"");
    std::fs::write(&certificate, &file.body).expect("the folder is writable");
    is_proven(&server, &certificate);
    is_nowhere(&server, &dora);
    tells_the_audit_log(&server);
}

/// Waits until a task is done.
fn done(officer: &Session, id: &str) {
    until(SOON, "the task", || {
        let (_, task) = officer.ask("GET", &format!("/privacy/tasks/{id}"), None);
        assert!(task["state"] != "failed", "{task}");
        (task["state"] == "done").then_some(())
    });
}

/// Finds what is known of Berta; all of it is selected.
fn searches(console: &Console) {
    console.goes("account", "Sign-in & security");
    console.goes("privacy", "Requests");
    console.page.fill("Number", "98 70-01");
    console.page.click("Search");
    console.says("Selected: 1 call, 1 directory entry");
    console.says("Berta Vergessen");
}

fn asks(console: &Console, kind: &str) {
    searches(console);
    console.page.click(&format!("{kind}…"));
    console.page.dialog().fill("Reason", "She asked for it by letter");
    console.page.dialog().click("Start");
    console.says("The task was made.");
    console.goes("tasks", "Tasks");
}

/// The report names all that is known, the zip has the recording.
fn is_reported(server: &Server, console: &Console) {
    asks(console, "Report (CSV)");
    let report = server.dir.path().join("report.csv");
    console.page.see_within("Download", SOON);
    console.page.download("link", "Download the result of Report (CSV)", &report);
    let told = std::fs::read_to_string(&report).expect("text");
    for secret in SECRETS {
        assert!(told.contains(secret), "{secret}: {told}");
    }
    assert!(!told.contains(&OTHER[1..]), "of nobody else: {told}");
    asks(console, "Recordings (zip)");
    let zip = server.dir.path().join("recordings.zip");
    console.page.download("link", "Download the result of Recordings (zip)", &zip);
    let bytes = std::fs::read(&zip).expect("a file");
    assert!(bytes.starts_with(b"PK") && bytes.len() > 8_000, "{} bytes", bytes.len());
}

/// What is restricted is there for officers alone, until that is lifted.
fn is_restricted(server: &Server, console: &Console) {
    let root = Session::open(server.http, ROOT.0, ROOT.1);
    let dora = Session::open(server.http, "dora", &password("dora"));
    let (_, page) = dora.ask("GET", "/calls", None);
    let call = of_number(&page, BERTA);
    let (_, recordings) = dora.ask("GET", &format!("/recordings?call={call}"), None);
    let recording = recordings["items"][0]["id"].as_str().expect("her recording").to_owned();
    let hidden = |who: &Session| {
        let lists = ["/calls", "/recordings", "/consents"]
            .map(|path| who.ask("GET", path, None).1["items"].as_array().map_or(0, Vec::len));
        let one = ["", "/audio", "/waveform", "/why"].map(|part| {
            let path = format!("/api/v1/recordings/{recording}{part}");
            raw::ask(server.http, ("GET", &path), &[("Cookie", who.cookie())], b"").status
        });
        (lists, who.ask("GET", &format!("/calls/{call}"), None).0, one)
    };
    assert_eq!(hidden(&root), ([2, 2, 2], 200, [200; 4]));
    asks(console, "Restrict");
    until(SOON, "the restriction", || (hidden(&root).0 == [1; 3]).then_some(()));
    assert_eq!(hidden(&root), ([1, 1, 1], 404, [404; 4]));
    assert_eq!(hidden(&dora).0, [2, 2, 2]);
    asks(console, "Lift restriction");
    until(SOON, "the restriction's end", || (hidden(&root).0 == [2; 3]).then_some(()));
}

/// The certificate is as it was signed, and one that was changed is not; nothing but the key is needed for that.
fn is_proven(server: &Server, certificate: &Path) {
    let key = server.run(&["certificate", "key", "--config"], &[&server.config()]);
    let key = text(&key);
    let key =
        key.split_whitespace().find(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()));
    let key = key.expect("a public key").to_owned();
    let verify = |file: &Path| server.run(&["certificate", "verify", "--key", &key], &[file]);
    let output = verify(certificate);
    assert!(output.status.success(), "{}", text(&output));
    let told = std::fs::read_to_string(certificate).expect("text");
    assert!(SECRETS.iter().all(|secret| !told.contains(secret)), "{told}");
    let forged = certificate.with_extension("forged");
    let digit = told.char_indices().find(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).expect("a digit");
    let other = if told.as_bytes()[digit] == b'9' { "8" } else { "9" };
    std::fs::write(&forged, format!("{}{other}{}", &told[..digit], &told[digit + 1..])).expect("writable");
    assert!(!verify(&forged).status.success(), "a certificate with another digit");
}

/// What each list of the API tells this user, as JSON and as CSV.
fn places(server: &Server, who: &Session) -> Vec<(String, String)> {
    let (_, document) = who.ask("GET", "/openapi.json", None);
    let mut told = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if methods["get"].is_null()
            || path.contains('{')
            || ["/events", "/openapi.json"].contains(&path.as_str())
        {
            continue;
        }
        for more in ["", "?limit=500", "?format=csv"] {
            let path = format!("/api/v1{path}{more}");
            let answer = raw::ask(server.http, ("GET", &path), &[("Cookie", who.cookie())], b"");
            assert!(answer.status < 500, "{path}: {}", answer.text());
            if answer.status == 200 {
                told.push((path, answer.text()));
            }
        }
    }
    assert!(told.len() > 30, "{} answers", told.len());
    told
}

fn is_nowhere(server: &Server, who: &Session) {
    let told = places(server, who);
    for (path, body) in &told {
        for secret in SECRETS {
            assert!(!body.contains(secret), "{secret} at {path}: {body}");
        }
    }
    for other in ["/api/v1/calls", "/api/v1/calls?format=csv", "/api/v1/consents"] {
        let body = &told.iter().find(|(path, _)| path == other).unwrap_or_else(|| panic!("{other}")).1;
        assert!(body.contains(&OTHER[1..]), "the other caller is still at {other}: {body}");
    }
    let (_, found) = who.ask("POST", "/privacy/search", Some(json!({ "name": "vergessen" })));
    assert_eq!(found["entries"]["total"], 0, "{found}");
    let rows = server.rows(&["audit", "list"]);
    let row = rows.iter().find(|row| SECRETS.iter().any(|secret| row.to_string().contains(secret)));
    assert!(row.is_none(), "{row:?}");
    server.audit_is_whole();
}

/// Each step is in the log, in its class.
fn tells_the_audit_log(server: &Server) {
    for (action, class) in [
        ("call.restricted", "modify"),
        ("call.unrestricted", "modify"),
        ("call.anonymised", "modify"),
        ("consents.erased", "modify"),
        ("directory-entry.removed", "modify"),
        ("directory.imported", "modify"),
        ("person.erased", "modify"),
        ("privacy-task.asked", "modify"),
        ("privacy-task.approved", "rights"),
        ("privacy-task.downloaded", "read"),
        ("privacy-task.ended", "modify"),
        ("recording.destroyed", "modify"),
        ("recording.removed", "modify"),
    ] {
        let rows = server.rows(&["audit", "list", "--action", action]);
        assert!(rows.iter().any(|row| row["class"] == class), "{action} in {class}: {rows:?}");
    }
}
