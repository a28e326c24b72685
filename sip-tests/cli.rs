//! What the command line says about mistakes: file, line, key, what is wrong and what is allowed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::server::{SAYSO, Server, rows, settings, text};

fn sayso(words: &[&str], paths: &[&Path]) -> Output {
    Command::new(SAYSO).args(words).args(paths).stdin(Stdio::null()).output().expect("sayso runs")
}

/// A configuration that is right, but for `extra` lines in `[media]` (line 6 is the first of them).
fn config(dir: &Path, extra: &str) -> std::path::PathBuf {
    let file = dir.join("sayso.toml");
    let text = format!(
        "data = {:?}\n[sip]\nudp = [\"127.0.0.1:0\"]\nrealm = \"sayso\"\n[media]\n{extra}\n[http]\nlisten = \"127.0.0.1:0\"\n",
        dir.join("data"),
    );
    std::fs::write(&file, text).expect("the folder is writable");
    file
}

/// Asserts a refusal that has all of `words` in it.
fn assert_refused(output: &Output, words: &[&str]) {
    let said = text(output);
    assert!(!output.status.success(), "a mistake was accepted: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let dir = tempfile::tempdir().expect("a folder");
    for (extra, words) in [
        ("wrokers = 2", ["sayso.toml", "6", "wrokers", "workers"]),
        ("workers = \"two\"", ["sayso.toml", "6", "workers", "expected"]),
        ("timeout = \"10 parsecs\"", ["sayso.toml", "6", "timeout", "20s"]),
        ("ports = [30000, 20000]", ["sayso.toml", "6", "ports", "20000"]),
    ] {
        let file = config(dir.path(), extra);
        assert_refused(&sayso(&["config", "check", "--config"], &[&file]), &words);
        assert_refused(&sayso(&["serve", "--config"], &[&file]), &words);
    }
    let good = config(dir.path(), "workers = 2");
    let output = sayso(&["config", "check", "--config"], &[&good]);
    assert!(output.status.success(), "{}", text(&output));
    assert_refused(&sayso(&["serve", "--config"], &[&dir.path().join("absent.toml")]), &["absent.toml"]);
}

#[test]
fn a_bad_apply_file_is_refused_with_its_place_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(dir.path(), "workers = 2");
    let file = dir.path().join("settings.toml");
    let apply = |settings: &str| {
        std::fs::write(&file, settings).expect("the folder is writable");
        sayso(&["apply", "--config"], &[&config, &file])
    };
    let queue = "[queue.support]\nrecording = \"never\"\n";
    for (extra, words) in [
        ("wrap-pu = \"5s\"", &["settings.toml:3", "queue.support.wrap-pu", "wrap-up"][..]),
        ("strategy = \"oldest\"", &["settings.toml:3", "queue.support.strategy", "longest-idle", "ring-all"]),
        ("priority = 1000", &["settings.toml:3", "queue.support.priority", "255"]),
        ("[number.\"+4930100\"]\nqueue = \"sales\"", &["settings.toml:4", "sales"]),
        ("[agent.ada]\npassword = 5\nqueues = [\"support\"]", &["settings.toml:4", "agent.ada.password"]),
        ("= broken", &["settings.toml:3"]),
    ] {
        assert_refused(&apply(&format!("{queue}{extra}\n")), words);
    }
    // Nothing of the refused files was stored: the right one is all new, and new only once.
    let first = apply(queue);
    assert!(first.status.success() && text(&first).contains("support"), "{}", text(&first));
    let again = apply(queue);
    assert!(again.status.success(), "{}", text(&again));
    let audit = sayso(&["audit", "list", "--json", "--config"], &[&config]);
    let rows = rows(&audit);
    assert!(rows.iter().any(|row| row.to_string().contains("support")), "the change is audited: {rows:?}");
    let third = sayso(&["audit", "list", "--json", "--config"], &[&config]);
    assert_eq!(audit.stdout, third.stdout, "an apply that changes nothing writes nothing");
    assert!(sayso(&["audit", "verify", "--config"], &[&config]).status.success());
}

