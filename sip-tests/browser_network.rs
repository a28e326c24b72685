//! What happens to a page in mid-call: it is loaded anew, its network goes and comes, UDP is closed to it; and the
//! media self-test that says what is wrong.

use std::time::{Duration, Instant};

use crate::harness::audio::{beeps, rms, seconds_of};
use crate::harness::browser::Look;
use crate::harness::clerk::Clerk;
use crate::harness::desk::{ADA_HZ, ALWAYS, CALLER_HZ, LATER};
use crate::harness::office::{ASK, Office, secret};
use crate::harness::relay::Relay;
use crate::harness::turn::Turn;
use crate::harness::{shared, until};

/// What the issue allows from a reload to the conversation.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn a_page_loaded_anew_is_in_its_call_again() {
    let _machine = shared();
    let office = Office::open(ASK);
    let ada = office.ada();
    let mut caller = office.conversation('1', &ada);
    ada.page.click("Pause recording");
    ada.lamp("Recording paused", "caller agreed");

    let gone = Instant::now();
    ada.page.reload();
    let music = || {
        let heard = caller.listens(Duration::from_millis(200));
        (rms(&heard) > 50.0 && seconds_of(ADA_HZ, &heard) == 0.0).then_some(())
    };
    until(BACK_WITHIN, "music to the caller", music);
    caller.hears(ADA_HZ, "the caller hears Ada again");
    let back = gone.elapsed();
    assert!(back < BACK_WITHIN, "back after {back:?}");
    ada.hears(&[CALLER_HZ], "Ada hears the caller again");
    // What was decided and pressed before still holds.
    ada.lamp("Recording paused", "caller agreed");
    let call = ada.call("the same call", |call| call["phase"] == "talking");
    assert_eq!((&call["consent"]["state"], &call["recording"]["state"]), (&"given".into(), &"paused".into()));
    ada.page.click("Resume recording");
    ada.lamp("Recording", "caller agreed");
    caller.listens(Duration::from_secs(1));

    // Once more, while it is recorded: it is recorded again after it.
    ada.page.reload();
    ada.hears(&[CALLER_HZ], "Ada hears the caller after another reload");
    ada.lamp("Recording", "caller agreed");
    caller.listens(Duration::from_secs(1));
    ada.page.click("Hang up");
    caller.is_hung_up();
    ada.is("ready");
    for row in office.recordings(3) {
        let [left, right] = office.channels(&row);
        assert!(seconds_of(CALLER_HZ, &left) > 0.4 && seconds_of(ADA_HZ, &right) > 0.2, "{row}");
    }
    let events = office.events();
    for kind in ["lost", "reattached"] {
        assert_eq!(events.iter().filter(|event| *event == kind).count(), 2, "{events:?}");
    }
    assert_eq!(office.server.rows(&["consents", "list"]).len(), 1, "nobody was asked again");
    office.is_empty();
}

#[test]
fn another_tab_takes_the_call_over() {
    let _machine = shared();
    let office = Office::open(ASK);
    let ada = office.ada();
    let mut caller = office.conversation('1', &ada);
    let other = Clerk::new("ada", ada.page.tab());
    other.page.see("Your phone is open in another tab or window.");
    caller.hears(ADA_HZ, "a second tab disturbs nobody");
    other.page.click("Use the phone here");
    ada.page.see("Your phone is open in another tab or window.");
    other.is_connected();
    other.hears(&[CALLER_HZ], "Ada hears the caller in the other tab");
    caller.hears(ADA_HZ, "the caller hears Ada from the other tab");
    other.lamp("Recording", "caller agreed");
    other.page.click("Hang up");
    caller.is_hung_up();
    // The phone is back in the first tab as soon as the other one is closed.
    drop(other);
    ada.page.see("Ready to ring");
    ada.is("ready");
    assert!(office.events().contains(&"reattached".to_owned()));
    office.is_empty();
}

