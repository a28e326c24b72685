//! Sign-on by a small OpenID Connect provider of our own: what it says is believed only if all of it fits.

mod care;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::audit::Actor;
use crate::settings::{Changed, Difference, Kind, Object, Provider};

/// What the provider says; each test bends it.
#[derive(Clone)]
struct Says {
    /// Beside the standard ones.
    token: Value,
    /// Of the userinfo endpoint.
    info: Value,
    /// In place of what is right.
    bent: Value,
    /// Its key's name, and the name it signs with.
    kid: String,
    /// Signs with a key that it does not publish.
    forged: bool,
    error: bool,
}

struct Idp {
    says: Mutex<Says>,
    at: String,
    key: EcdsaKeyPair,
    other: EcdsaKeyPair,
    /// Codes that were given: challenge, nonce, where to.
    codes: Mutex<HashMap<String, (String, String, String)>>,
    asked: Mutex<Vec<&'static str>>,
}

fn key() -> EcdsaKeyPair {
    let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref()).unwrap()
}

impl Idp {
    async fn start() -> Arc<Self> {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let says = Says {
            token: json!({ "preferred_username": "ada", "groups": ["staff"], "name": "Ada L." }),
            info: json!({}),
            bent: json!({}),
            kid: "one".into(),
            forged: false,
            error: false,
        };
        let idp = Arc::new(Self {
            says: Mutex::new(says),
            at: format!("http://{}", socket.local_addr().unwrap()),
            key: key(),
            other: key(),
            codes: Mutex::default(),
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(tokens))
            .route("/userinfo", get(info))
            .with_state(Arc::clone(&idp));
        tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        idp
    }

    fn says(&self, bend: impl FnOnce(&mut Says)) {
        bend(&mut self.says.lock().unwrap());
    }

    fn count(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| **asked == what).count()
    }

    /// As its page does when somebody has logged in: a code, and the state back.
    fn authorize(&self, place: &str) -> String {
        let query = place.strip_prefix(&format!("{}/authorize?", self.at)).expect(place);
        let query = pairs(query);
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", "sayso"));
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["scope"], "openid profile");
        let code = format!("code{}", self.codes.lock().unwrap().len());
        let given = (query["code_challenge"].clone(), query["nonce"].clone(), query["redirect_uri"].clone());
        self.codes.lock().unwrap().insert(code.clone(), given);
        format!("{}?code={code}&state={}", path_of(&query["redirect_uri"]), query["state"])
    }

    fn id_token(&self, nonce: &str) -> String {
        let says = self.says.lock().unwrap().clone();
        let now = START.as_micros() / 1_000_000;
        let mut claims = json!({
            "iss": self.at, "sub": "subject-1", "aud": "sayso", "exp": now + 300, "iat": now, "nonce": nonce,
        });
        for more in [&says.token, &says.bent] {
            for (claim, value) in more.as_object().unwrap() {
                claims[claim] = value.clone();
            }
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": "ES256", "kid": says.kid, "typ": "JWT" });
        let text = format!("{}.{}", encode(&head), encode(&claims));
        let key = if says.forged { &self.other } else { &self.key };
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn path_of(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    rest[rest.find('/').unwrap()..].to_owned()
}

fn pairs(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex: String =
                    [rest.next().unwrap(), rest.next().unwrap()].map(char::from).iter().collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn discovery(State(idp): State<Arc<Idp>>) -> Json<Value> {
    idp.asked.lock().unwrap().push("discovery");
    let at = &idp.at;
    Json(json!({
        "issuer": at, "authorization_endpoint": format!("{at}/authorize"), "token_endpoint": format!("{at}/token"),
        "jwks_uri": format!("{at}/keys"), "userinfo_endpoint": format!("{at}/userinfo"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256"],
    }))
}

async fn keys(State(idp): State<Arc<Idp>>) -> Json<Value> {
    let public = idp.key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&public[1..33]), URL_SAFE_NO_PAD.encode(&public[33..]));
    let kid = idp.says.lock().unwrap().kid.clone();
    Json(
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y }] }),
    )
}

async fn tokens(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let form = pairs(&body);
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    let basic = format!("Basic {}", STANDARD.encode("sayso:north"));
    if headers["authorization"].to_str().unwrap() != basic || idp.says.lock().unwrap().error {
        return refused();
    }
    let Some((challenge, nonce, back)) = idp.codes.lock().unwrap().remove(&form["code"]) else {
        return refused();
    };
    let verifier = digest(&SHA256, form["code_verifier"].as_bytes());
    if URL_SAFE_NO_PAD.encode(verifier.as_ref()) != challenge || form["redirect_uri"] != back {
        return refused();
    }
    let token = idp.id_token(&nonce);
    let answer =
        json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": token });
    (StatusCode::OK, Json(answer))
}

