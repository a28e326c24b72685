//! Providers that are set anew or away, and what a browser had before.

use super::*;

#[tokio::test]
async fn whom_a_provider_made_has_what_it_says_also_when_it_is_set_anew() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    sign_on(&house, &idp).await;
    let anew = |client: &str, roles: &str| {
        format!(
            "[provider.id]\nissuer = \"{}\"\nclient-id = \"{client}\"\nclient-secret = \"north\"\n{roles}\n",
            idp.at
        )
    };
    // Forgotten as with another issuer, and known again by name: still nobody has a role that nothing says.
    house.apply("[provider.id]\nissuer = \"https://id.example\"\nclient-id = \"sayso\"\n").await;
    house.apply(&anew("sayso", "")).await;
    assert_eq!(fault(&sign_on(&house, &idp).await.1), "no-role");
    house.apply(&anew("sayso", "roles = [\"staff = agent\"]")).await;
    let (ada, _) = sign_on(&house, &idp).await;
    assert_eq!(ada.get("/session").await.json()["role"], "agent");
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_by_one_and_not_again_at_once() {
    let idp = Idp::start().await;
    let house = house(&idp, "").await;
    // A provider that says it is another one does not answer as it should.
    house.apply(&format!("[provider.odd]\nissuer = \"{}/\"\nclient-id = \"sayso\"\n", idp.at)).await;
    let ask = async || house.stranger().get("/sign-on/odd").await.headers["location"].clone();
    let all = futures_util::future::join_all((0..8).map(|_| ask())).await;
    assert!(all.iter().all(|place| place.ends_with("provider-away")), "{all:?}");
    assert_eq!(idp.count("discovery"), 1, "the others have the same answer");
    house.pass(Duration::from_secs(10));
    ask().await;
    assert_eq!(idp.count("discovery"), 2);
}

#[tokio::test]
async fn the_session_that_a_browser_had_ends_with_a_sign_on() {
    let idp = Idp::start().await;
    let house = house(&idp, "make-users = true").await;
    let before = house.log_in("bob").await;
    let answer = before.get("/sign-on/id").await;
    let mut browser = house.stranger();
    browser.cookie = Some(answer.headers["set-cookie"].split(';').next().unwrap().to_owned());
    assert_eq!(before.get("/session").await.status, 200);
    // The cookie of the session does not come along from another site.
    let back = from_elsewhere(&browser, &idp.authorize(&answer.headers["location"])).await;
    assert_eq!(back.headers["location"], "/");
    assert_eq!(before.get("/session").await.status, 401);
}

#[tokio::test]
async fn nobody_is_sent_to_a_provider_from_a_place_that_nobody_named() {
    let idp = Idp::start().await;
    let house = House::new().await;
    house.apply(&format!("[provider.id]\nissuer = \"{}\"\nclient-id = \"sayso\"\n", idp.at)).await;
    assert_eq!(house.stranger().get("/sign-on").await.json()["providers"], json!([]));
    let answer = house.stranger().get("/sign-on/id").await;
    assert_eq!(answer.headers["location"], "/#/log-in?fault=no-url");
    assert_eq!(idp.count("discovery"), 0);
}
