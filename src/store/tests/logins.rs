//! Second factors, earlier passwords, providers' people, tokens.

use std::borrow::Cow;

use sqlx::migrate::Migrator;

use super::*;
use crate::access::Right;
use crate::audit::Actor;
use crate::settings::{self, DiffOptions};

on_each_kind! {
    a_second_factor_counts_once_it_was_seen_and_its_codes_are_good_once,
    somebody_of_a_provider_is_one_user_and_the_other_way_round,
    tokens_are_listed_in_pages_and_end_once,
    nobody_is_there_or_somebody_is,
    tokens_end_with_the_password_that_somebody_else_sets,
    whom_a_provider_made_is_known_when_the_provider_is_gone,
    failures_that_two_nodes_count_are_two,
    earlier_passwords_are_kept_and_not_for_ever,
    a_removed_user_takes_all_of_it_along,
    users_of_before_have_a_password_to_remember,
    sessions_are_a_user_s_and_end_together,
}

const USERS: &str = "[user.ada]\npassword = \"correct horse\"\nrole = \"superuser\"\nmust-change = false\n";

async fn apply(store: &Store, text: &str, seed: u8) {
    let (_, stored) = store.settings().await.expect("settings");
    let file = settings::parse(text, "test.toml", "sayso").expect("reads");
    let options = DiffOptions { prune: true, seed: [seed; 32] };
    let changes = settings::diff(&stored, &file, &options).expect("fits");
    store.commit(vec![Change::Settings(changes, Actor::System)]).await.expect("applies");
}

async fn login(store: &Store, change: LoginChange) -> Result<(), StoreError> {
    store.commit(vec![Change::Login(change)]).await
}

fn conflict(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

fn begun(secret: &str) -> LoginChange {
    LoginChange::FactorBegun { user: "ada".into(), secret: Redacted(secret.into()), at: at(0) }
}

fn confirmed(step: u64) -> LoginChange {
    let recovery = vec!["aa".to_owned(), "bb".to_owned()];
    LoginChange::FactorConfirmed { user: "ada".into(), step, recovery, at: at(1) }
}

fn recovery(hash: &str) -> LoginChange {
    LoginChange::RecoveryUsed { user: "ada".into(), hash: hash.into(), at: at(2) }
}

async fn a_second_factor_counts_once_it_was_seen_and_its_codes_are_good_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let used = |step| LoginChange::CodeUsed { user: "ada".into(), step };
    assert_eq!(store.second_factor("ada").await.expect("reads"), None);
    assert!(conflict(&login(store, confirmed(7)).await), "none was begun");
    login(store, begun("one")).await.expect("begins");
    login(store, begun("two")).await.expect("begins anew");
    assert!(conflict(&login(store, used(9)).await), "it does not count yet");
    login(store, confirmed(7)).await.expect("confirms");
    let row = |step| FactorRow { secret: Redacted("two".into()), confirmed: true, step: Some(step) };
    assert_eq!(store.second_factor("ada").await.expect("reads"), Some(row(7)));
    for again in [begun("three"), confirmed(8), used(7), used(6), recovery("cc")] {
        assert!(conflict(&login(store, again).await));
    }
    login(store, used(8)).await.expect("a later one");
    assert!(conflict(&login(store, used(8)).await));
    assert_eq!(store.second_factor("ada").await.expect("reads"), Some(row(8)));
    login(store, recovery("aa")).await.expect("once");
    assert!(conflict(&login(store, recovery("aa")).await));
    login(store, LoginChange::FactorRemoved { user: "ada".into() }).await.expect("removes");
    assert_eq!(store.second_factor("ada").await.expect("reads"), None);
    assert!(conflict(&login(store, recovery("bb")).await), "they go with it");
}

