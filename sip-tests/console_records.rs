//! Recordings and how long they are kept, by page: found, heard with a reason, held, and removed by a rule that was
//! simulated before it was saved.

use std::time::Duration;

use serde_json::json;

use crate::harness::console::Console;
use crate::harness::shared;
use crate::harness::until;
use crate::harness::vault::{self, ALWAYS, Kept, ROOT, Talk, settled, text};

/// Makes all calls ten days older.
const AGE: &str = "UPDATE calls SET ended_at = ended_at - 864000000000; \
     UPDATE recordings SET call_ended_at = call_ended_at - 864000000000";
const WHY: &str = "A complaint about the fourth of May";

#[test]
fn recordings_are_found_heard_held_and_removed_by_page() {
    let _machine = shared();
    let settings = vault::settings(2, |_| ALWAYS.to_owned());
    let server = vault::start(&settings, &Kept::Folder.config("listening-reason = true", ""));
    let talks = [(0, "+4930555987001"), (1, "+4930555987002")]
        .map(|(queue, from)| Talk::of_noise(&server, queue, from, queue as u32 + 1));
    talks.iter().for_each(|talk| talk.lasts(6.5));
    talks.into_iter().for_each(|talk| drop(talk.hang_up()));
    let rows = settled(&server, Duration::from_secs(60));
    let of = |queue: &str| {
        let row = rows.iter().find(|row| row.to_string().contains(&format!("\"{queue}\"")));
        text(row.unwrap_or_else(|| panic!("a recording of {queue}: {rows:?}")), "id")
    };
    let (kept, removed) = (of("q0"), of("q1"));
    vault::sql(&vault::database(server.dir.path()), AGE);

    let console = Console::open(&server);
    console.is(ROOT.0, ROOT.1);
    is_found_and_heard(&console, &kept);
    is_held(&console, &kept);
    rule_is_simulated(&console);

    // The rule is in force: what is held stays, what is not goes, and each tells why.
    let gone =
        || (console.api("GET", &format!("/recordings/{removed}")).1["state"] == "removed").then_some(());
    until(Duration::from_secs(60), "the recording to be removed by the rule", gone);
    assert_eq!(console.api("GET", &format!("/recordings/{kept}")).1["state"], "stored");
    console.goes_anew(&format!("recordings/{removed}"), "Why did it go?");
    console.says("It was destroyed, and every copy is removed.");
    console.goes_anew(&format!("recordings/{kept}"), "Why is it here?");
    console.says("On hold");
    is_released(&console);
    // The sweep comes each minute, and at once when settings change.
    server.apply("[queue.q9]\nlanguage = \"en\"\nrecording = \"never\"\n");
    let gone = || (console.api("GET", &format!("/recordings/{kept}")).1["state"] == "removed").then_some(());
    until(Duration::from_secs(90), "the recording to be removed after its hold", gone);

    for (action, count) in [("hold.created", 1), ("hold.released", 1), ("recording.listened", 1)] {
        let rows = server.rows(&["audit", "list", "--action", action]);
        assert_eq!(rows.len(), count, "{action}: {rows:?}");
    }
    console.is_clean("the end");
    server.audit_is_whole();
}