async fn info(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Json<Value> {
    idp.asked.lock().unwrap().push("info");
    assert_eq!(headers["authorization"], "Bearer opaque");
    let mut info = json!({ "sub": "subject-1" });
    for (claim, value) in idp.says.lock().unwrap().info.as_object().unwrap() {
        info[claim] = value.clone();
    }
    Json(info)
}

/// A house with the provider; `more` of its settings.
async fn house(idp: &Idp, more: &str) -> House {
    let house = House::at(Some("http://desk.test:8080")).await;
    let settings = format!(
        "[role.desk]\nrights = [\"take-calls\", \"view-calls\"]\n[provider.id]\ndisplay-name = \"House ID\"\n\
         issuer = \"{}\"\nclient-id = \"sayso\"\nclient-secret = \"north\"\n\
         roles = [\"chiefs = superuser\", \"staff = desk\"]\n{more}\n",
        idp.at
    );
    house.apply(&settings).await;
    house
}

/// A value that stands for a role which does not exist: no settings are taken with it, an older database may hold it.
async fn ghosts(house: &House) {
    let (_, settings) = house.store.settings().await.unwrap();
    let stored = &settings.providers["id"];
    let mut provider = Provider::clone(stored);
    provider.roles.push(("ghosts".into(), "nothing".into()));
    let (old, new) = (Object::Provider(Arc::clone(stored)), Object::Provider(Arc::new(provider)));
    let what = Changed::Altered { old, new };
    let difference = Difference { kind: Kind::Provider, name: "id".into(), what };
    house.store.commit(vec![Change::Settings(vec![difference], Actor::System)]).await.unwrap();
}

/// To the provider, and back with its answer.
async fn sign_on(house: &House, idp: &Idp) -> (Client, Answer) {
    let (mut browser, place) = begin(house).await;
    let back = idp.authorize(&place);
    let answer = from_elsewhere(&browser, &back).await;
    browser.cookie = answer.headers.get("set-cookie").map(|it| it.split(';').next().unwrap().to_owned());
    (browser, answer)
}

async fn begin(house: &House) -> (Client, String) {
    let mut browser = house.stranger();
    let answer = browser.get("/sign-on/id").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    let cookie = &answer.headers["set-cookie"];
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("Max-Age=600"), "{cookie}");
    browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    (browser, answer.headers["location"].clone())
}

/// As a browser asks that another site's page has sent here.
async fn from_elsewhere(browser: &Client, path: &str) -> Answer {
    browser.send("GET", path, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], None).await
}

fn fault(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.headers["set-cookie"].starts_with("sayso-sign-on=; "), "the trip is over: {answer:?}");
    answer.headers["location"].strip_prefix("/#/log-in?fault=").expect("a fault")
}