#[test]
fn a_network_that_goes_and_comes_leaves_the_conversation() {
    let _machine = shared();
    let office = Office::open(ALWAYS);
    let relay = Relay::start(office.server.http);
    let look = Look { says: Some(&beeps(ADA_HZ)), ..Look::default() };
    let ada =
        Clerk::new("ada", crate::harness::browser::Page::open(&format!("http://{}/", relay.address()), look));
    ada.log_in(&secret("ada"));
    ada.is_reachable();
    ada.is_ready();
    let mut caller = office.caller_unasked();
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");

    // Every connection of the page breaks and none can be made for a while: audio goes its own way and stays.
    relay.cut();
    ada.page.see("Connection lost");
    caller.hears(ADA_HZ, "the caller hears Ada without signalling");
    ada.hears(&[CALLER_HZ], "Ada hears the caller without signalling");
    relay.mend();
    ada.page.gone_text("Connection lost");
    ada.call("the call it was", |call| call["phase"] == "talking");
    // The buttons work over the new connections, as soon as the phone has one.
    ada.page.click("Hold");
    ada.page.see_the("button", "Resume call", None);
    ada.page.click("Resume call");
    caller.hears(ADA_HZ, "the caller hears Ada after a hold");

    // The network below changes, too: the browser says so, as for another address, and the page
    // restarts ICE and its signalling.
    let user = |ada: &Clerk| {
        ada.page.evaluate("window.sayso.peer.localDescription.sdp.match(/a=ice-ufrag:(.*)/)[1].trim()")
    };
    let before = user(&ada);
    ada.page.evaluate("void window.dispatchEvent(new Event('online'))");
    until(LATER, "new ICE credentials", || (user(&ada) != before).then_some(()));
    ada.is_connected();
    caller.hears(ADA_HZ, "the caller hears Ada after the ICE restart");
    ada.hears(&[CALLER_HZ], "Ada hears the caller after the ICE restart");
    ada.page.click("Hang up");
    caller.is_hung_up();
    ada.is("ready");
    assert_eq!(office.recordings(1).len(), 1, "one recording: nothing was interrupted");
    office.is_empty();
}

#[test]
fn audio_goes_through_a_turn_server() {
    let _machine = shared();
    let turn = Turn::start();
    let office = Office::with(ALWAYS, "", &turn.config());
    // The browser may use nothing but the relay.
    let only = "const Direct = RTCPeerConnection
        window.RTCPeerConnection = class extends Direct {
            constructor(settings) { super({ ...settings, iceTransportPolicy: 'relay' }) }
        }";
    let look = Look { says: Some(&beeps(ADA_HZ)), before: Some(only), ..Look::default() };
    let ada = office.clerk_like("ada", look);
    ada.is_ready();
    let mut caller = office.caller_unasked();
    ada.answer();
    caller.hears(ADA_HZ, "the caller hears Ada");
    ada.hears(&[CALLER_HZ], "Ada hears the caller");
    let stats = ada.stats();
    assert_eq!(stats.word("path"), "relay", "{stats:?}");
    ada.page.click("Hang up");
    caller.is_hung_up();
    turn.is_for("ada");
    office.is_empty();
}

#[test]
fn the_media_test_says_what_is_wrong_in_words() {
    let _machine = shared();
    let well = Office::open(ALWAYS);
    let ada = well.ada();
    ada.page.click("Media test");
    ada.page.see("Everything works. You can take calls.");
    ada.page.is_accessible("the media test");
    ada.page.click("Close");
    assert_eq!(well.server.rows(&["calls", "list"]).len(), 0, "a test is no call");
    ada.is("ready");

    // 203.0.113.0/24 is nobody's (RFC 5737): sound sent there is lost.
    let astray = Office::with(ALWAYS, "", "advertise = \"203.0.113.9\"\nlocal-networks = []");
    let ada = astray.clerk("ada", ADA_HZ);
    ada.page.click("Media test");
    let words = "The server asks for sound at another address than this page came from";
    ada.page.see_within(words, Duration::from_secs(45));
    ada.page.see("203.0.113.9");
    astray.server.empty(&["sayso_media_legs"], LATER);
}
