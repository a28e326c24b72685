//! Events on their way to a receiver that takes them, fails, hangs, or sends them elsewhere.

use std::net::SocketAddr;
use std::sync::Mutex;

use proptest::prelude::*;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::tests::house::{House, until};
use super::*;
use crate::call::{Cause, Fact};
use crate::ids::{CallId, Redacted};
use crate::settings::{DiffOptions, diff, parse};
use crate::store::DeliveryState;
use crate::vault::Format;

/// Answers by path: `/ok`, `/500`, `/redirect`, `/hang`, `/once` (fails the first time).
struct Receiver {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, Arc::clone(&told)));
            }
        });
        Self { at, heard }
    }

    fn hook(&self, path: &str) -> Webhook {
        Webhook {
            url: format!("http://{}{path}", self.at),
            secret: Redacted("north".to_owned()),
            events: Vec::new(),
            enabled: true,
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(mut socket: TcpStream, heard: Arc<Mutex<Vec<String>>>) {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        let read = socket.read(&mut buffer).await.unwrap_or(0);
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let length =
            text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if read == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
            break;
        }
    }
    let before = {
        let mut heard = heard.lock().unwrap();
        heard.push(text.clone());
        heard.len()
    };
    let path = text.split(' ').nth(1).unwrap_or_default();
    let head = match path {
        "/ok" => "HTTP/1.1 204 No Content",
        "/once" if before > 1 => "HTTP/1.1 200 OK",
        "/redirect" => "HTTP/1.1 302 Found\r\nLocation: /ok",
        "/hang" => return std::future::pending().await,
        _ => "HTTP/1.1 500 Internal Server Error",
    };
    let answer = format!("{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap_or_default();
}

/// That a webhook may be on this machine.
fn here() -> WebhookRules {
    WebhookRules { networks: vec!["127.0.0.1/32".parse().unwrap()] }
}

/// The same in settings.
const HERE: &str = "[system.sayso]\nwebhook-networks = [\"127.0.0.1\"]\n";

const NOW: Timestamp = Timestamp::from_micros(1_795_339_800_000_000);

async fn send(receiver: &Receiver, path: &str, within: Duration) -> Result<u16, Refused> {
    Sender::within(within, &here()).send(&receiver.hook(path), "call.ended", Ulid(7), "{\"a\":1}", NOW).await
}

#[tokio::test]
async fn what_is_taken_was_signed_and_named() {
    let receiver = Receiver::new().await;
    assert_eq!(send(&receiver, "/ok", Duration::from_secs(10)).await, Ok(204));
    let heard = receiver.heard().remove(0);
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /ok HTTP/1.1") && body == "{\"a\":1}", "{heard}");
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).unwrap()
    };
    assert_eq!(header("sayso-event"), "call.ended");
    assert_eq!(header("sayso-delivery"), Ulid(7).to_string());
    assert_eq!(header("content-type"), "application/json");
    let signed = header("sayso-signature");
    let tag = signed.strip_prefix("t=1795339800,v1=").expect("the time and the tag");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"north");
    let tag = hex::decode(tag).unwrap();
    assert!(aws_lc_rs::hmac::verify(&key, b"1795339800.{\"a\":1}", &tag).is_ok());
}

