//! Who calls: a number, a name, an address; the same each time.

use super::mixed;

/// A caller comes back so often.
const CALLS_A_NUMBER: u64 = 5;
/// One caller of so many is in the directory.
const LISTED: u64 = 4;

const FIRST: [&str; 25] = [
    "Anna", "Jonas", "Maria", "Lukas", "Aino", "Peter", "Sofia", "Emil", "Clara", "Matti", "Elena", "Paul",
    "Ida", "Oskar", "Lea", "Timo", "Nora", "Felix", "Helmi", "Karl", "Greta", "Viktor", "Marta", "Hugo",
    "Sanna",
];
const BEGINNINGS: [&str; 20] = [
    "Berg", "Stein", "Wald", "Feld", "Bach", "Lind", "Kirch", "Neu", "Alt", "Hof", "Brun", "Gold", "Eich",
    "Rosen", "Winter", "Sommer", "Falken", "Linden", "Hohen", "Birken",
];
const ENDS: [&str; 20] = [
    "mann", "er", "hauser", "ström", "thal", "qvist", "meier", "bauer", "hofer", "dahl", "sen", "berger",
    "feldt", "wirth", "rot", "brecht", "lund", "burg", "auer", "holm",
];

/// Callers of so many calls.
pub(super) fn callers(calls: u64) -> u64 {
    (calls / CALLS_A_NUMBER).max(1)
}

/// The number of a caller.
pub(super) fn number_of(caller: u64) -> String {
    format!("+4930{caller:08}")
}

/// The name of a caller.
pub(crate) fn name_of(caller: u64) -> String {
    let chance = mixed(caller ^ 0x5a5a);
    let of = |names: &[&'static str], part: u64| names[(chance / part % names.len() as u64) as usize];
    format!("{} {}{}", of(&FIRST, 1), of(&BEGINNINGS, 1_000), of(&ENDS, 1_000_000))
}

/// The address of a caller.
pub(super) fn email_of(caller: u64) -> String {
    format!("{}{caller}@example.org", name_of(caller).to_lowercase().replace(' ', "."))
}

/// Whether a caller is in the directory.
pub(super) const fn is_listed(caller: u64) -> bool {
    caller.is_multiple_of(LISTED)
}
