//! What nobody gets around by settings: rights, queues, secrets.

use super::*;

#[tokio::test]
async fn nobody_tries_passwords_by_documents() {
    let house = house().await;
    let (boss, human) = (house.log_in("boss").await, house.log_in("human").await);
    let with = async |who: &Client, name: &str, password: &str| {
        let path = format!("/users/{name}");
        let read = who.get(&path).await;
        let mut document = read.json();
        document["password"] = json!(password);
        who.put_as(&path, &tag(&read), document).await.problem()
    };
    for (who, name) in [(&human, "boss"), (&boss, "boss"), (&human, "human")] {
        let right = with(who, name, PASSWORD).await;
        assert_eq!(right, (403, "no-right".into()), "{name}");
        assert_eq!(with(who, name, "wrong horse").await, right, "{name}");
    }
    assert!(verify_password(&user(&house, "boss").await.password_hash, PASSWORD));
}

#[tokio::test]
async fn a_provider_gives_nobody_more_than_who_sets_it_has() {
    let house = house().await;
    house.apply("[role.chief]\nrights = [\"manage-roles\", \"configure-queues\"]\n[user.chief]\npassword = \"correct horse\"\nmust-change = false\nrole = \"chief\"\n").await;
    let (chief, boss) = (house.log_in("chief").await, house.log_in("boss").await);
    let provider = |roles: &[&str]| json!({ "issuer": "https://id.example", "client-id": "sayso", "roles": roles, "make-users": true });
    for roles in [&["chiefs = superuser"][..], &["a = queues", "b = wires"]] {
        let refused = chief.make("/providers/id", provider(roles)).await;
        assert_eq!(refused.problem(), (403, "no-right".into()), "{roles:?}");
    }
    assert_eq!(chief.make("/providers/id", provider(&["a = queues"])).await.status, 201);
    let changed = chief.put_as("/providers/id", "*", provider(&["a = queues", "b = wires"])).await;
    assert_eq!(changed.problem(), (403, "no-right".into()));
    assert_eq!(boss.put_as("/providers/id", "*", provider(&["b = wires"])).await.status, 200);

    // Whom it made, nobody knows the passwords of: somebody else has to be left.
    house.execute("INSERT INTO made_users (name, provider, at) VALUES ('boss', 'id', 1)").await;
    let chief = house.log_in("chief").await;
    for name in ["fresh", "chief"] {
        assert_eq!(boss.remove(&format!("/users/{name}"), "*").await.status, 204, "{name}");
    }
    assert_eq!(boss.remove("/providers/id", "*").await.problem(), (409, "refused".into()));
    let mut other = provider(&[]);
    other["issuer"] = json!("https://other.example");
    assert_eq!(boss.put_as("/providers/id", "*", other).await.problem(), (409, "refused".into()));
    assert_eq!(chief.get("/providers").await.status, 401);
    let more = json!({ "role": "superuser", "password": PASSWORD });
    assert_eq!(boss.make("/users/fresh", more).await.status, 201);
    assert_eq!(boss.remove("/providers/id", "*").await.status, 204);
}

#[tokio::test]
async fn callers_are_led_only_into_queues_one_sees() {
    let house = house().await;
    let (local, boss) = (house.log_in("local").await, house.log_in("boss").await);
    for key in ["overflow", "when-closed"] {
        let to = |queue: &str| json!({ key: { "queue": queue } });
        let refused = local.put_as("/queues/support", "*", to("sales")).await;
        assert_eq!(refused.problem(), (403, "no-right".into()), "{key}");
    }
    let set = json!({ "overflow": { "queue": "sales" }, "wrap-up": "9s" });
    assert_eq!(boss.put_as("/queues/support", "*", set).await.status, 200);
    let kept = json!({ "overflow": { "queue": "sales" }, "wrap-up": "8s" });
    assert_eq!(local.put_as("/queues/support", "*", kept).await.status, 200, "it was so before");
}

#[tokio::test]
async fn a_webhook_s_secret_goes_to_no_other_place() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    let hook = |url: &str| json!({ "url": url, "events": ["call.ended"] });
    let mut first = hook("https://a.example/x?key=north");
    first["secret"] = json!("north-of-here");
    assert_eq!(boss.make("/webhooks/crm", first).await.status, 201);
    assert_eq!(boss.put_as("/webhooks/crm", "*", hook("https://a.example/y?key=south")).await.status, 200);
    let elsewhere = "https://b.example/y";
    assert_eq!(keys(&boss.put_as("/webhooks/crm", "*", hook(elsewhere)).await), ["secret"]);
    let mut with = hook(elsewhere);
    with["secret"] = json!("south-of-there");
    assert_eq!(boss.put_as("/webhooks/crm", "*", with).await.status, 200);
    let told = house.select("SELECT COALESCE(new, '') FROM audit WHERE object_id = 'crm'").await;
    assert!(told.contains(&"https://a.example/x".to_owned()), "{told:?}");
    assert!(!told.iter().any(|text| text.contains("key=")), "{told:?}");
    assert_eq!(boss.get("/webhooks/a%00b/deliveries").await.problem(), (404, "no-object".into()));
}

#[tokio::test]
async fn a_superuser_says_which_private_networks_webhooks_reach() {
    let house = house().await;
    house.apply("[role.wires]\nrights = [\"configure-system\", \"configure-recording\"]\n[user.wes]\npassword = \"correct horse\"\nmust-change = false\nrole = \"wires\"\n").await;
    let (wes, boss) = (house.log_in("wes").await, house.log_in("boss").await);
    let hook = |url: &str| json!({ "url": url, "secret": "north-of-here", "events": ["call.ended"] });
    for url in ["https://169.254.169.254/latest", "http://localhost:9000/", "https://[fd00::1]/"] {
        assert_eq!(keys(&wes.make("/webhooks/crm", hook(url)).await), ["url"], "{url}");
    }
    let networks = json!({ "webhook-networks": ["127.0.0.1", "10.1.0.0/16"] });
    let refused = wes.put_as("/system", "*", networks.clone()).await;
    assert_eq!(
        refused.problem(),
        (403, "no-right".into()),
        "who sets webhooks does not say where they may be"
    );
    assert_eq!(boss.put_as("/system", "\"0\"", networks).await.status, 200);
    assert_eq!(wes.make("/webhooks/crm", hook("http://127.0.0.1:9000/")).await.status, 201);
    let kept = json!({ "webhook-networks": ["127.0.0.1", "10.1.0.0/16"], "time-zone": "Europe/Vienna" });
    assert_eq!(wes.put_as("/system", "*", kept).await.status, 200, "the rest is theirs");
    let less = json!({ "webhook-networks": ["10.1.0.0/16"] });
    assert_eq!(keys(&boss.put_as("/system", "*", less).await), ["webhook-networks"]);
    let told = house.select("SELECT COALESCE(new, '') FROM audit WHERE attribute = 'webhook-networks'").await;
    assert_eq!(told, ["127.0.0.1/32, 10.1.0.0/16"]);
}

#[tokio::test]
async fn a_table_of_people_is_taken_with_a_row_in_the_log() {
    let house = house().await;
    let boss = house.log_in("boss").await;
    for kind in ["trunks", "numbers", "queues", "agents", "roles", "users", "webhooks", "providers"] {
        assert_eq!(boss.get(&format!("/{kind}?format=csv")).await.status, 200, "{kind}");
    }
    let taken: Vec<String> = house.audit("list.taken").await.into_iter().map(|row| row.2).collect();
    assert_eq!(taken, ["list trunk", "list number", "list agent", "list user"]);
}
