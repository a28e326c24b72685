//! The REST API, walked by its own OpenAPI document with schemathesis: no answer of 500 and more, each status and
//! each shape as the document says, whatever is sent.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::api::Session;
use crate::harness::postgres::Cluster;
use crate::harness::raw;
use crate::harness::server::{Server, password};
use crate::harness::shared;

/// A superuser who has been granted the two rights that no role holds.
const SETTINGS: &str = "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n\
     [number.\"+4930100\"]\nqueue = \"support\"\n\
     [queue.support]\nlanguage = \"en\"\nrecording = \"consent\"\n\
     [agent.ada]\nqueues = [\"support\"]\n\
     [user.boss]\nrole = \"superuser\"\ngrants = [\"dpo\", \"customer-consent\"]\npassword = \"secret-of-boss\"\n\
     must-change = false\nagent = \"ada\"\n";

/// What a walker must not find: a stream has no end; logging out, and losing the session or the user that walks, ends
/// the walk; a provider elsewhere is nobody's to call from a test.
const LEFT_OUT: [&str; 6] = [
    "/events",
    "/session",
    "/session/password",
    "/session/list/{id}",
    "/sign-on/{provider}",
    "/sign-on/{provider}/callback",
];

#[test]
fn the_api_is_as_its_document_says() {
    let _machine = shared();
    let server = Server::start(SETTINGS);
    let boss = Session::open(server.http, "boss", &password("boss"));
    let (status, document) = boss.ask("GET", "/openapi.json", None);
    assert_eq!(status, 200);
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 80, "{} paths", paths.len());
    for left_out in LEFT_OUT {
        assert!(paths.contains_key(left_out), "{left_out} is no path any more");
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/schemathesis/bin/schemathesis");
    assert!(program.exists(), "there is no schemathesis: run `make tools`");
    let base = format!("http://{}/api/v1", server.http);
    let mut command = Command::new(program);
    command.args(["run", &format!("{base}/openapi.json"), "--url", &base, "--seed", "1", "--no-color"]);
    command.args(["-H", "X-Sayso: 1", "-H", &format!("Cookie: {}", boss.cookie())]);
    command.args([
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "12",
        "--request-timeout",
        "20",
    ]);
    command.args(["--continue-on-failure", "--workers", "2"]);
    for left_out in LEFT_OUT {
        command.args(["--exclude-path", left_out]);
    }
    let output = command.env("HOME", server.dir.path()).current_dir(server.dir.path()).output();
    let output = output.expect("schemathesis runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // What it set may have ended the walker's session: whatever it did, the server lives and told of it.
    let tested = text.lines().find_map(|line| line.trim().strip_prefix("Tested: ")).unwrap_or("0");
    let tested: usize =
        tested.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("0").parse().unwrap_or(0);
    assert!(tested > 100, "{tested} operations were tested:\n{text}");
    assert_eq!(Session::stranger(server.http).ask("GET", "/openapi.json", None).0, 200);
    server.audit_is_whole();
}

/// Every operation of the document that changes something or tells of somebody refuses whom it does not know, and who
/// holds none of the rights it names: on either database.
#[test]
fn nothing_is_told_to_who_may_not_know_it() {
    let _machine = shared();
    for database in [String::new(), format!("[database]\nurl = {:?}\n", Cluster::shared().database())] {
        let others = ["agent", "reporting", "queue-administrator"].map(|role| {
            format!(
                "[user.{role}]\nrole = {role:?}\npassword = \"{}\"\nmust-change = false\n",
                password(role)
            )
        });
        let server = Server::start_with(&format!("{SETTINGS}{}", others.concat()), &database);
        let stranger = Session::stranger(server.http);
        let (_, document) = stranger.ask("GET", "/openapi.json", None);
        let asked = walk((server.http, &document), &stranger, &|_| true, (401, "not-logged-in"));
        assert!(asked > 100, "{asked} operations");
        for role in ["agent", "reporting", "queue-administrator"] {
            let session = Session::open(server.http, role, &password(role));
            let (_, own) = session.ask("GET", "/session", None);
            let held: Vec<&Value> = own["rights"].as_array().into_iter().flatten().collect();
            assert!(!held.is_empty(), "{own}");
            // What every user may ask, such as the stream of events, is no right.
            let lacks = |needs: &[Value]| {
                !needs.iter().any(|need| held.contains(&need) || *need == "user" || *need == "session")
            };
            let asked = walk((server.http, &document), &session, &lacks, (403, "no-right"));
            assert!(asked > 50, "{role}: {asked} operations");
        }
        server.audit_is_whole();
    }
}

/// Asks each operation whose rights are such, and asserts how it is refused: how many were asked.
fn walk(
    (http, document): (SocketAddr, &Value),
    who: &Session,
    such: &dyn Fn(&[Value]) -> bool,
    refusal: (u16, &str),
) -> usize {
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let needs = operation["x-needs"].as_array().map_or(&[][..], Vec::as_slice);
            if needs.is_empty() || !such(needs) {
                continue;
            }
            let path = path.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV").replace("{name}", "support");
            let headers = [("Cookie", who.cookie()), ("Content-Type", "application/json")];
            let body: &[u8] = if method == "get" { b"" } else { b"{}" };
            let path = format!("/api/v1{path}");
            let reply = raw::ask(http, (&method.to_uppercase(), &path), &headers, body);
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            assert_eq!(
                (reply.status, answer["title"].as_str()),
                (refusal.0, Some(refusal.1)),
                "{method} {path}"
            );
            asked += 1;
        }
    }
    asked
}
