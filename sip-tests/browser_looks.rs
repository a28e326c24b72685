//! The pages for everybody: axe finds nothing in any state, light or dark; three languages; a call without a mouse.

use crate::harness::audio::beeps;
use crate::harness::browser::{Look, Page};
use crate::harness::clerk::Clerk;
use crate::harness::desk::{ADA_HZ, CALLER_HZ};
use crate::harness::office::{ASK, Office, picture, secret};
use crate::harness::shared;

/// As it looks now, light and dark.
fn accessible(page: &Page, what: &str) {
    page.turns("dark");
    page.is_accessible(&format!("{what}, dark"));
    page.turns("light");
    page.is_accessible(what);
}

#[test]
fn axe_finds_nothing_from_log_in_to_log_out() {
    let _machine = shared();
    let settings = Office::settings(ASK, "").replace("must-change = false\n[user.bob]", "[user.bob]");
    let office = Office { server: crate::harness::server::Server::start(&settings) };
    let look = Look { says: Some(&beeps(ADA_HZ)), ..Look::default() };
    let ada = Clerk::new("ada", Page::open(&office.url(), look));
    accessible(&ada.page, "log-in");
    ada.log_in(&secret("ada"));
    ada.page.see("Choose a password of your own");
    accessible(&ada.page, "first password");
    ada.page.fill("Present password", &secret("ada"));
    ada.page.fill("New password", "a word of her own");
    ada.page.fill("New password, again", "a word of her own");
    ada.page.click("Change password");
    ada.is_reachable();
    ada.is_ready();
    accessible(&ada.page, "idle");
    let mut caller = office.caller('2');
    ada.page.see_the("button", "Answer", None);
    accessible(&ada.page, "ringing");
    ada.answer();
    ada.lamp("Not recording", "caller refused");
    accessible(&ada.page, "in a call");
    for (button, dialog) in [
        ("Record anyway…", "Record without consent"),
        ("Transfer", "Transfer the call"),
        ("Devices…", "Audio devices"),
        ("Keyboard shortcuts", "Keyboard shortcuts"),
    ] {
        ada.page.click(button);
        ada.page.see_the("dialog", dialog, None);
        accessible(&ada.page, dialog);
        ada.page.press("Escape");
        ada.page.gone_the("dialog", dialog);
    }
    ada.page.click("Keypad");
    accessible(&ada.page, "Keypad");
    ada.page.click("Keypad");
    ada.page.screenshot(&picture("desktop-refused"));
    ada.page.click("Hang up");
    caller.is_hung_up();
    ada.is("ready");
    for link in ["My calls", "Listening log"] {
        ada.page.click_the("link", link);
        accessible(&ada.page, link);
    }
    office.is_empty();
}

#[test]
fn german_and_finnish_are_spoken() {
    let _machine = shared();
    let office = Office::open(ASK);
    for (locale, lang, log_in, ready) in
        [("de-DE", "de", "Anmelden", "Bereit"), ("fi-FI", "fi", "Kirjaudu", "Valmis")]
    {
        let page = Page::open(&office.url(), Look { locale: Some(locale), ..Look::default() });
        page.see_the("button", log_in, None);
        assert_eq!(page.evaluate("document.documentElement.lang"), lang);
        page.is_accessible(&format!("log-in in {lang}"));
        page.evaluate(&format!(
            "fetch('/api/v1/session', {{ method: 'POST', headers: {{ 'X-Sayso': '1', 'Content-Type': 'application/json' }},
              body: JSON.stringify({{ user: 'bob', password: '{}' }}) }}).then((answer) => answer.status)",
            secret("bob")
        ));
        page.reload();
        page.see_the("button", ready, None);
        page.is_accessible(&format!("the desktop in {lang}"));
    }
}

#[test]
fn a_call_without_a_mouse() {
    let _machine = shared();
    let office = Office::open(ASK);
    let look = Look { says: Some(&beeps(ADA_HZ)), ..Look::default() };
    let ada = Clerk::new("ada", Page::open(&office.url(), look));
    // The log-in by Tab and Enter alone.
    ada.page.see_the("button", "Log in", None);
    ada.page.reach("User name");
    ada.page.write("ada");
    ada.page.reach("Password");
    ada.page.write(&secret("ada"));
    ada.page.press("Enter");
    ada.is_reachable();
    if ada.agent()["state"] != "ready" {
        ada.page.reach("Ready");
        ada.page.press("Enter");
        ada.is("ready");
    }
    let mut caller = office.caller('1');
    ada.page.see_the("button", "Answer", None);
    ada.page.reach("Answer");
    ada.page.press("Enter");
    ada.is_connected();
    ada.lamp("Recording", "caller agreed");
    ada.hears(&[CALLER_HZ], "Ada hears the caller");
    // The shortcuts, which the page lists itself.
    ada.page.press("Alt+m");
    ada.page.see_the("button", "Unmute", None);
    ada.page.press("Alt+m");
    ada.page.see_the("button", "Mute", None);
    ada.page.press("Alt+p");
    ada.lamp("Recording paused", "caller agreed");
    ada.page.press("Alt+p");
    ada.page.reach("Hang up");
    ada.page.press("Enter");
    caller.is_hung_up();
    ada.is("ready");
    office.is_empty();
}
