//! What the linter finds, and that it finds nothing where all is well.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::consent::{AskRule, LegalBasis, Script};
use crate::ids::Redacted;
use crate::media::Digit;
use crate::settings::{Agent, Hours, Keep, Number, OnRecordingFailure, Retention};

const GOOD: &str = "May we record this call: what you and we say, for quality and training? Recordings are deleted after \
                    90 days. Saying no costs you nothing, and a yes can be taken back. Press 1 for yes, or 2 for no.";
const DAY: u64 = 86_400;

fn days(days: u64) -> Keep {
    Keep::For(Duration::from_secs(days * DAY))
}

fn spoken(text: &str) -> Spoken {
    Spoken { text: Some(text.to_owned()), missing: false, version: "ab".repeat(32), changed: false }
}

fn wording(language: &str, question: &str) -> Wording {
    let welcome = spoken(if language == "de" { "Guten Tag." } else { "Hello." });
    Wording {
        language: Language(language.into()),
        welcome,
        question: spoken(question),
        refused: spoken("All right."),
    }
}

/// A queue in which all is well, with what is around it.
struct Scene {
    queue: Queue,
    before: Option<Queue>,
    settings: Settings,
    wording: Vec<Wording>,
}

impl Scene {
    fn good() -> Self {
        let mut settings = Settings::default();
        let agent = Agent {
            display_name: Redacted("Ada".into()),
            credentials: None,
            queues: vec!["support".into()],
            skills: Vec::new(),
            phone: Default::default(),
        };
        settings.agents.insert("ada".into(), Arc::new(agent));
        let retention = Retention { calls: days(365), recordings: days(90), reporting: Keep::Forever };
        settings.system = Some(Arc::new(System { retention, ..System::default() }));
        let queue = Queue { pause_limit: Some(Duration::from_secs(120)), ..Queue::default() };
        Self { queue, before: None, settings, wording: vec![wording("en", GOOD)] }
    }

    fn with(set: impl FnOnce(&mut Queue)) -> Self {
        let mut scene = Self::good();
        set(&mut scene.queue);
        scene
    }

    fn asking(set: impl FnOnce(&mut Script)) -> Self {
        let mut script = Script::default();
        set(&mut script);
        Self::with(|queue| queue.recording = Policy::Consent(script))
    }

    fn saying(text: &str) -> Self {
        let mut scene = Self::good();
        scene.wording = vec![wording("en", text)];
        scene
    }

    fn lint(&self) -> Vec<Finding> {
        let Self { queue, before, settings, wording } = self;
        lint(&Subject { name: &"support".into(), queue, before: before.as_ref(), settings, wording })
    }

    /// Level, rule and place of each finding.
    fn found(&self) -> Vec<(Level, &'static str, String)> {
        self.lint().into_iter().map(|finding| (finding.level, finding.rule, finding.place)).collect()
    }
}

#[track_caller]
fn finds(scene: &Scene, level: Level, rule: &'static str, place: &str) {
    assert_eq!(scene.found(), [(level, rule, place.to_owned())]);
}

#[test]
fn where_all_is_well_nothing_is_found() {
    assert_eq!(Scene::good().lint(), []);
    let never = Scene::with(|queue| queue.recording = Policy::Never);
    assert_eq!(never.lint(), []);
}

#[test]
fn a_refusal_that_ends_the_call_is_found() {
    let text = format!("{GOOD} If you do not agree, please hang up.");
    finds(&Scene::saying(&text), Level::Stop, "refusal-ends-call", "prompt en~consent-question");
    let mut scene = Scene::good();
    scene.wording[0].refused = spoken("Then we cannot help you. Goodbye.");
    finds(&scene, Level::Stop, "refusal-ends-call", "prompt en~refused");
    let dropped = Scene::with(|queue| queue.on_recording_failure = OnRecordingFailure::DropCall);
    finds(&dropped, Level::Stop, "answer-costs-the-call", "on-recording-failure");
}

#[test]
fn recording_that_is_told_of_before_the_question_is_found() {
    let mut scene = Scene::good();
    scene.wording[0].welcome = spoken("Hello. This call is being recorded.");
    finds(&scene, Level::Stop, "capture-before-consent", "prompt en~welcome");
    scene.queue.recording = Policy::Always(LegalBasis::Obligation("MiFID II, Art. 16 (7)".into()));
    assert_eq!(scene.lint(), [], "who is not asked has to be told");
    scene.wording[0].welcome = spoken("Hello.");
    finds(&scene, Level::Warn, "not-told", "prompt en~welcome");
}