/// A filter finds one of two; it is not heard without a reason; jumping plays there; the listening log tells.
fn is_found_and_heard(console: &Console, id: &str) {
    let page = &console.page;
    console.goes("recordings", "Recordings");
    console.says("2 rows");
    let search = "document.querySelector('main [role=search]')";
    if page.evaluate(&format!(
        "[...{search}.querySelectorAll('select')].some((it) => it.labels[0].textContent === 'Queue')"
    )) == true
    {
        page.inside("main", None).choose("Queue", "q0");
    } else {
        page.inside("main", None).fill("Queue", "q0");
    }
    console.says("1 row");
    page.click_like("link", "Open the recording of");
    page.see_the("heading", "Why is it here?", None);
    assert!(page.evaluate("window.location.hash").as_str().unwrap_or_default().contains(id));
    page.click("Listen");
    page.click("Give a reason to listen…");
    let dialog = page.dialog();
    dialog.click("Listen");
    dialog.see("Write a reason.");
    let (_, log) = console.api("GET", "/listening-log");
    assert_eq!(log["items"], json!([]), "nobody has heard it yet");
    dialog.fill("Reason", WHY);
    dialog.click("Listen");
    console.holds("document.querySelector('.rec-wave')?.getAttribute('aria-label')?.startsWith('Waveform')");
    page.click("Play");
    console.holds("document.querySelector('audio').currentTime > 0.2");
    page.evaluate("document.querySelector('.rec-player').focus()");
    page.press("ArrowRight");
    let there = "(({ currentTime, seekable, duration, seeking }) => !seeking && currentTime >= 5 \
                 && seekable.length > 0 && seekable.end(0) > duration - 0.2)(document.querySelector('audio'))";
    console.holds(there);
    let range = page.evaluate(
        "fetch(document.querySelector('audio').src, { headers: { Range: 'bytes=1000-1999' } })
            .then(async (it) => [it.status, (await it.arrayBuffer()).byteLength])",
    );
    assert_eq!(range, json!([206, 1000]));
    console.goes("listening-log", "Listening log");
    console.says(WHY);
    let (_, log) = console.api("GET", "/listening-log");
    let entries = log["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(entries.len(), 1, "one listening, one entry: {log}");
    assert_eq!((&entries[0]["who"], &entries[0]["recording"]), (&json!("root"), &json!(id)));
}

fn is_held(console: &Console, id: &str) {
    let page = &console.page;
    console.goes(&format!("recordings/{id}"), "Why is it here?");
    page.click("Hold…");
    page.dialog().fill("Reason", "The court asks for it");
    page.dialog().click("Place hold");
    page.see("The hold is in force.");
    console.says("The court asks for it");
    // Nobody destroys what is held.
    page.click("Destroy…");
    page.dialog().fill("Reason", "Out of the way");
    page.dialog().click("Destroy for good");
    page.dialog().see("hold");
    page.dialog().click("Cancel");
    assert_eq!(console.api("GET", &format!("/recordings/{id}")).1["state"], "stored");
}

fn is_released(console: &Console) {
    let page = &console.page;
    page.click_like("button", "Release the hold on");
    page.dialog().fill("Reason", "The court has decided");
    page.dialog().click("Release hold");
    page.see("The hold is released.");
}

/// What a rule would do is counted before it is saved, and nothing is stored until then.
fn rule_is_simulated(console: &Console) {
    let page = &console.page;
    console.goes("retention?tab=change", "Retention");
    page.see_the("heading", "Change the rules", None);
    let recordings = page.inside("group", Some("Recordings"));
    recordings.tick("radio", "For");
    recordings.fill("Recordings: Amount", "5");
    page.click("Simulate");
    let found = page.inside("table", Some("What would happen")).text();
    let row = |name: &str| {
        let line = found.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {found}"))
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row("Recordings removed at once"), ["0", "1", "+1"], "{found}");
    assert_eq!(row("Kept by holds")[1], "1", "{found}");
    let queues = page.inside("table", Some("By queue")).text();
    assert!(queues.lines().any(|line| line.starts_with("q1") && line.contains("+1")), "{queues}");
    let (_, system) = console.api("GET", "/system");
    assert_eq!(
        system["retention-recordings"].as_str().unwrap_or("forever"),
        "forever",
        "nothing is stored yet"
    );
    page.click("Save rules…");
    page.dialog().see("With the next run 1 recordings are removed");
    page.dialog().click("Put in force");
    page.see("The rules are in force.");
    let (_, system) = console.api("GET", "/system");
    assert_eq!(system["retention-recordings"], "5d");
}
