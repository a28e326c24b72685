//! What strangers try at the console and the API: scripts in every text that somebody else reads, SQL in every filter
//! and path, paths that lead out of where files lie.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser_admin::PAGES;
use crate::harness::api::Session;
use crate::harness::console::Console;
use crate::harness::phone::Phone;
use crate::harness::postgres::Cluster;
use crate::harness::raw::{self, Reply, encoded};
use crate::harness::server::{HELD_BY_CALLS, Server, password};
use crate::harness::shared;
use crate::harness::until;

const SOON: Duration = Duration::from_secs(20);
/// It ends an attribute, and calls what [`Console`] watches in three ways.
const SCRIPT: &str = "\"><img src=x onerror=strange(1)><script>strange(2)</script>";

/// An officer who sees all; texts with a script wherever settings have texts.
fn settings() -> String {
    format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n[number.\"+4930100\"]\nqueue = \"support\"\n\
         [queue.support]\nlanguage = \"en\"\nrecording = \"always\"\nlegal-basis = {{ contract = '{SCRIPT}' }}\n\
         [agent.ada]\ndisplay-name = '{SCRIPT}'\npassword = \"x\"\nqueues = [\"support\"]\n\
         [role.odd]\ndescription = '{SCRIPT}'\nrights = [\"view-calls\"]\n\
         [user.mallory]\ndisplay-name = '{SCRIPT}'\nrole = \"odd\"\npassword = \"{}\"\nmust-change = false\n\
         [provider.corp]\ndisplay-name = '{SCRIPT}'\nissuer = \"http://127.0.0.1:9/\"\nclient-id = '{SCRIPT}'\n\
         client-secret = \"s\"\n\
         [user.officer]\nrole = \"superuser\"\ngrants = [\"dpo\", \"customer-consent\"]\nagent = \"ada\"\n\
         password = \"{}\"\nmust-change = false\n",
        password("mallory"),
        password("officer")
    )
}

#[test]
fn no_page_runs_a_stranger_s_script() {
    let _machine = shared();
    let server = Server::start(&settings());
    let officer = Session::open(server.http, "officer", &password("officer"));
    let call = texts_of_strangers(&server, &officer);
    let console = Console::open(&server);
    // The log-in page offers the provider by its name.
    console.page.see(SCRIPT);
    console.is_clean("log-in");
    console.is("officer", &password("officer"));
    for (address, heading, _) in PAGES {
        console.goes(address, heading);
        console.holds("!document.querySelector('main .mantine-Loader-root')");
        console.is_clean(address);
    }
    for (address, seen) in [
        (format!("all-calls/{call}"), true),
        ("users/mallory".to_owned(), false),
        ("roles/odd".to_owned(), false),
        ("agents/ada".to_owned(), false),
        ("queues/support".to_owned(), true),
        ("providers/corp".to_owned(), false),
        ("users".to_owned(), true),
        ("roles".to_owned(), true),
        ("agents".to_owned(), true),
        ("directory".to_owned(), true),
        ("holds".to_owned(), true),
        ("tokens".to_owned(), false),
        ("tasks".to_owned(), true),
        ("audit".to_owned(), true),
        ("listening-log".to_owned(), false),
    ] {
        console.page.evaluate(&format!("void (window.location.hash = {})", json!(format!("#/{address}"))));
        console.holds(
            "!document.querySelector('main .mantine-Loader-root') && document.querySelector('main h1')",
        );
        if seen {
            // It is shown as the text that it is: the page did not just leave it out.
            console.holds("document.querySelector('main').innerText.includes('<script>strange(2)</script>')");
        }
        console.is_clean(&address);
    }
    // The watch itself works: an element of that kind is found, and the policy forbids its handler.
    console
        .page
        .evaluate("void document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=strange(9)>')");
    let forbidden = "window.forbidden.some((it) => it.startsWith('script-src'))";
    console.holds(forbidden);
    assert_eq!(console.page.evaluate("window.ran"), json!([]), "the policy kept it from running");
}

