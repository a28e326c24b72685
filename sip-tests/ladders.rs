//! The SIP messages of a call: as the API has them while it goes on and once it is over, and as the page draws them.

use serde_json::Value;

use crate::harness::api::Session;
use crate::harness::browser::{Look, Page};
use crate::harness::desk::{Desk, LATER, NEVER, NUMBER};
use crate::harness::office::picture;
use crate::harness::phone::{Phone, SOON};
use crate::harness::server::password;
use crate::harness::{shared, until};

const BOB: &str = "[agent.bob]\npassword = \"secret-of-bob\"\nqueues = [\"sales\"]\n\
     [queue.sales]\nlanguage = \"en\"\nrecording = \"never\"\n\
     [user.boss]\nrole = \"superuser\"\npassword = \"secret-of-boss\"\nmust-change = false\n";

fn ladder(session: &Session, call: &str) -> Value {
    let (status, ladder) = session.ask("GET", &format!("/calls/{call}/ladder"), None);
    assert_eq!(status, 200, "{ladder}");
    ladder
}

/// What is said in leg `n`, in order: `< INVITE` came, `> 200 OK` went. Retransmissions are left out.
fn said(ladder: &Value, n: u64) -> Vec<String> {
    let of_leg = ladder["messages"].as_array().expect("messages").iter().filter(|m| m["leg"] == n);
    let mut said: Vec<(String, String)> = Vec::new();
    for message in of_leg {
        let word = |key: &str| message[key].as_str().expect("a word").to_owned();
        let way = if word("from") == "sayso" { '>' } else { '<' };
        let one = (format!("{way} {}", word("what")), word("cseq"));
        if !said.contains(&one) {
            said.push(one);
        }
    }
    said.into_iter().map(|(what, _)| what).collect()
}

/// Whether these come in this order, perhaps with others in between.
fn in_order(said: &[String], wanted: &[&str]) {
    let mut rest = said.iter();
    for one in wanted {
        assert!(rest.any(|said| said == one), "{one} is not where it belongs in {said:?}");
    }
}

const CAME: [&str; 6] = ["< INVITE", "> 100 Trying", "> 200 OK", "< ACK", "< BYE", "> 200 OK"];

#[test]
fn a_call_that_is_transferred_has_the_messages_of_all_its_legs() {
    let _machine = shared();
    let mut desk = Desk::with(NEVER, "", BOB);
    let boss = Session::open(desk.server.http, "boss", &password("boss"));
    let mut bob = Phone::new(desk.server.udp, [127, 0, 0, 1], "bob");
    bob.register(&password("bob"), 3600);
    let voices = desk.connect();
    let id = boss.call("the call", |_| true)["id"].as_str().expect("an id").to_owned();
    let so_far = ladder(&boss, &id);
    in_order(&said(&so_far, 0), &CAME[..4]);
    assert!(!said(&so_far, 0).iter().any(|said| said.contains("BYE")), "it goes on");

    assert_eq!(desk.ada.refer("sip:bob@sayso"), Some(202));
    bob.rung_within(LATER);
    bob.reply(180, "Ringing");
    bob.pick_up();
    assert!(desk.ada.notified(SOON).ends_with(&[200]));
    desk.ada.take("BYE", SOON);
    drop(voices);
    desk.caller.bye();
    bob.take("BYE", SOON);
    desk.is_empty();

    // Stored some seconds after its end; the same before and after that.
    let at_once = ladder(&boss, &id);
    let whole =
        |told: &Value| (0..3).all(|n| said(told, n).last().is_some_and(|last| last.contains("200 OK")));
    let told = until(SOON * 2, "the end of all legs", || Some(ladder(&boss, &id)).filter(whole));
    assert!(at_once["messages"].as_array().map(Vec::len) <= told["messages"].as_array().map(Vec::len));
    let lines: Vec<&str> =
        told["lines"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert_eq!(lines, ["trunk carrier", "sayso", "agent ada", "agent bob"]);
    in_order(&said(&told, 0), &CAME);
    // The last NOTIFY and our BYE may overtake each other.
    let ada = said(&told, 1);
    in_order(&ada, &["> INVITE", "< 200 OK", "> ACK", "< REFER", "> 202 Accepted", "> NOTIFY", "< 200 OK"]);
    in_order(&ada, &["> 202 Accepted", "> BYE", "< 200 OK"]);
    in_order(&said(&told, 2), &["> INVITE", "< 180 Ringing", "< 200 OK", "> ACK", "> BYE", "< 200 OK"]);
    let text = told.to_string();
    assert_eq!(told["cut"], false, "{text}");
    for secret in [NUMBER, "4930555001", "a=rtpmap", "m=audio", "sip:", "Call-ID", "tag="] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let at: Vec<&str> =
        told["messages"].as_array().expect("messages").iter().filter_map(|m| m["at"].as_str()).collect();
    assert!(at.is_sorted(), "in order of time");
    assert_eq!(desk.server.metrics().sum("sayso_ladder_notes_lost_total").unwrap_or(0.0), 0.0);

    // The server stops: what it had is in the database, for the next one.
    let Desk { mut server, .. } = desk;
    server.terminate();
    server.ended(SOON * 2);
    server.start_again();
    let boss = Session::open(server.http, "boss", &password("boss"));
    assert_eq!(ladder(&boss, &id), told);

    // And as the page has it.
    let page = Page::open(&format!("http://{}/", server.http), Look::default());
    page.fill("User name", "boss");
    page.fill("Password", &password("boss"));
    page.click("Log in");
    page.gone("Log in");
    page.evaluate(&format!("void (window.location.hash = '#/all-calls/{id}')"));
    page.see_the("heading", "SIP messages", None);
    page.see("Agent ada");
    let drawn = page.evaluate("document.querySelectorAll('svg.ladder .rung').length");
    assert_eq!(drawn.as_u64(), told["messages"].as_array().map(|all| all.len() as u64));
    page.is_accessible("the ladder");
    page.screenshot(&picture("ladder"));
}
