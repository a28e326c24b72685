//! Whether callers are told what they have to be told. Words are looked for, sentences are not understood: what is found
//! is a reason to read the text, what is not found is no proof.

use std::time::Duration;

use crate::consent::{Policy, Script};
use crate::media::Digit;
use crate::settings::sentence::long;
use crate::settings::{Keep, kept};

use super::{Found, Spoken, Subject, Wording};

const DAY: u64 = 86_400;

/// The words of a language; all in lower case, parts of words unless said otherwise.
struct Words {
    tag: &'static str,
    recorded: &'static [&'static str],
    /// What a refusal must not be followed by.
    ending: &'static [&'static str],
    purpose: &'static [&'static str],
    withdrawal: &'static [&'static str],
    /// Beginnings of words, and days.
    units: [(&'static str, u64); 4],
    /// Whole words.
    numbers: &'static [(&'static str, u64)],
    /// 0 to 9, `*`, `#`; whole words.
    keys: [&'static str; 12],
}

const LANGUAGES: [Words; 5] = [
    Words {
        tag: "en",
        recorded: &["record"],
        ending: &[
            "hang up",
            "end the call",
            "end this call",
            "disconnect",
            "cannot help",
            "can't help",
            "cannot continue",
            "be ended",
        ],
        purpose: &[
            "quality",
            "training",
            "evidence",
            "proof",
            "purpose",
            "because",
            "complaint",
            "improve",
            "law",
        ],
        withdrawal: &["taken back", "take back", "take it back", "withdraw", "change your mind", "revoke"],
        units: [("day", 1), ("week", 7), ("month", 30), ("year", 365)],
        numbers: &[
            ("one", 1),
            ("a", 1),
            ("two", 2),
            ("three", 3),
            ("six", 6),
            ("twelve", 12),
            ("thirty", 30),
            ("sixty", 60),
            ("ninety", 90),
        ],
        keys: [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "star", "hash",
        ],
    },
    Words {
        tag: "de",
        recorded: &["aufzeich", "aufgezeichnet", "aufgenommen", "mitgeschnitten"],
        ending: &[
            "auflegen",
            "legen sie auf",
            "legen sie bitte auf",
            "beenden",
            "beendet",
            "nicht weiterhelfen",
        ],
        purpose: &["qualität", "schulung", "nachweis", "beweis", "zweck", "verbesser", "weil", "gesetz"],
        withdrawal: &["widerruf", "zurückzieh", "zurücknehm"],
        units: [("tag", 1), ("woche", 7), ("monat", 30), ("jahr", 365)],
        numbers: &[
            ("einem", 1),
            ("einer", 1),
            ("zwei", 2),
            ("drei", 3),
            ("sechs", 6),
            ("zwölf", 12),
            ("dreißig", 30),
            ("sechzig", 60),
            ("neunzig", 90),
        ],
        keys: [
            "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "stern",
            "raute",
        ],
    },
    Words {
        tag: "fr",
        recorded: &["enregistr"],
        ending: &["raccroch", "mettre fin", "mettrons fin", "interromp", "ne pourrons pas"],
        purpose: &["qualité", "formation", "preuve", "finalité", "améliorer", "parce que", "loi"],
        withdrawal: &["retir", "révoqu", "revenir sur"],
        units: [("jour", 1), ("semaine", 7), ("mois", 30), ("an", 365)],
        numbers: &[
            ("un", 1),
            ("une", 1),
            ("deux", 2),
            ("trois", 3),
            ("six", 6),
            ("douze", 12),
            ("trente", 30),
            ("soixante", 60),
        ],
        keys: [
            "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "étoile", "dièse",
        ],
    },
    Words {
        tag: "es",
        recorded: &["grabar", "grabad", "grabam", "grabación"],
        ending: &[
            "cuelgue",
            "colgar",
            "finalizar",
            "terminar la llamada",
            "no podemos atender",
            "no podremos",
        ],
        purpose: &["calidad", "formación", "prueba", "finalidad", "mejorar", "porque", "ley"],
        withdrawal: &["retir", "revoc"],
        units: [("día", 1), ("semana", 7), ("mes", 30), ("año", 365)],
        numbers: &[
            ("un", 1),
            ("una", 1),
            ("dos", 2),
            ("tres", 3),
            ("seis", 6),
            ("doce", 12),
            ("treinta", 30),
            ("sesenta", 60),
            ("noventa", 90),
        ],
        keys: [
            "cero",
            "uno",
            "dos",
            "tres",
            "cuatro",
            "cinco",
            "seis",
            "siete",
            "ocho",
            "nueve",
            "asterisco",
            "almohadilla",
        ],
    },
    Words {
        tag: "fi",
        recorded: &["tallen", "nauhoit"],
        ending: &["sulje puhelu", "katkais", "lopeta puhelu", "puhelu päättyy", "emme voi auttaa"],
        purpose: &["laadu", "koulutu", "todist", "tarkoitu", "paranta", "koska"],
        withdrawal: &["perua", "peruuttaa"],
        units: [("päiv", 1), ("viik", 7), ("kuukau", 30), ("vuo", 365)],
        numbers: &[
            ("yhden", 1),
            ("kahden", 2),
            ("kolmen", 3),
            ("kuuden", 6),
            ("kahdentoista", 12),
            ("kolmenkymmenen", 30),
            ("kuudenkymmenen", 60),
            ("yhdeksänkymmenen", 90),
        ],
        keys: [
            "nolla",
            "yksi",
            "kaksi",
            "kolme",
            "neljä",
            "viisi",
            "kuusi",
            "seitsemän",
            "kahdeksan",
            "yhdeksän",
            "tähti",
            "ruutu",
        ],
    },
];

