//! The administrators' pages in Chromium against the running server: each page as each role, what a role is not shown,
//! and a log-in by a company's own provider.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::browser::{Look, Page};
use crate::harness::oidc::{CLIENT, Provider, SECRET};
use crate::harness::server::{Server, password};
use crate::harness::shared;

/// Address, heading, and the rights of which one opens it (none: everybody's).
pub(crate) const PAGES: [(&str, &str, &[&str]); 24] = [
    ("account", "Sign-in & security", &[]),
    ("agents", "Agents & skills", &["configure-agents"]),
    ("all-calls", "Calls", &["view-calls"]),
    ("audit", "Audit log", &["view-audit-log"]),
    ("consents", "Consents", &["view-consents", "view-reports", "customer-consent"]),
    ("directory", "Directory", &["dpo"]),
    ("health", "Health", &["monitor", "manage-vault"]),
    ("holds", "Legal holds", &["manage-holds"]),
    ("listening-log", "Listening log", &["view-listening-logs"]),
    ("numbers", "Numbers", &["configure-trunks"]),
    ("privacy", "Requests", &["dpo"]),
    ("prompts", "Prompts", &["configure-prompts"]),
    ("providers", "Sign-on", &["manage-roles"]),
    ("queues", "Queues", &["configure-queues", "configure-recording"]),
    ("recordings", "Recordings", &["listen-recordings"]),
    ("reports", "Reports", &["view-reports"]),
    ("retention", "Retention", &["configure-recording"]),
    ("roles", "Roles", &["manage-roles", "manage-users"]),
    ("system", "System settings", &["configure-system", "configure-recording"]),
    ("tasks", "Tasks", &["dpo"]),
    ("tokens", "Tokens", &["configure-system"]),
    ("trunks", "Trunks", &["configure-trunks"]),
    ("users", "Users", &["manage-users"]),
    ("webhooks", "Webhooks", &["configure-system"]),
];

const ROLES: [&str; 8] = [
    "superuser",
    "supervisor",
    "agent",
    "reporting",
    "queue-administrator",
    "ivr-administrator",
    "recording-administrator",
    "advanced-monitoring",
];

/// A user of each role, and one who has been granted the two rights that no role holds.
fn settings() -> String {
    let users = ROLES.map(|role| {
        format!("[user.{role}]\nrole = \"{role}\"\npassword = \"secret-of-{role}\"\nmust-change = false\n")
    });
    format!(
        "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n[number.\"+4930100\"]\nqueue = \"support\"\n\
         [queue.support]\nlanguage = \"en\"\nrecording = \"consent\"\n[agent.ada]\nqueues = [\"support\"]\n\
         [user.officer]\nrole = \"superuser\"\ngrants = [\"dpo\", \"customer-consent\"]\n\
         password = \"secret-of-officer\"\nmust-change = false\n{}",
        users.concat()
    )
}

fn logged_in(server: &Server, user: &str) -> Page {
    let page = Page::open(&format!("http://{}/", server.http), Look::default());
    page.fill("User name", user);
    page.fill("Password", &password(user));
    page.click("Log in");
    page.gone("Log in");
    page
}

/// Goes to a page and asserts that it is there and tells of no fault.
fn visit(page: &Page, (address, heading, _): (&str, &str, &[&str])) {
    page.evaluate(&format!("void (window.location.hash = '#/{address}')"));
    page.see_the("heading", heading, None);
    let faults =
        "[...document.querySelectorAll('main [role=alert]')].map((one) => one.textContent).join('; ')";
    assert_eq!(page.evaluate(faults), json!(""), "{address}");
}

#[test]
fn each_page_is_there_for_who_may_have_it_and_for_nobody_else() {
    let _machine = shared();
    let server = Server::start(&settings());
    for user in ROLES.into_iter().chain(["officer"]) {
        let (_, session) = Session::open(server.http, user, &password(user)).ask("GET", "/session", None);
        let rights: Vec<&str> =
            session["rights"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let page = logged_in(&server, user);
        for entry in PAGES {
            let (address, heading, needs) = entry;
            if needs.is_empty() || needs.iter().any(|need| rights.contains(need)) {
                visit(&page, entry);
                if user == "officer" {
                    page.is_accessible(heading);
                    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
                    std::fs::create_dir_all(&pictures).unwrap();
                    page.screenshot(&pictures.join(format!("admin-{address}.png")));
                }
            } else {
                page.evaluate(&format!("void (window.location.hash = '#/{address}')"));
                page.gone_the("heading", heading);
            }
        }
    }
}

#[test]
fn a_company_s_own_provider_says_who_somebody_is() {
    let _machine = shared();
    let server = Server::start(&settings());
    let back = format!("http://{}/api/v1/sign-on/corp/callback", server.http);
    let provider = Provider::start(&back);
    server.apply(&format!(
        "[provider.corp]\ndisplay-name = \"Example Corp\"\nissuer = \"{}\"\nclient-id = \"{CLIENT}\"\n\
         client-secret = \"{SECRET}\"\nroles = [\"leads = supervisor\"]\nmake-users = true\n",
        provider.issuer
    ));
    let page = Page::open(&format!("http://{}/", server.http), Look::default());
    page.click_like("link", "Log in with Example Corp");
    page.fill("Who are you?", "kim+leads+staff");
    page.click("Sign in");
    page.see("kim");
    let session = page.evaluate("fetch('/api/v1/session').then((answer) => answer.json())");
    assert_eq!(
        (session["user"].as_str(), session["role"].as_str()),
        (Some("kim"), Some("supervisor")),
        "{session}"
    );
    assert_eq!(session["by"], "corp");
    let rows = server.rows(&["audit", "list", "--action", "user.logged-in"]);
    assert!(rows.iter().any(|row| row.to_string().contains("kim")), "{rows:?}");
}