/// Calls, and what people write about them: the call's id.
fn texts_of_strangers(server: &Server, officer: &Session) -> String {
    let mut caller = Phone::new(server.udp, [127, 0, 0, 2], "+4930555001");
    let (local, quoted) = (caller.local(), SCRIPT.replace('"', "\\\""));
    for from in [
        format!("\"{quoted}\" <sip:+4930555001@{local}>"),
        format!("<sip:%22%3E%3Cscript%3Estrange(3)%3C%2Fscript%3E@{local}>"),
    ] {
        let more = [("User-Agent", SCRIPT), ("Subject", SCRIPT), ("X-Data", SCRIPT)];
        caller.call_from("+4930100", &from, &more);
        let answer = caller.response("INVITE");
        assert_eq!(answer.status(), Some(200), "{from}: {}", answer.start);
        caller.answered(&answer);
        caller.bye();
    }
    server.empty(&HELD_BY_CALLS[..3], SOON);
    let (_, calls) = officer.ask("GET", "/calls", None);
    assert_eq!(calls["items"].as_array().map_or(0, Vec::len), 2, "{calls}");
    let call = calls["items"][1]["id"].as_str().expect("an id").to_owned();
    officer.does("PUT", &format!("/calls/{call}/data"), Some(json!({ "case": SCRIPT })));
    let own = password("officer");
    let token = json!({ "name": "nightly", "rights": ["view-calls"], "days": 1, "password": own });
    let (status, made) = officer.ask("POST", "/tokens", Some(token));
    assert!([200, 201].contains(&status), "{made}");
    let hold = json!({ "on": { "call": call }, "reason": SCRIPT });
    let (status, made) = officer.ask("POST", "/holds", Some(hold));
    assert_eq!(status, 201, "{made}");
    let task = json!({ "kind": "report", "selection": { "calls": [call], "consents": true, "entries": [] }, "reason": SCRIPT });
    let (status, made) = officer.ask("POST", "/privacy/tasks", Some(task));
    assert_eq!(status, 201, "{made}");
    let quoted = SCRIPT.replace('"', "\"\"");
    let list = format!("list,name,number,email,note\r\nvip,\"{quoted}\",+4930555001,,\"{quoted}\"\r\n");
    let headers = [("Cookie", officer.cookie()), ("Content-Type", "text/csv; charset=utf-8")];
    let answer = raw::ask(server.http, ("POST", "/api/v1/privacy/directory"), &headers, list.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    call
}

/// What would be true, end a statement, or take all names, if it were not taken as a text.
const STATEMENTS: [&str; 7] = [
    "' OR '1'='1",
    "x' OR 1=1 --",
    "\" OR \"\"=\"",
    "'; DROP TABLE calls; --",
    "1) UNION SELECT password FROM users --",
    "%' OR from_number LIKE '%",
    "\0'\\",
];

#[test]
fn statements_in_filters_and_paths_are_texts() {
    let _machine = shared();
    for database in [String::new(), format!("[database]\nurl = {:?}\n", Cluster::shared().database())] {
        let server = Server::start_with(&settings(), &database);
        let officer = Session::open(server.http, "officer", &password("officer"));
        texts_of_strangers(&server, &officer);
        let (_, document) = officer.ask("GET", "/openapi.json", None);
        let mut asked = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                // Streams have no end; who asks stays logged in; a provider is elsewhere.
                if path == "/events" || path.starts_with("/session") || path.starts_with("/sign-on") {
                    continue;
                }
                asked += with_statements(&server, &officer, (method, path), operation);
            }
        }
        assert!(asked > 500, "{asked} requests");
        for (field, text) in
            [("name", "ab%"), ("name", "%abc"), ("email", "' OR '1'='1"), ("name", "abc' OR '1'='1")]
        {
            let (status, found) = officer.ask("POST", "/privacy/search", Some(json!({ field: text })));
            assert!([200, 422].contains(&status), "{field} {text}: {found}");
            for group in ["calls", "consents", "recordings", "entries"] {
                assert_eq!(found[group]["total"].as_u64().unwrap_or(0), 0, "{field} {text}: {found}");
            }
        }
        let (_, found) = officer.ask("POST", "/privacy/search", Some(json!({ "number": "555001" })));
        assert_eq!(found["entries"]["total"], 1, "what is there is found: {found}");
        let (_, calls) = officer.ask("GET", "/calls", None);
        assert_eq!(calls["items"].as_array().map_or(0, Vec::len), 2, "nothing was dropped: {calls}");
        server.audit_is_whole();
    }
}

/// Filters whose texts must fit something: with a statement there, a list finds nothing.
const MUST_FIT: [&str; 9] = ["q", "queue", "agent", "number", "who", "call", "recording", "action", "object"];