async fn somebody_of_a_provider_is_one_user_and_the_other_way_round(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let identity = |provider: &str, subject: &str, user: &str| Identity {
        provider: provider.into(),
        subject: Redacted(subject.into()),
        user: user.into(),
        made: true,
    };
    let bind = async |identity: Identity| login(store, LoginChange::Bound(identity, at(0))).await;
    bind(identity("id", "1", "ada")).await.expect("binds");
    assert!(conflict(&bind(identity("id", "1", "bob")).await), "the subject is ada");
    assert!(conflict(&bind(identity("id", "2", "ada")).await), "ada is the subject");
    bind(identity("other", "1", "ada")).await.expect("another provider may know her, too");
    assert_eq!(store.identity("id", "1").await.expect("reads"), Some(identity("id", "1", "ada")));
    assert_eq!(store.identity("id", "2").await.expect("reads"), None);
}

fn token(n: i64, maker: &str) -> TokenRow {
    TokenRow {
        id: format!("token{n}"),
        name: "x".into(),
        maker: maker.into(),
        rights: vec![Right::ViewCalls, Right::Monitor],
        created: at(n),
        expires: at(n + 100),
        used: None,
        revoked: None,
    }
}

async fn tokens_are_listed_in_pages_and_end_once(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    for n in 0..5 {
        let made = LoginChange::TokenMade { token: token(n, "ada"), hash: format!("hash{n}") };
        login(store, made).await.expect("makes");
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.tokens(after, 2).await.expect("reads");
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse().expect("survives text"));
    }
    assert_eq!(seen, (0..5).rev().map(|n| token(n, "ada")).collect::<Vec<_>>());
    let same = LoginChange::TokenMade { token: token(9, "ada"), hash: "hash1".into() };
    assert!(login(store, same).await.is_err(), "no two open alike");
    login(store, LoginChange::TokenUsed { id: "token1".into(), at: at(60) }).await.expect("uses");
    login(store, LoginChange::TokenUsed { id: "token1".into(), at: at(30) }).await.expect("uses");
    let revoked = |second| LoginChange::TokenRevoked { id: "token1".into(), at: at(second) };
    login(store, revoked(70)).await.expect("revokes");
    assert!(conflict(&login(store, revoked(80)).await));
    let row = store.token("hash1").await.expect("reads").expect("a token");
    assert_eq!((row.used, row.revoked), (Some(at(60)), Some(at(70))));
    assert!(!row.lives(at(70)) && token(1, "ada").lives(at(100)) && !token(1, "ada").lives(at(101)));
    assert_eq!(store.token_of("token1").await.expect("reads"), Some(row));
    assert_eq!(store.token("nothing").await.expect("reads"), None);
}

async fn tokens_end_with_the_password_that_somebody_else_sets(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    apply(store, USERS, 1).await;
    let lives = async || store.token("hash1").await.expect("reads").expect("a token").revoked.is_none();
    let made = LoginChange::TokenMade {
        token: TokenRow { expires: at(1_000_000_000), ..token(1, "ada") },
        hash: "hash1".into(),
    };
    login(store, made).await.expect("makes");
    apply(store, &USERS.replace("superuser", "reporting"), 2).await;
    assert!(lives().await, "the password is the same");
    let stored = store.user("ada").await.expect("reads").expect("ada");
    let own = settings::User { password_hash: Redacted("own".into()), ..stored.clone() };
    let object = |user: &settings::User| settings::Object::User(std::sync::Arc::new(user.clone()));
    let change = async |old: &settings::User, new: &settings::User, who: &str| {
        let what = settings::Changed::Altered { old: object(old), new: object(new) };
        let difference = settings::Difference { kind: settings::Kind::User, name: "ada".into(), what };
        store
            .commit(vec![Change::Settings(vec![difference], Actor::User(who.into()))])
            .await
            .expect("changes");
    };
    change(&stored, &own, "ada").await;
    assert!(lives().await, "one's own choice");
    let reset = settings::User { password_hash: Redacted("reset".into()), ..own.clone() };
    change(&own, &reset, "boss").await;
    assert!(!lives().await, "who had the old one may have made it");
    let rows =
        store.audit(&AuditFilter { action: Some("token.revoked".into()), ..AuditFilter::default() }).await;
    let rows = rows.expect("reads");
    assert_eq!((rows.len(), rows[0].who.to_string()), (1, "user boss".to_owned()));
    let all = LoginChange::TokensRevoked { maker: "ada".into(), by: Actor::System, at: at(5) };
    login(store, all).await.expect("none is left");
}

