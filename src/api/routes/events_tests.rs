//! What a stream finds when it looks at its session, without waiting for the heartbeat.

use super::*;
use crate::api::Proxies;
use crate::api::guard::key_of;
use crate::api::sign;
use crate::api::tests::house::{House, PASSWORD, call_view};
use crate::settings::SessionRules;

/// A stream of a user who just logged in, its snapshot told.
async fn stream(house: &House, user: &str) -> (Arc<Desk>, Telling, String) {
    let desk = Desk::new(house.desktop.clone(), false, Proxies::default());
    let from = "127.0.0.1".parse().unwrap();
    let (token, visitor) = sign::log_in(&desk, user, PASSWORD.into(), None, from).await.unwrap();
    let seat = desk.seat(&visitor).unwrap();
    let mut told = Telling::begin(Arc::clone(&desk), visitor, seat, desk.endings());
    let first = told.next().await.unwrap();
    assert!(first.starts_with("event: snapshot\n"), "{first}");
    (desk, told, token)
}

async fn look(told: &mut Telling) {
    let found = told.desk.visitor(told.visitor.key).await;
    told.found(found);
}

#[tokio::test]
async fn other_rights_show_everything_anew_and_none_end_the_stream() {
    let house = House::new().await;
    house.heard().calls = vec![call_view(1, &["carol"])];
    let (_, mut told, _) = stream(&house, "bob").await;
    look(&mut told).await;
    assert!(told.waiting.is_empty(), "nothing is new");
    house.apply("[user.bob]\nrole = \"supervisor\"\nagent = \"bob\"\n").await;
    look(&mut told).await;
    let text = told.next().await.unwrap();
    assert!(text.starts_with("event: snapshot\n") && text.contains("••• 67"), "{text}");
    house.apply("[user.bob]\npassword = \"other horse\"\nrole = \"supervisor\"\nagent = \"bob\"\n").await;
    look(&mut told).await;
    assert_eq!(told.next().await.as_deref(), Some("event: logged-out\ndata: {}\n\n"));
    assert_eq!(told.next().await, None);
}

#[tokio::test]
async fn what_nobody_uses_any_more_is_swept_away() {
    let house = House::new().await;
    let (desk, mut told, token) = stream(&house, "bob").await;
    let visitor = desk.visitor(key_of(&token)).await.unwrap().unwrap();
    desk.lent(&visitor, "bob".into(), "lent1".into());
    desk.sweep().await;
    assert!(house.heard().taken_back.is_empty());
    house.pass(SessionRules::default().idle);
    desk.sweep().await;
    assert_eq!(house.heard().taken_back, ["lent1"]);
    assert_eq!(told.next().await.as_deref(), Some("event: logged-out\ndata: {}\n\n"));
}