#[tokio::test]
async fn who_the_provider_names_is_let_in_with_the_role_it_says() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    let offered = house.stranger().get("/sign-on").await.json();
    assert_eq!(
        offered,
        json!({ "providers": [{ "name": "id", "displayName": "House ID" }], "passwordLongerThan": 8 })
    );
    let (ada, answer) = sign_on(&house, &idp).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (302, "/"));
    let session = ada.get("/session").await.json();
    assert_eq!(
        (&session["user"], &session["name"], &session["role"]),
        (&json!("ada"), &json!("Ada L."), &json!("desk"))
    );
    assert_eq!((&session["rights"], &session["by"]), (&json!(["take-calls", "view-calls"]), &json!("id")));
    // Another role, another name: still the same person, with what is said now.
    idp.says(|says| says.token = json!({ "preferred_username": "ada.king", "groups": ["other", "chiefs"] }));
    let (again, _) = sign_on(&house, &idp).await;
    let session = again.get("/session").await.json();
    assert_eq!((&session["user"], &session["role"]), (&json!("ada"), &json!("superuser")));
    assert_eq!(ada.get("/session").await.json()["role"], "superuser", "rights are those of now");
    // No role any more: no way in.
    idp.says(|says| says.token = json!({ "preferred_username": "ada", "groups": [] }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-role");
    // There is no password to change, nor a second factor to add.
    let change = json!({ "old": PASSWORD, "new": "battery staple" });
    assert_eq!(
        again.ours("PUT", "/session/password", Some(change)).await.problem(),
        (409, "no-password".into())
    );
    assert_eq!(
        again.post("/session/second-factor", json!({ "password": "x" })).await.problem(),
        (409, "no-password".into())
    );
    house.apply("[system.sayso]\nsecond-factor = \"required\"\n").await;
    assert_eq!(again.get("/my/listening-log").await.status, 200, "the provider asks for what it wants");
    house.pass(Duration::from_secs(12 * 3_600));
    assert_eq!(again.get("/session").await.status, 401, "its session ends as others do");
    assert_eq!(idp.count("discovery"), 1, "what the provider says of itself is kept for an hour");

    let row = |what: &str, new: &str| {
        (Class::Rights, "user provider id".to_owned(), format!("user ada.{what}"), Some(new.to_owned()))
    };
    assert!(house.audit("user.added").await.contains(&row("role", "desk")));
    assert_eq!(house.audit("user.changed").await.last(), Some(&row("role", "superuser")));
    assert_eq!(house.audit("user.provider-bound").await, [row("provider", "id")]);
    let logged_in = (Class::Rights, "user ada".to_owned(), "user ada".to_owned(), Some("by id".to_owned()));
    assert_eq!(house.audit("user.logged-in").await, [logged_in.clone(), logged_in]);
    let failed =
        (Class::Failure, "system".to_owned(), "provider id".to_owned(), Some("no role fits".to_owned()));
    assert_eq!(house.audit("user.login-failed").await, [failed]);
}

#[tokio::test]
async fn a_user_who_is_there_keeps_the_role_and_a_name_is_one_person_s() {
    let idp = Idp::start().await;
    let house = house(&idp, "").await;
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-user", "it makes none");
    idp.says(|says| says.token = json!({ "preferred_username": "bob", "groups": [] }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-role", "it says roles, and none of his");
    idp.says(|says| says.token["groups"] = json!(["chiefs"]));
    sign_on(&house, &idp).await;
    assert_eq!(house.store.user("bob").await.unwrap().unwrap().role.word(), "superuser");
    idp.says(|says| says.token["groups"] = json!([]));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-role", "what it took away does not stay");
    // A provider that says no roles leaves them to who manages users.
    let plain = format!("issuer = \"{}\"\nclient-id = \"sayso\"\nclient-secret = \"north\"\n", idp.at);
    house.apply(&format!("[user.bob]\nrole = \"agent\"\nagent = \"bob\"\n[provider.id]\n{plain}")).await;
    let (bob, _) = sign_on(&house, &idp).await;
    let session = bob.get("/session").await.json();
    assert_eq!(
        (&session["user"], &session["role"], &session["agent"]),
        (&json!("bob"), &json!("agent"), &json!("bob"))
    );
    idp.says(|says| says.bent = json!({ "sub": "subject-2" }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "other-person", "another may have the name by now");
    house.apply(&format!("[provider.id]\n{plain}roles = [\"staff = agent\"]\n")).await;
    ghosts(&house).await;
    idp.says(|says| says.token = json!({ "preferred_username": "carol", "groups": ["ghosts"] }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-role", "a role that does not exist");
    idp.says(|says| says.token = json!({ "preferred_username": "carol@example.org", "groups": ["staff"] }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "bad-name");
}

#[tokio::test]
async fn the_last_who_grants_rights_keeps_them() {
    let idp = Idp::start().await;
    let house = house(&idp, "").await;
    idp.says(|says| says.token = json!({ "preferred_username": "boss", "groups": ["staff"] }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-user", "no name opens what a superuser may");
    // One who was known before became the last of them.
    house.apply("[user.boss]\nrole = \"reporting\"\n").await;
    sign_on(&house, &idp).await;
    house.apply("[user.boss]\nrole = \"superuser\"\n[user.fresh]\nrole = \"reporting\"\n").await;
    let (boss, _) = sign_on(&house, &idp).await;
    assert_eq!(boss.get("/session").await.json()["role"], "superuser");
    let row =
        (Class::Failure, "user provider id".to_owned(), "user boss.role".to_owned(), Some("desk".to_owned()));
    assert_eq!(house.audit("user.role-kept").await, [row]);
}

#[tokio::test]
async fn claims_that_the_token_lacks_are_asked_for() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    idp.says(|says| {
        says.token = json!({});
        says.info = json!({ "preferred_username": "ada", "groups": ["staff"] });
    });
    let (ada, _) = sign_on(&house, &idp).await;
    assert_eq!(ada.get("/session").await.json()["user"], "ada");
    assert_eq!(idp.count("info"), 1);
    idp.says(|says| says.info = json!({ "sub": "subject-2", "preferred_username": "boss" }));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "provider-away", "it speaks of somebody else");
}

#[tokio::test]
async fn a_token_that_does_not_fit_lets_nobody_in() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    let now = START.as_micros() / 1_000_000;
    for bent in [
        json!({ "nonce": "another" }),
        json!({ "aud": "another" }),
        json!({ "aud": ["sayso", "another"] }),
        json!({ "iss": "https://another.example" }),
        json!({ "exp": now - 1 }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        idp.says(|says| says.bent = bent.clone());
        assert_eq!(fault(&sign_on(&house, &idp).await.1), "sign-on-failed", "{bent}");
    }
    idp.says(|says| (says.bent, says.forged) = (json!({}), true));
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "sign-on-failed", "signed by another key");
    idp.says(|says| says.forged = false);
    assert_eq!(sign_on(&house, &idp).await.1.headers["location"], "/");
    assert!(house.audit("user.login-failed").await.len() == 7);
}

#[tokio::test]
async fn a_provider_changes_its_keys_without_a_word() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    sign_on(&house, &idp).await;
    idp.says(|says| says.kid = "two".into());
    assert_eq!(
        fault(&sign_on(&house, &idp).await.1),
        "sign-on-failed",
        "keys are asked for once a minute at most"
    );
    house.pass(Duration::from_secs(60));
    assert_eq!(sign_on(&house, &idp).await.1.headers["location"], "/");
    assert_eq!(idp.count("discovery"), 2);
}

#[tokio::test]
async fn only_the_browser_that_began_comes_back_and_in_time() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    let (browser, place) = begin(&house).await;
    let back = idp.authorize(&place);
    for cookie in [None, Some("sayso-sign-on=AAAA".to_owned()), begin(&house).await.0.cookie] {
        let mut other = house.stranger();
        other.cookie = cookie;
        assert_eq!(fault(&from_elsewhere(&other, &back).await), "sign-on-late", "not this browser");
    }
    let path = back.split('?').next().unwrap();
    for query in ["", "?code=x", "?state=x&code=x", "?error=access_denied", "?code=1&code=2"] {
        let answer = from_elsewhere(&browser, &format!("{path}{query}")).await;
        assert_eq!(fault(&answer), "sign-on-late", "{query}");
    }
    let state = back.split("state=").nth(1).unwrap();
    let answer = from_elsewhere(&browser, &format!("{path}?error=access_denied&state={state}")).await;
    assert_eq!(fault(&answer), "sign-on-refused");
    let answer = from_elsewhere(&browser, &format!("{back}&iss=https://another.example")).await;
    assert_eq!(fault(&answer), "sign-on-failed", "another provider's answer");
    house.pass(Duration::from_secs(600));
    assert_eq!(fault(&from_elsewhere(&browser, &back).await), "sign-on-late", "after ten minutes");
    idp.says(|says| says.bent = json!({ "exp": START.as_micros() / 1_000_000 + 900 }));
    let (browser, place) = begin(&house).await;
    let back = idp.authorize(&place);
    let elsewhere = back.replace("/id/", "/other/");
    assert_eq!(fault(&from_elsewhere(&browser, &elsewhere).await), "sign-on-late");
    assert_eq!(from_elsewhere(&browser, &back).await.headers["location"], "/");
    assert_eq!(fault(&from_elsewhere(&browser, &back).await), "provider-away", "a code is good once");
}

#[tokio::test]
async fn a_provider_that_is_away_unknown_or_in_the_clear_leads_back_with_a_word() {
    let idp = Idp::start().await;
    let house = house(
        &idp,
        "[provider.open]\nissuer = \"http://192.0.2.1/\"\nclient-id = \"x\"\n\
        [provider.away]\nissuer = \"http://127.0.0.1:1/\"\nclient-id = \"x\"\n\
",
    )
    .await;
    for (name, title) in [
        ("open", "provider-away"),
        ("away", "provider-away"),
        ("nobody", "no-provider"),
        ("%2e", "no-provider"),
    ] {
        let answer = house.stranger().get(&format!("/sign-on/{name}")).await;
        assert_eq!(
            (answer.status, &answer.headers["location"]),
            (302, &format!("/#/log-in?fault={title}")),
            "{name}"
        );
    }
    idp.says(|says| says.error = true);
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "provider-away");
}

#[tokio::test]
async fn a_provider_that_becomes_another_one_knows_nobody_and_its_sessions_end() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    let (ada, _) = sign_on(&house, &idp).await;
    let bound = house.select("SELECT name FROM identities").await;
    assert_eq!(bound, ["ada"]);
    house.apply("[provider.id]\nissuer = \"https://id.example\"\nclient-id = \"sayso\"\n").await;
    assert!(house.select("SELECT name FROM identities").await.is_empty());
    assert_eq!(ada.get("/session").await.status, 401);
}