#[test]
fn keys_and_times_are_looked_at() {
    let same = Scene::asking(|script| script.no = script.yes);
    let keys: Vec<_> = same.found().into_iter().filter(|(_, rule, _)| *rule == "same-key").collect();
    assert_eq!(keys, [(Level::Stop, "same-key", "consent.no".to_owned())]);
    let timeout = |seconds| Scene::asking(|script| script.timeout = Duration::from_secs(seconds));
    finds(&timeout(1), Level::Stop, "short-timeout", "consent.timeout");
    finds(&timeout(3), Level::Warn, "short-timeout", "consent.timeout");
    assert_eq!(timeout(4).lint(), []);
    finds(&Scene::asking(|script| script.attempts = 1), Level::Note, "one-attempt", "consent.attempts");
    let nine = Scene::asking(|script| script.no = Digit::try_from('9').expect("a key"));
    finds(&nine, Level::Stop, "key-not-named", "prompt en~consent-question");
    let star = Scene::asking(|script| script.yes = Digit::try_from('*').expect("a key"));
    finds(&star, Level::Warn, "key-not-named", "prompt en~consent-question");
    assert_eq!(Scene::saying(&GOOD.replace("Press 1 for yes, or 2", "Press one for yes, or two")).lint(), []);
}

#[test]
fn what_the_question_has_to_say_is_looked_for() {
    let at = "prompt en~consent-question";
    finds(&Scene::saying(&GOOD.replace("for quality and training", "")), Level::Warn, "no-purpose", at);
    finds(&Scene::saying(&GOOD.replace("taken back", "given")), Level::Warn, "no-withdrawal", at);
    let silent = GOOD.replace("Recordings are deleted after 90 days.", "");
    finds(&Scene::saying(&silent), Level::Warn, "no-retention", at);
    let mut unknown = Scene::good();
    unknown.wording[0].question.text = None;
    finds(&unknown, Level::Warn, "text-unknown", at);
    let mut missing = Scene::good();
    missing.wording[0].question.missing = true;
    finds(&missing, Level::Stop, "prompt-missing", at);
    missing.wording = vec![wording("sv", "Får vi spela in?")];
    finds(&missing, Level::Note, "unread", "prompt sv~consent-question");
}

#[test]
fn it_is_kept_as_long_as_the_question_says() {
    let at = "prompt en~consent-question";
    let keeping = |keep| Scene::with(|queue| queue.file_removal = Some(keep));
    for (keep, level) in [(days(30), Level::Note), (days(80), Level::Note)] {
        finds(&keeping(keep), level, "other-retention", at);
    }
    // Months are not all of one length.
    assert_eq!(keeping(days(89)).lint(), []);
    let mut longer = keeping(days(180));
    assert!(longer.found().contains(&(Level::Stop, "other-retention", at.to_owned())));
    longer.wording = vec![wording("en", &GOOD.replace("90 days", "six months"))];
    finds(&longer, Level::Warn, "longer-than-system", "file-removal");
    longer.wording = vec![wording("en", &GOOD.replace("90 days", "some days"))];
    finds(&longer, Level::Warn, "longer-than-system", "file-removal");
    let mut ever = Scene::good();
    ever.settings.system = None;
    let found = ever.found();
    assert!(found.contains(&(Level::Stop, "other-retention", at.to_owned())), "{found:?}");
    assert!(found.contains(&(Level::Warn, "kept-for-ever", "file-removal".to_owned())), "{found:?}");
}

#[test]
fn deadlines_are_compared() {
    let longer = Scene::with(|queue| queue.retention = Some(days(400)));
    finds(&longer, Level::Warn, "longer-than-system", "retention");
    let mut outlives = Scene::with(|queue| queue.retention = Some(days(30)));
    outlives.wording = vec![wording("en", &GOOD.replace("90", "30"))];
    finds(&outlives, Level::Warn, "longer-than-call-data", "retention");
}

#[test]
fn changed_terms_ask_again_where_old_answers_are_used() {
    let mut scene = Scene::asking(|script| script.ask = AskRule::OlderThan(Duration::from_secs(365 * DAY)));
    scene.wording[0].question.changed = true;
    finds(&scene, Level::Warn, "changed-wording", "prompt en~consent-question");
    scene.wording[0].question.changed = false;
    scene.before = Some(Queue { file_removal: Some(days(30)), ..scene.queue.clone() });
    finds(&scene, Level::Warn, "changed-wording", "consent.ask");
    scene.before = Some(Queue { file_removal: Some(days(120)), ..scene.queue.clone() });
    assert_eq!(scene.lint(), [], "shorter is no worse for anybody");
    let mut each = Scene::good();
    each.wording[0].question.changed = true;
    assert_eq!(each.lint(), [], "who is asked each time hears the new wording");
    finds(
        &Scene::asking(|script| script.ask = AskRule::WhenUnknown),
        Level::Warn,
        "old-answers",
        "consent.ask",
    );
    let old = Scene::asking(|script| script.ask = AskRule::OlderThan(Duration::from_secs(900 * DAY)));
    finds(&old, Level::Warn, "old-answers", "consent.ask");
}