async fn whom_a_provider_made_is_known_when_the_provider_is_gone(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let provider = "[provider.id]\nissuer = \"https://id.example\"\nclient-id = \"sayso\"\n";
    apply(store, &format!("{USERS}{provider}"), 1).await;
    for (user, made) in [("ada", true), ("bob", false)] {
        let subject = Redacted(user.to_owned());
        let identity = Identity { provider: "id".into(), subject, user: user.into(), made };
        login(store, LoginChange::Bound(identity, at(0))).await.expect("binds");
    }
    apply(store, &format!("{USERS}{}", provider.replace(".id]", ".other]")), 2).await;
    assert_eq!(store.identity("id", "ada").await.expect("reads"), None);
    assert!(store.was_made("ada").await.expect("reads") && !store.was_made("bob").await.expect("reads"));
    assert_eq!(store.made_users().await.expect("reads"), [("ada".to_owned(), "id".to_owned())].into());
    apply(store, "[user.bob]\npassword = \"correct horse\"\nrole = \"agent\"\n", 3).await;
    assert!(store.made_users().await.expect("reads").is_empty(), "a removed user takes it along");
}

async fn failures_that_two_nodes_count_are_two(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let failed = async |failures, second| {
        let attempts = crate::access::Attempts { failures, last: Some(at(second)) };
        store.commit(vec![Change::Attempts { user: "ada".into(), attempts }]).await.expect("counts");
        store.attempts("ada").await.expect("reads").failures
    };
    assert_eq!(failed(1, 0).await, 1);
    assert_eq!(failed(1, 1).await, 2, "another node saw none before it");
    assert_eq!(failed(3, 2).await, 3, "one that saw both");
    assert_eq!(failed(1, 3_600).await, 1, "those of before are forgotten");
}

async fn nobody_is_there_or_somebody_is(kind: Kind) {
    let place = Place::new(kind).await;
    login(&place.store, LoginChange::Nobody).await.expect("nobody");
    apply(&place.store, USERS, 1).await;
    assert!(conflict(&login(&place.store, LoginChange::Nobody).await));
}

async fn earlier_passwords_are_kept_and_not_for_ever(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    apply(store, USERS, 1).await;
    let hash = async || store.user("ada").await.expect("reads").expect("ada").password_hash;
    let first = hash().await;
    apply(store, &USERS.replace("superuser", "reporting"), 2).await;
    assert_eq!(
        store.earlier_passwords("ada", 9).await.expect("reads"),
        std::slice::from_ref(&first),
        "it was not changed"
    );
    apply(store, &USERS.replace("correct horse", "battery staple"), 3).await;
    let second = hash().await;
    assert_ne!(first, second);
    assert_eq!(store.earlier_passwords("ada", 9).await.expect("reads"), [second.clone(), first]);
    assert_eq!(store.earlier_passwords("ada", 1).await.expect("reads"), [second]);
    let ada = store.user("ada").await.expect("reads").expect("ada");
    let object = |n: u32| {
        let password_hash = Redacted(format!("hash {n}"));
        settings::Object::User(std::sync::Arc::new(settings::User { password_hash, ..ada.clone() }))
    };
    let mut old = settings::Object::User(std::sync::Arc::new(ada.clone()));
    for n in 0..60 {
        let what = settings::Changed::Altered { old, new: object(n) };
        let difference = settings::Difference { kind: settings::Kind::User, name: "ada".into(), what };
        store.commit(vec![Change::Settings(vec![difference], Actor::System)]).await.expect("changes");
        old = object(n);
    }
    let kept = store.earlier_passwords("ada", u8::MAX).await.expect("reads");
    assert_eq!(
        (kept.len(), &kept[0], &kept[50]),
        (51, &Redacted("hash 59".into()), &Redacted("hash 9".into()))
    );
    let standing = store.standing("ada", &ada, true).await.expect("reads");
    assert!(standing.changed.is_some() && !standing.second_factor);
}