#[tokio::test]
async fn what_fails_hangs_or_leads_elsewhere_is_refused_in_time() {
    let receiver = Receiver::new().await;
    let failed = send(&receiver, "/500", Duration::from_secs(10)).await;
    assert_eq!(failed, Err(Refused { status: Some(500), what: "the answer was 500".to_owned() }));
    let elsewhere = send(&receiver, "/redirect", Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(elsewhere.status, Some(302));
    assert!(elsewhere.what.contains("not followed"), "{elsewhere:?}");
    assert_eq!(receiver.heard().len(), 2, "nobody went there");
    let hangs = send(&receiver, "/hang", Duration::from_millis(100)).await.unwrap_err();
    assert_eq!((hangs.status, hangs.what.as_str()), (None, "there was no answer in time"));
    let gone = Receiver { at: "127.0.0.1:1".parse().unwrap(), heard: Arc::default() };
    let gone = send(&gone, "/secret-path", Duration::from_secs(10)).await.unwrap_err();
    assert!(gone.status.is_none() && !gone.what.contains("secret-path"), "{gone:?}");
    let mut unsigned = receiver.hook("/ok");
    unsigned.secret = Redacted(String::new());
    let unsigned = Sender::new(&here()).send(&unsigned, "call.ended", Ulid(7), "{}", NOW).await.unwrap_err();
    assert!(unsigned.what.contains("no secret"), "{unsigned:?}");
}

async fn apply(house: &House, text: &str) {
    let store = &house.deps().store;
    let (_, old) = store.settings().await.unwrap();
    let file = parse(text, "test.toml", "sayso").unwrap();
    let changes = diff(&old, &file, &DiffOptions { prune: false, seed: [7; 32] }).unwrap();
    store.commit(vec![Change::Settings(changes, Actor::System)]).await.unwrap();
}

fn ended() -> Change {
    let at = Timestamp::from_micros(5);
    Change::Fact(Fact::Ended { call: CallId::new(Ulid(1)), at, cause: Cause::HungUp })
}

async fn only(house: &House) -> Delivery {
    let mut rows = house.deps().store.deliveries("crm", None, 9).await.unwrap().items;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

#[tokio::test]
async fn an_event_is_sent_until_it_is_taken() {
    let house = House::new(Format::Pcm16).await;
    let receiver = Receiver::new().await;
    let url = receiver.hook("/once").url;
    apply(
        &house,
        &format!("{HERE}[webhook.crm]\nurl = \"{url}\"\nsecret = \"north\"\nevents = [\"call.ended\"]"),
    )
    .await;
    let store = &house.deps().store;
    store.commit(vec![ended()]).await.unwrap();
    let ctx = Arc::new(Context::new(house.config(false), house.deps().clone()));
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(ctx, stop.clone()));
    until("it failed", async || only(&house).await.status == Some(500)).await;
    let row = only(&house).await;
    assert_eq!((row.state, row.attempts), (DeliveryState::Waiting, 1));
    assert!(row.due > row.at, "{row:?}");
    // Nobody waits for the back-off here.
    let at = house.deps().clock.now();
    let again = WebhookChange::Retry { id: row.id, by: Actor::User("ada".to_owned()), at };
    store.commit(vec![Change::Webhook(again)]).await.unwrap();
    until("it is taken", async || only(&house).await.state == DeliveryState::Delivered).await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|text| text.contains(&row.id.to_string()) && text.ends_with(&row.body)));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn what_nobody_takes_for_days_is_given_up_with_an_alarm_that_ends_when_one_is_taken() {
    let house = House::new(Format::Pcm16).await;
    let receiver = Receiver::new().await;
    let (bad, good) = (receiver.hook("/500").url, receiver.hook("/ok").url);
    let settings = |url: &str| {
        format!("{HERE}[webhook.crm]\nurl = \"{url}\"\nsecret = \"north\"\nevents = [\"call.ended\"]")
    };
    apply(&house, &settings(&bad)).await;
    let store = &house.deps().store;
    store.commit(vec![ended()]).await.unwrap();
    let old = (house.deps().clock.now() - GIVE_UP - Duration::from_secs(60)).as_micros();
    let url = format!("sqlite://{}", house.path("a.db").display());
    let mut raw = sqlx::AnyConnection::connect(&url).await.unwrap();
    raw.execute(AssertSqlSafe(format!("UPDATE webhook_deliveries SET at = {old}"))).await.unwrap();
    let ctx = Arc::new(Context::new(house.config(false), house.deps().clone()));
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(ctx, stop.clone()));
    until("it is given up", async || only(&house).await.state == DeliveryState::Failed).await;
    let alarms = &house.deps().alarms;
    assert!(alarms.is_raised_for(AlarmKind::WebhookFails, "crm"));
    apply(&house, &settings(&good)).await;
    let again =
        WebhookChange::Retry { id: only(&house).await.id, by: Actor::System, at: house.deps().clock.now() };
    store.commit(vec![Change::Webhook(again)]).await.unwrap();
    until("it is taken", async || only(&house).await.state == DeliveryState::Delivered).await;
    until("the alarm is over", async || !alarms.is_raised_for(AlarmKind::WebhookFails, "crm")).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_test_tells_how_it_went_and_is_not_tried_again() {
    let house = House::new(Format::Pcm16).await;
    let receiver = Receiver::new().await;
    let deps = house.deps();
    for (path, state) in [("/ok", DeliveryState::Delivered), ("/500", DeliveryState::Failed)] {
        let by = Actor::User("ada".to_owned());
        let hook = receiver.hook(path);
        let row = test(&deps.store, deps.clock, ("crm", &hook), &here(), by).await.unwrap();
        assert_eq!((row.state, row.event.as_str(), row.attempts), (state, "test", 1));
    }
    let later = deps.clock.now() + Duration::from_secs(86_400);
    assert!(deps.store.deliveries_due("crm", later, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_goes_to_a_private_address_that_nobody_allowed_by_number_or_by_name() {
    let receiver = Receiver::new().await;
    let port = receiver.at.port();
    let elsewhere = WebhookRules { networks: vec!["10.0.0.0/8".parse().unwrap()] };
    for rules in [WebhookRules::default(), elsewhere] {
        let sender = Sender::new(&rules);
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let hook = Webhook { url: format!("http://{host}:{port}/ok"), ..receiver.hook("/ok") };
            let refused = sender.send(&hook, "call.ended", Ulid(7), "{}", NOW).await.unwrap_err();
            assert_eq!(refused.status, None, "{host}");
            assert!(
                refused.what.contains("private address") && refused.what.contains("webhook-networks"),
                "{refused:?}"
            );
        }
    }
    assert!(receiver.heard().is_empty(), "not one connection was made");
    let named = Webhook { url: format!("http://localhost:{port}/ok"), ..receiver.hook("/ok") };
    let sent = Sender::new(&here()).send(&named, "call.ended", Ulid(7), "{}", NOW).await;
    assert_eq!(sent, Ok(204), "a name goes where it may");
}

#[tokio::test]
async fn what_is_not_allowed_any_more_is_not_delivered() {
    let house = House::new(Format::Pcm16).await;
    let receiver = Receiver::new().await;
    let url = receiver.hook("/ok").url;
    let hook = format!("[webhook.crm]\nurl = \"{url}\"\nsecret = \"north\"\nevents = [\"call.ended\"]");
    apply(&house, &format!("{HERE}{hook}")).await;
    // As an older Sayso left it, which had no such rule: it is stored past the check.
    let (_, mut settings) = house.deps().store.settings().await.unwrap();
    let (_, old) = house.deps().store.settings().await.unwrap();
    settings.system = None;
    let changes = crate::settings::differences(&old, &settings);
    house.deps().store.commit(vec![Change::Settings(changes, Actor::System)]).await.unwrap();
    house.deps().store.commit(vec![ended()]).await.unwrap();
    let ctx = Arc::new(Context::new(house.config(false), house.deps().clone()));
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(ctx, stop.clone()));
    until("it failed", async || only(&house).await.what.is_some()).await;
    let row = only(&house).await;
    assert!(row.state == DeliveryState::Waiting && row.what.unwrap().contains("private address"));
    apply(&house, HERE).await;
    let again = WebhookChange::Retry { id: row.id, by: Actor::System, at: house.deps().clock.now() };
    house.deps().store.commit(vec![Change::Webhook(again)]).await.unwrap();
    until("it is taken", async || only(&house).await.state == DeliveryState::Delivered).await;
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn waits_double_up_to_an_hour_and_end_after_three_days() {
    let longest = |failures| next(NOW, failures, NOW, u32::MAX).unwrap().since(NOW).as_secs();
    let waits: Vec<u64> = (1..=12).map(longest).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
    assert!(next(NOW, 9, NOW + GIVE_UP - Duration::from_secs(1), 0).is_some());
    assert_eq!(next(NOW, 9, NOW + GIVE_UP, 0), None);
}

proptest! {
    #[test]
    fn jitter_is_between_half_and_all(failures in 1u32..100, random: u32) {
        let all = next(NOW, failures, NOW, u32::MAX).unwrap().since(NOW).as_secs_f64();
        let wait = next(NOW, failures, NOW, random).unwrap().since(NOW).as_secs_f64();
        prop_assert!(wait >= all * 0.499 && wait <= all * 1.001, "{wait} {all}");
    }
}