/// Puts each statement into each parameter of an operation: how many requests that made.
fn with_statements(
    server: &Server,
    officer: &Session,
    (method, path): (&str, &str),
    operation: &Value,
) -> usize {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let (mut asked, headers) = (0, [("Cookie", officer.cookie()), ("Content-Type", "application/json")]);
    for parameter in &parameters {
        let (name, place) = (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str());
        if method != "get" && place == Some("query") {
            continue;
        }
        for statement in STATEMENTS {
            let statement = encoded(statement);
            let target = match place {
                Some("path") => path.replace(&format!("{{{name}}}"), &statement),
                Some("query") => format!("{}?{name}={statement}", placed(path)),
                _ => continue,
            };
            let target = format!("/api/v1{}", placed(&target));
            let body: &[u8] = if method == "get" { b"" } else { b"{}" };
            let reply = raw::ask(server.http, (&method.to_uppercase(), &target), &headers, body);
            let text = reply.text();
            assert!(reply.status < 500, "{method} {target}: {} {text}", reply.status);
            for word in
                ["syntax error", "sqlite", "sqlx", "SELECT id", "no such column", "relation \"", "argon2"]
            {
                assert!(!text.contains(word), "{method} {target} tells {word:?}: {text}");
            }
            if reply.status == 200 && place == Some("query") && MUST_FIT.contains(&name) {
                let found: Value = serde_json::from_str(&text).unwrap_or_default();
                let items = found["items"].as_array().map_or(0, Vec::len);
                assert_eq!(items, 0, "{method} {target} finds something: {text}");
            }
            asked += 1;
        }
    }
    asked
}

/// With something in place of what else is named in a path.
fn placed(path: &str) -> String {
    let mut parts =
        path.split('/').map(|part| if part.starts_with('{') { "01ARZ3NDEKTSV4RRFFQ69G5FAV" } else { part });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}/{part}"))
}

#[test]
fn no_path_leads_out_of_where_files_lie() {
    let _machine = shared();
    let server = Server::start(&settings());
    let officer = Session::open(server.http, "officer", &password("officer"));
    let index = raw::ask(server.http, ("GET", "/"), &[], b"").body;
    let secret = std::fs::read_to_string(server.config()).expect("the configuration");
    let here = server.dir.path().display().to_string();
    let targets =
        ["etc/passwd", "sayso.toml", "data/vault.key", "data/sayso.db", "Cargo.toml", "src/main.rs"];
    let ups = [
        "../",
        "..%2f",
        "..%2F",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%252f",
        "%252e%252e%252f",
        "..%5c",
        "..\\",
        "....//",
        "..%c0%af",
        "..;/",
        "%00../",
    ];
    let places = [
        "/",
        "/assets/",
        "/api/docs/",
        "/api/v1/recordings/",
        "/api/v1/privacy/tasks/",
        "/api/v1/prompts/",
        "/api/v1/queues/",
        "/api/v1/sign-on/",
    ];
    let mut asked = 0;
    for place in places {
        let absolute = [
            format!("{place}%2fetc%2fpasswd"),
            format!("{place}/etc/passwd"),
            format!("{place}file:%2f%2f%2fetc%2fpasswd"),
            format!("{place}{}", encoded(&format!("{here}/sayso.toml"))),
        ];
        let relative = ups.iter().flat_map(|up| {
            targets
                .iter()
                .flat_map(move |target| [1, 3, 9].map(|depth| format!("{place}{}{target}", up.repeat(depth))))
        });
        for path in absolute.into_iter().chain(relative) {
            let ends: &[&str] = match place {
                "/api/v1/recordings/" => &["/audio"],
                "/api/v1/privacy/tasks/" => &["/file"],
                "/api/v1/prompts/" => &["", "/audio"],
                _ => &[""],
            };
            for end in ends {
                leads_nowhere(server.http, &officer, &format!("{path}{end}"), (&index, &secret));
                asked += 1;
            }
        }
    }
    assert!(asked > 1_000, "{asked} paths");
    until(SOON, "the server to answer as before", || {
        (officer.ask("GET", "/session", None).0 == 200).then_some(())
    });
}

/// Refused, or the pages' own entry: never a file of ours or of the machine.
fn leads_nowhere(http: SocketAddr, officer: &Session, path: &str, (index, secret): (&[u8], &str)) {
    let reply = raw::ask(http, ("GET", path), &[("Cookie", officer.cookie())], b"");
    let Reply { status, head, body } = &reply;
    // A provider that is none leads back to the log-in page.
    let back = *status == 302
        && head.lines().any(|line| line.eq_ignore_ascii_case("location: /#/log-in?fault=no-provider"));
    let own = *status == 200 && body == index;
    assert!(back || own || [400, 404, 405].contains(status), "{path}: {status} {head} {}", reply.text());
    let text = reply.text();
    for word in ["root:x:0", "[package]", "SQLite format", "fn main", secret.trim()] {
        assert!(!text.contains(word), "{path} gives a file: {text}");
    }
}