async fn a_removed_user_takes_all_of_it_along(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    let bob = "[user.bob]\npassword = \"correct horse\"\nrole = \"agent\"\n";
    apply(store, &format!("{USERS}{bob}"), 1).await;
    login(store, begun("one")).await.expect("begins");
    login(store, confirmed(7)).await.expect("confirms");
    for (n, maker) in [(1, "ada"), (2, "bob")] {
        let made = LoginChange::TokenMade { token: token(n, maker), hash: format!("hash{n}") };
        login(store, made).await.expect("makes");
        let subject = Redacted(maker.to_owned());
        let identity = Identity { provider: "id".into(), subject, user: maker.into(), made: false };
        login(store, LoginChange::Bound(identity, at(0))).await.expect("binds");
    }
    apply(store, bob, 2).await;
    assert_eq!(store.second_factor("ada").await.expect("reads"), None);
    assert_eq!(store.earlier_passwords("ada", 9).await.expect("reads"), []);
    assert_eq!(store.identity("id", "ada").await.expect("reads"), None);
    assert!(store.token("hash1").await.expect("reads").expect("a token").revoked.is_some());
    assert_eq!(store.token("hash2").await.expect("reads"), Some(token(2, "bob")), "others' stay");
    assert!(store.identity("id", "bob").await.expect("reads").is_some());
}

async fn users_of_before_have_a_password_to_remember(kind: Kind) {
    let (url, _dir) = nowhere(kind);
    sqlx::any::install_default_drivers();
    let location = Location::of(&url).expect("right");
    location.prepare().expect("a file");
    let all = location.dialect.migrator();
    let mut raw = AnyConnection::connect(&location.url.0).await.expect("connects");
    let before = all.migrations.iter().filter(|it| it.version < 6).cloned().collect::<Vec<_>>();
    let before = Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT };
    before.run_direct(None, &mut raw, false).await.expect("the tables of before");
    let ada = r#"{"display_name":"Ada","password_hash":"$argon2id$x","role":"superuser"}"#;
    let insert = format!(
        "INSERT INTO settings (kind, name, version, body, changed_at) VALUES ('user', 'ada', 1, '{ada}', 1000)"
    );
    raw.execute(sqlx::AssertSqlSafe(insert)).await.expect("a user of before");
    drop(raw);
    let store = open(&url).await;
    assert_eq!(store.earlier_passwords("ada", 9).await.expect("reads"), [Redacted("$argon2id$x".into())]);
    let ada = store.user("ada").await.expect("reads").expect("ada");
    let changed = store.standing("ada", &ada, true).await.expect("reads").changed;
    assert_eq!(changed, Some(Timestamp::from_micros(1_000)));
}

async fn sessions_are_a_user_s_and_end_together(kind: Kind) {
    let place = Place::new(kind).await;
    let store = &place.store;
    apply(store, USERS, 1).await;
    let ada = store.user("ada").await.expect("reads").expect("ada");
    assert_eq!(store.last_log_in("ada").await.expect("reads"), None);
    for (n, provider) in [(1, None), (2, Some("id".to_owned()))] {
        let opened = SessionChange::Opened {
            key: SessionKey([n; 32]),
            user: "ada".into(),
            password_hash: ada.password_hash.clone(),
            provider,
            rules: settings::SessionRules::default(),
            at: at(i64::from(n)),
        };
        store.commit(vec![Change::Session(opened)]).await.expect("opens");
    }
    let rows = store.sessions("ada", &ada).await.expect("reads");
    let told: Vec<_> = rows.iter().map(|row| (row.key.0[0], row.provider.as_deref())).collect();
    assert_eq!(told, [(2, Some("id")), (1, None)], "the one used last first");
    let signed = store.session(SessionKey([2; 32])).await.expect("reads").expect("a session");
    assert_eq!((signed.provider.as_deref(), signed.standing.by_password), (Some("id"), false));
    assert_eq!(store.last_log_in("ada").await.expect("reads"), Some(at(2)));
    let other = settings::User { password_hash: Redacted("another".into()), ..ada.clone() };
    assert_eq!(store.sessions("ada", &other).await.expect("reads"), [], "they hold with the password alone");
    let ended = SessionChange::AllEnded { user: "ada".into() };
    store.commit(vec![Change::Session(ended)]).await.expect("ends");
    assert_eq!(store.sessions("ada", &ada).await.expect("reads"), []);
}