#[test]
fn unknown_subcommands_and_ids_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(dir.path(), "workers = 2");
    assert_refused(&sayso(&["srve"], &[]), &["srve"]);
    assert_refused(&sayso(&["calls", "show", "nonsense", "--config"], &[&config]), &["nonsense"]);
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    assert_refused(&sayso(&["calls", "show", unknown, "--config"], &[&config]), &[unknown]);
    assert_refused(
        &sayso(&["recordings", "export", unknown, "--to", "x.wav", "--config"], &[&config]),
        &[unknown],
    );
    for bad in [" ", "a\u{1b}[2Jb"] {
        let words = ["recordings", "destroy", unknown, "--reason", bad, "--config"];
        assert_refused(&sayso(&words, &[&config]), &["reason"]);
    }
}

/// Keys and spool are the server's to make: a command that needs them makes none.
#[test]
fn before_the_first_start_there_is_nothing_to_take_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = config(dir.path(), "workers = 2");
    let to = dir.path().join("all");
    let to = to.to_str().expect("UTF-8");
    assert_refused(&sayso(&["recordings", "export", "--to", to, "--config"], &[&config]), &["sayso serve"]);
    assert_refused(&sayso(&["recordings", "verify", "--all", "--config"], &[&config]), &["sayso serve"]);
    for made in ["vault.key", "signing.key", "vault/spool.id"] {
        assert!(!dir.path().join("data").join(made).exists(), "{made}");
    }
}

#[test]
fn an_export_says_why_where_that_is_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = config(dir.path(), "workers = 2");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, text + "[vault]\nlistening-reason = true\n").expect("it is writable");
    let export = |more: &[&str]| {
        let words = [&["recordings", "export", "--to", "x"], more, &["--config"]].concat();
        sayso(&words, &[&file])
    };
    assert_refused(&export(&[]), &["--reason", "listening-reason"]);
    assert_refused(&export(&["--reason", "  "]), &["--reason", "characters"]);
    // Given, it is the next thing that is missing.
    assert_refused(&export(&["--reason", "a court asked"]), &["sayso serve"]);
}

#[test]
fn what_is_no_export_is_not_verified() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a.vcon");
    let verify = |text: &str| {
        std::fs::write(&file, text).expect("it is writable");
        sayso(&["recordings", "verify-export"], &[&file])
    };
    assert_refused(&verify("RIFF"), &["neither a vCon nor a manifest"]);
    assert_refused(&verify("{}"), &["no manifest"]);
    assert_refused(&verify("{\"payload\":\"\"}"), &["no signed vCon"]);
    assert_refused(&sayso(&["recordings", "verify-export", "--key", "12"], &[&file]), &["64"]);
}

/// Logs in by HTTP: the answer's status, and its body.
fn log_in(http: std::net::SocketAddr, user: &str, password: &str) -> (u16, serde_json::Value) {
    use std::io::{Read as _, Write as _};

    let body = serde_json::json!({ "user": user, "password": password }).to_string();
    let mut socket = std::net::TcpStream::connect(http).expect("it listens");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a socket");
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {http}\r\nX-Sayso: 1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    );
    socket.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer in time");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).expect("JSON"))
}

#[test]
fn the_first_start_makes_a_superuser_and_says_the_password_once() {
    let mut server = Server::start(&settings("recording = \"never\"", &[]));
    let log = server.whole_log();
    let told: Vec<&str> = log.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect();
    let [password] = told[..] else { panic!("one password on a line of its own: {log}") };
    let password = password.to_owned();
    let (status, session) = log_in(server.http, "admin", &password);
    assert_eq!((status, &session["role"]), (200, &serde_json::json!("superuser")));
    assert_eq!(session["mustChangePassword"], true);
    server.kill();
    server.start_again();
    assert_eq!(server.whole_log().matches("admin was made").count(), 1, "it is there");
    let listed = server.rows(&["users", "list"]);
    assert_eq!((listed.len(), &listed[0]["name"]), (1, &serde_json::json!("admin")));
    let reset = server.run(&["users", "reset-password", "admin", "--config"], &[&server.config()]);
    assert!(reset.status.success(), "{}", text(&reset));
    let fresh = String::from_utf8_lossy(&reset.stdout).trim().to_owned();
    assert_eq!(log_in(server.http, "admin", &password).0, 401, "the one before is good no longer");
    assert_eq!(log_in(server.http, "admin", &fresh).0, 200);
    let audit = format!("{:?}", server.rows(&["audit", "list"]));
    assert!(audit.contains("user.added") && !audit.contains(&password) && !audit.contains(&fresh));
    assert_refused(&server.run(&["users", "unlock", "nobody", "--config"], &[&server.config()]), &["nobody"]);
    server.audit_is_whole();
}