/// Looks at what callers hear in one language.
pub(super) fn look(subject: &Subject<'_>, wording: &Wording, found: &mut Found) {
    let primary = wording.language.0.split('-').next().unwrap_or_default();
    let Some(words) = LANGUAGES.iter().find(|words| words.tag == primary) else {
        return unread(subject, wording, found);
    };
    match &subject.queue.recording {
        Policy::Never => {}
        Policy::Always(_) => {
            if let Some(text) = lower(&wording.welcome)
                && !has(&text, words.recorded)
            {
                let what = "Callers are not asked, and the greeting does not say that they are recorded, why and for \
                            how long (Art. 13 GDPR).";
                found.warn("not-told", place(wording, "welcome"), what);
            }
        }
        Policy::Consent(script) => {
            missing(wording, found);
            asked(subject, script, wording, words, found);
        }
    }
}

/// A language whose words are not known here: only what needs no words is looked at.
fn unread(subject: &Subject<'_>, wording: &Wording, found: &mut Found) {
    if let Policy::Consent(_) = subject.queue.recording {
        missing(wording, found);
        let what = format!(
            "The linter reads no {}: have the question read by somebody who does.",
            wording.language.0
        );
        found.note("unread", place(wording, "consent-question"), what);
    }
}

fn missing(wording: &Wording, found: &mut Found) {
    let tag = &wording.language.0;
    if wording.question.missing {
        let what =
            format!("There is no question in {tag:?}: callers are asked in English, and may not understand.");
        found.stop("prompt-missing", place(wording, "consent-question"), what);
    }
    for (name, spoken) in [("welcome", &wording.welcome), ("refused", &wording.refused)] {
        if spoken.missing {
            found.warn(
                "prompt-missing",
                place(wording, name),
                format!("There is none in {tag:?}: English is played."),
            );
        }
    }
}

