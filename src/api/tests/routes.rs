//! The table of routes: what each asks of who calls it, whatever else it does.

use super::super::guard::Needs;
use super::super::routes::{Route, table};
use super::*;

const CALL: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn place(route: &Route) -> (String, String) {
    (route.method.to_string(), route.path.replace("{id}", CALL).replace("{name}", "nobody"))
}

/// Every route of the table as `needs` says so, asked by `who`.
async fn each(
    who: &Client,
    headers: &[(&str, &str)],
    needs: impl Fn(&Route) -> bool,
) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for route in table().iter().filter(|route| needs(route)) {
        let (method, path) = place(route);
        let answer = who.send(&method, &format!("/api/v1{path}"), headers, Some("{}".into())).await;
        answers.push((format!("{method} {path}"), answer));
    }
    assert!(!answers.is_empty());
    answers
}

const OURS: [(&str, &str); 2] = [("x-sayso", "1"), ("content-type", "application/json")];

#[tokio::test]
async fn no_route_answers_without_a_session() {
    let house = House::new().await;
    let mut forged = house.stranger();
    for cookie in [None, Some("sayso=".to_owned()), Some("sayso=AAAA".to_owned())] {
        forged.cookie = cookie;
        for (route, answer) in each(&forged, &OURS, |route| route.needs != Needs::Nothing).await {
            assert_eq!(answer.problem(), (401, "not-logged-in".into()), "{route}");
        }
    }
}

#[tokio::test]
async fn no_route_answers_without_its_right() {
    let house = House::new().await;
    let clerk = house.log_in("clerk").await;
    let needs_right =
        |route: &Route| matches!(route.needs, Needs::Right(_) | Needs::Any(_) | Needs::Agent(_));
    for (route, answer) in each(&clerk, &OURS, needs_right).await {
        assert_eq!(answer.problem(), (403, "no-right".into()), "{route}");
    }
    // The right alone is not enough where a telephone is needed.
    let lead = house.log_in("lead").await;
    for (route, answer) in each(&lead, &OURS, |route| matches!(route.needs, Needs::Agent(_))).await {
        assert_eq!(answer.problem(), (403, "no-agent".into()), "{route}");
    }
    // Bob is an agent, and no more.
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/listening-log").await.problem(), (403, "no-right".into()));
    let listen = bob.post(&format!("/calls/{CALL}/supervise"), json!({ "mode": "listen" })).await;
    assert_eq!(listen.problem(), (403, "no-right".into()));
}

#[tokio::test]
async fn no_route_answers_before_the_first_password_is_changed() {
    let house = House::new().await;
    let fresh = house.log_in("fresh").await;
    let open = |route: &Route| ![Needs::Nothing, Needs::Session].contains(&route.needs);
    for (route, answer) in each(&fresh, &OURS, open).await {
        assert_eq!(answer.problem(), (403, "change-password-first".into()), "{route}");
    }
}

#[tokio::test]
async fn no_other_page_is_served() {
    let house = House::new().await;
    let boss = house.log_in("boss").await;
    let json = ("content-type", "application/json");
    let changes = |route: &Route| route.method != "GET";
    for (route, answer) in each(&boss, &[json], changes).await {
        assert_eq!(answer.problem(), (403, "not-from-here".into()), "{route} without our header");
    }
    for (route, answer) in
        each(&boss, &[json, ("x-sayso", "1"), ("origin", "https://evil.test")], changes).await
    {
        assert_eq!(answer.problem(), (403, "not-from-here".into()), "{route} from another origin");
    }
    for site in ["cross-site", "same-site"] {
        for (route, answer) in
            each(&boss, &[json, ("x-sayso", "1"), ("sec-fetch-site", site)], |_| true).await
        {
            assert_eq!(answer.problem(), (403, "not-from-here".into()), "{route} from {site}");
        }
    }
}

