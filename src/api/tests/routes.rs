//! The table of routes: what each asks of who calls it, whatever else it does.

use std::collections::BTreeMap;

use super::super::guard::Needs;
use super::super::routes::{Document, Route, table};
use super::*;
use crate::access::Right;

const CALL: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn place(route: &Route) -> (String, String) {
    let named = |part: &str| if part.starts_with('{') { CALL.to_owned() } else { part.to_owned() };
    let path: Vec<String> = route.path.split('/').map(named).collect();
    (route.method.to_string(), path.join("/"))
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

/// The rights that the document says a route needs: one of them is enough. `None`: it needs none.
fn rights_of(route: &Route) -> Option<Vec<Right>> {
    match route.needs {
        Needs::Right(right) => Some(vec![right]),
        Needs::Any(any) | Needs::Agent(any) => Some(any.to_vec()),
        Needs::Nothing | Needs::Session | Needs::User => None,
    }
}

/// Who holds every right but these, by a role of their own and by grants; `agent`: who has a telephone.
fn all_but(name: &str, but: &[Right]) -> String {
    let words = |special: bool| {
        let held = Right::ALL.iter().filter(|right| right.is_special() == special && !but.contains(right));
        held.map(|right| format!("{:?}", right.word())).collect::<Vec<_>>().join(", ")
    };
    format!(
        "[agent.{name}]\npassword = \"x\"\n[role.{name}]\nrights = [{}]\n[user.{name}]\npassword = \"correct horse\"\nmust-change = false\n\
         role = \"{name}\"\nagent = \"{name}\"\ngrants = [{}]\n",
        words(false),
        words(true)
    )
}

/// Each operation of the OpenAPI document refuses who holds every right but those it names in `x-needs`.
#[tokio::test]
async fn no_route_answers_without_its_right() {
    let (house, _kept) = House::kept(false).await;
    let document: Value = serde_json::from_str(Document::of(&table()).text()).unwrap();
    let mut sets: BTreeMap<Vec<Right>, Vec<Route>> = BTreeMap::new();
    for route in table() {
        let told = &document["paths"][route.path][route.method.as_str().to_lowercase()]["x-needs"];
        let Some(mut rights) = rights_of(&route) else { continue };
        let words: Vec<&str> = rights.iter().map(|right| right.word()).collect();
        assert_eq!(told, &json!(words), "{} {}", route.method, route.path);
        rights.sort();
        sets.entry(rights).or_default().push(route);
    }
    assert!(sets.len() > 10, "{}", sets.len());
    let settings: Vec<String> =
        sets.keys().enumerate().map(|(n, but)| all_but(&format!("lacks-{n}"), but)).collect();
    house.apply(&settings.concat()).await;
    for (n, routes) in sets.values().enumerate() {
        let who = house.log_in(&format!("lacks-{n}")).await;
        for route in routes {
            let (method, path) = place(route);
            let answer = who.send(&method, &format!("/api/v1{path}"), &OURS, Some("{}".into())).await;
            assert_eq!(answer.problem(), (403, "no-right".into()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_right_alone_is_not_enough_where_a_telephone_is_needed() {
    let house = House::new().await;
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

/// A token carries at most what it was made for, though its maker holds more.
#[tokio::test]
async fn no_route_answers_a_token_without_its_scope() {
    let (house, _kept) = House::kept(false).await;
    let boss = house.log_in("boss").await;
    let made = boss
        .post(
            "/tokens",
            json!({ "name": "narrow", "rights": ["wallboard"], "days": 1, "password": PASSWORD }),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let machine = house.stranger();
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let scoped = |route: &Route| rights_of(route).is_some_and(|rights| !rights.contains(&Right::Wallboard));
    for (route, answer) in each(&machine, &headers, scoped).await {
        assert_eq!(answer.problem(), (403, "no-right".into()), "{route}");
    }
    let seen = machine.send("GET", "/api/v1/overview", &headers, None).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    let others = [("authorization", "Bearer sayso_0000"), ("content-type", "application/json")];
    for (route, answer) in each(&machine, &others, |route| route.needs != Needs::Nothing).await {
        assert_eq!(answer.problem(), (401, "not-logged-in".into()), "{route}");
    }
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
    // What needs nothing and is only read may be led to from elsewhere: the way back from a provider is.
    let kept = |route: &Route| route.needs != Needs::Nothing || route.method != "GET";
    for site in ["cross-site", "same-site"] {
        for (route, answer) in each(&boss, &[json, ("x-sayso", "1"), ("sec-fetch-site", site)], kept).await {
            assert_eq!(answer.problem(), (403, "not-from-here".into()), "{route} from {site}");
        }
    }
}

#[tokio::test]
async fn who_has_all_rights_and_comes_from_our_page_is_let_through() {
    let (house, _kept) = House::kept(false).await;
    house.apply(&all_but("everything", &[])).await;
    let headers = [OURS[0], OURS[1], ("origin", "http://desk.test:8080"), ("sec-fetch-site", "same-origin")];
    for route in table().into_iter().filter(|route| route.path != "/events") {
        let who = house.log_in("everything").await;
        let (method, path) = place(&route);
        let raw = who.raw_with(&method, &format!("/api/v1{path}"), &headers, "{}").await;
        // The body that says nothing is refused by the route itself, and what is named is not there.
        let (status, told) = (raw.status, String::from_utf8_lossy(&raw.body).into_owned());
        assert!(status < 500 && ![401, 405].contains(&status), "{method} {path}: {status} {told}");
        let refused = status == 403 && told.contains("no-right");
        assert!(!refused, "{method} {path}: {told}");
        assert_eq!(raw.headers["cache-control"], "no-store", "{method} {path}");
    }
    let events = house.log_in("everything").await.events().await;
    drop(events);
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