/// What those hear who are asked.
fn asked(subject: &Subject<'_>, script: &Script, wording: &Wording, words: &Words, found: &mut Found) {
    if let Some(text) = lower(&wording.welcome)
        && has(&text, words.recorded)
    {
        let what = "The greeting speaks of recording before the caller was asked: nothing is captured before the yes, and \
                    nobody should think so.";
        found.stop("capture-before-consent", place(wording, "welcome"), what);
    }
    if let Some(text) = lower(&wording.refused)
        && has(&text, words.ending)
    {
        let what = "What is said after a no reads as if the call would end: a refusal must cost nothing.";
        found.stop("refusal-ends-call", place(wording, "refused"), what);
    }
    let at = place(wording, "consent-question");
    // Where English is played instead, that was said already.
    if wording.question.missing {
        return;
    }
    let Some(text) = lower(&wording.question) else {
        let what = "Nobody has noted what the question says: note its text beside the prompt, so that it can be read.";
        return found.warn("text-unknown", at, what);
    };
    if has(&text, words.ending) {
        let what = "The question reads as if a no would end the call: a refusal must cost nothing.";
        found.stop("refusal-ends-call", &at, what);
    }
    if !has(&text, words.purpose) {
        found.warn("no-purpose", &at, "The question does not say what the recording is for (Art. 13 GDPR).");
    }
    if !has(&text, words.withdrawal) {
        let what = "The question does not say that a yes can be taken back (Art. 7 (3) GDPR).";
        found.warn("no-withdrawal", &at, what);
    }
    promised(subject, words, &text, &at, found);
    for (key, meaning, stops) in [(script.no, "no", true), (script.yes, "yes", false)] {
        if !names(&text, words, key) {
            let what = format!("The question does not name the key {} for {meaning}.", key.as_char());
            if stops {
                found.stop("key-not-named", &at, what);
            } else {
                found.warn("key-not-named", &at, what);
            }
        }
    }
}

/// Whether it is kept as long as the question says.
fn promised(subject: &Subject<'_>, words: &Words, text: &str, at: &str, found: &mut Found) {
    let tokens: Vec<&str> = tokens(text).collect();
    let unit =
        |token: &str| words.units.iter().find(|(unit, _)| token.starts_with(unit)).map(|(_, days)| *days);
    let number = |token: &str| {
        let word = words.numbers.iter().find(|(word, _)| *word == token).map(|(_, number)| *number);
        token.parse::<u64>().ok().or(word)
    };
    let spans = tokens.windows(2).filter_map(|pair| number(pair[0])?.checked_mul(unit(pair[1])?));
    let Some(days) = spans.filter(|days| *days < 36_600).max() else {
        if !tokens.iter().any(|token| unit(token).is_some()) {
            let what = "The question does not say how long the recording is kept (Art. 13 GDPR).";
            found.warn("no-retention", at, what);
        }
        return;
    };
    let told = Duration::from_secs(days * DAY);
    // Months and years are not all of one length.
    let (least, most) = (told.mul_f64(0.95), told.mul_f64(1.05));
    match kept(subject.queue, &subject.system()).1 {
        Keep::Forever => {
            let what = format!("The question says {}, and recordings are kept for ever.", long(told));
            found.stop("other-retention", at, what);
        }
        Keep::For(span) if span > most => {
            let what = format!("The question says {}, and recordings are kept {}.", long(told), long(span));
            found.stop("other-retention", at, what);
        }
        Keep::For(span) if span < least => {
            let what = format!("The question says {}, and recordings go after {}.", long(told), long(span));
            found.note("other-retention", at, what);
        }
        Keep::For(_) => {}
    }
}

fn names(text: &str, words: &Words, key: Digit) -> bool {
    let key = key.as_char();
    let word = match key {
        '0'..='9' => key.to_digit(10).and_then(|at| words.keys.get(usize::try_from(at).ok()?)),
        '*' => words.keys.get(10),
        '#' => words.keys.get(11),
        _ => None,
    };
    let lower = key.to_ascii_lowercase();
    if !lower.is_alphanumeric() && text.contains(lower) {
        return true;
    }
    tokens(text).any(|token| word.is_some_and(|word| *word == token) || token.chars().eq([lower]))
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty())
}

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

fn lower(spoken: &Spoken) -> Option<String> {
    spoken.text.as_ref().map(|text| text.to_lowercase().replace('’', "'"))
}

fn place(wording: &Wording, name: &str) -> String {
    format!("prompt {}~{name}", wording.language.0)
}