#[test]
fn a_basis_is_a_law_or_a_contract() {
    let on = |name: &str| {
        let mut scene =
            Scene::with(|queue| queue.recording = Policy::Always(LegalBasis::Obligation(name.into())));
        scene.wording[0].welcome = spoken("Hello. Calls are recorded.");
        scene
    };
    for name in ["x", "TBD", "test", "Quality and training", "Consent of the caller", "-- --"] {
        finds(&on(name), Level::Stop, "no-basis", "legal-basis");
    }
    for name in ["MiFID II", "§ 257 HGB", "Framework contract 12/2026", "Quality agreement with the bank"] {
        assert_eq!(on(name).lint(), [], "{name}");
    }
}

#[test]
fn overrides_withdrawals_and_pauses_are_thought_of() {
    finds(
        &Scene::with(|queue| queue.override_allowed = true),
        Level::Warn,
        "override-without-need",
        "override-allowed",
    );
    let never = Scene::with(|queue| {
        queue.recording = Policy::Never;
        queue.override_allowed = true;
    });
    finds(&never, Level::Warn, "override-without-need", "override-allowed");
    let kept = Scene::with(|queue| queue.destroy_on_withdrawal = false);
    finds(&kept, Level::Warn, "kept-after-withdrawal", "destroy-on-withdrawal");
    finds(&Scene::with(|queue| queue.pause_limit = None), Level::Note, "endless-pause", "pause-limit");
}

#[test]
fn callers_reach_somebody() {
    let skilled = Scene::with(|queue| queue.skills = vec!["tax".into()]);
    finds(&skilled, Level::Stop, "no-agents", "skills");
    let mut alone = Scene::good();
    alone.settings.agents.clear();
    finds(&alone, Level::Warn, "no-agents", "skills");
    finds(&Scene::with(|queue| queue.hours = Some(Hours::default())), Level::Warn, "never-open", "hours");
    let mut onward = Scene::with(|queue| queue.overflow = Overflow::Queue("sales".into()));
    let sales = Queue { recording: Policy::Never, ..Queue::default() };
    onward.settings.queues.insert("sales".into(), Arc::new(sales));
    finds(&onward, Level::Note, "other-policy", "overflow");
    let moved = Scene::with(|queue| queue.when_closed = Overflow::Queue("sales".into()));
    finds(&moved, Level::Note, "never-closed", "when-closed");
}

#[test]
fn the_worst_comes_first_and_each_language_is_looked_at() {
    let mut scene = Scene::with(|queue| {
        queue.pause_limit = None;
        queue.override_allowed = true;
        queue.on_recording_failure = OnRecordingFailure::DropCall;
    });
    let levels: Vec<Level> = scene.lint().iter().map(|finding| finding.level).collect();
    assert_eq!(levels, [Level::Stop, Level::Warn, Level::Note]);
    scene.settings.queues.insert("support".into(), Arc::new(scene.queue.clone()));
    for (dialled, language) in [("100", Some("de")), ("101", None), ("102", Some("de"))] {
        let number = Number { queue: "support".into(), language: language.map(|tag| Language(tag.into())) };
        scene.settings.numbers.insert(dialled.into(), Arc::new(number));
    }
    let languages = Subject::languages(&"support".into(), &scene.queue, &scene.settings);
    assert_eq!(languages, [Language("en".into()), Language("de".into())]);
}

/// The shipped questions say all they have to say, in words that the linter reads.
#[test]
fn shipped_questions_pass_where_recordings_are_kept_as_they_say() {
    let shipped = [
        ("en", include_str!("../../../prompts/en/consent-question.txt")),
        ("de", include_str!("../../../prompts/de/consent-question.txt")),
        ("fr", include_str!("../../../prompts/fr/consent-question.txt")),
        ("es", include_str!("../../../prompts/es/consent-question.txt")),
        ("fi", include_str!("../../../prompts/fi/consent-question.txt")),
    ];
    for (language, question) in shipped {
        let mut scene = Scene::good();
        scene.wording = vec![wording(language, question)];
        assert_eq!(scene.lint(), [], "{language}");
        // And what they say is compared, not only looked for.
        scene.settings.system = None;
        let told = (Level::Stop, "other-retention", format!("prompt {language}~consent-question"));
        assert!(scene.found().contains(&told), "{language}");
    }
}