#[tokio::test]
async fn who_has_all_rights_and_comes_from_our_page_is_let_through() {
    let (house, _kept) = House::kept(false).await;
    let headers = [OURS[0], OURS[1], ("origin", "http://desk.test:8080"), ("sec-fetch-site", "same-origin")];
    for route in table() {
        let boss = house.log_in("boss").await;
        let (method, path) = place(&route);
        let answer = boss.send(&method, &format!("/api/v1{path}"), &headers, Some("{}".into())).await;
        // The empty body is refused by the route itself, the call is not there, a change names no version.
        assert!(
            [200, 202, 204, 400, 404, 409, 422, 428].contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
        assert_eq!(answer.headers["cache-control"], "no-store", "{method} {path}");
    }
}

/// `types.ts` and `admin.ts` are what the pages are built against.
#[test]
fn the_table_holds_what_the_pages_are_told() {
    let (old, new) =
        (include_str!("../../../web/src/api/types.ts"), include_str!("../../../web/src/api/admin.ts"));
    let ours: Vec<String> = table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    for route in told(old) {
        assert!(ours.contains(&route), "{route} is told, and is not there");
    }
    let told: Vec<String> = told(old).into_iter().chain(told(new)).collect();
    for route in ours {
        assert!(told.contains(&route), "{route} is there, and nobody is told");
    }
}

/// The routes that a file of the pages names.
fn told(text: &str) -> Vec<String> {
    let kinds = ["trunks", "numbers", "queues", "agents", "roles", "users", "webhooks", "providers"];
    let mut told = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("// ")) {
        let mut words = line.split_whitespace();
        let method = words.next().filter(|word| ["GET", "POST", "PUT", "DELETE"].contains(word));
        let (Some(method), Some(path)) = (method, words.next()) else { continue };
        let path = path.split('?').next().unwrap();
        match path.strip_prefix("/{kind}") {
            Some(rest) => told.extend(kinds.iter().map(|kind| format!("{method} /{kind}{rest}"))),
            None => told.push(format!("{method} {path}")),
        }
        let mut rest = words.peekable();
        while rest.peek() == Some(&"|") {
            rest.next();
            let base = path.rsplit_once('/').unwrap().0;
            told.push(format!("{method} {base}/{}", rest.next().unwrap()));
        }
    }
    told
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_told_what_and_where() {
    let house = House::new().await;
    let stranger = house.stranger();
    let try_body = async |kind: &str, body: String| {
        let headers = [("x-sayso", "1"), ("content-type", kind)];
        stranger.send("POST", "/api/v1/session", &headers, Some(body)).await
    };
    let answer = try_body("application/json", "{\"user\": \"bob\"}".into()).await;
    assert_eq!(answer.problem(), (400, "bad-request".into()));
    assert!(answer.body.contains("missing field `password` at line 1 column 15"), "{answer:?}");
    let answer = try_body("application/json; charset=utf-8", "{\"usr\": 1}".into()).await;
    assert!(answer.body.contains("unknown field `usr`"), "{answer:?}");
    assert_eq!(try_body("text/plain", "{}".into()).await.problem(), (415, "not-json".into()));
    let huge = format!("{{\"user\": \"{}\"}}", "x".repeat(40_000));
    assert_eq!(try_body("application/json", huge).await.problem(), (413, "too-large".into()));
    let bob = house.log_in("bob").await;
    assert_eq!(bob.get("/nothing").await.problem(), (404, "no-route".into()));
    assert_eq!(stranger.send("GET", "/api/v2/session", &[], None).await.problem(), (404, "no-route".into()));
    assert_eq!(bob.get("/calls/x/complete").await.problem(), (405, "no-method".into()));
    assert_eq!(bob.post("/calls/x/complete", json!({})).await.problem(), (404, "no-call".into()));
    assert_eq!(bob.get("/my/calls?before=yesterday").await.problem(), (400, "bad-request".into()));
}

#[tokio::test]
async fn browsers_are_told_what_not_to_do() {
    let house = House::at(Some("https://desk.example")).await;
    for path in ["/", "/wallboard", "/api/v1/session", "/api/nothing"] {
        let answer = house.stranger().send("GET", path, &[], None).await;
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("connect-src 'self' wss:;"));
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000", "{path}");
    }
    let plain = House::new().await.stranger().send("GET", "/", &[], None).await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
}
