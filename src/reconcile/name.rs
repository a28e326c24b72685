//! The names of objects: whose they are can be told from them, and nothing about the caller.

use ulid::Ulid;

use crate::ids::RecordingId;

use super::Day;

/// The folder of all recordings.
pub const RECORDINGS: &str = "recordings/";

/// The folder of a day: `recordings/2026/11/22/`.
#[must_use]
pub fn folder_of(day: Day) -> String {
    format!("{RECORDINGS}{}/", day.folder())
}

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A recording: `recordings/2026/11/22/<ULID>.rec`, `.wav` or `.ogg`.
    Whole(RecordingId),
    /// A segment of one: `recordings/2026/11/22/<ULID>.seg/000000`.
    Segment(RecordingId),
    /// None that we give.
    Strange,
}

impl Name {
    /// Reads a name without the bucket's prefix. An id in another day's folder than its own is strange.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        Self::read(name).unwrap_or(Self::Strange)
    }

    fn read(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(RECORDINGS)?;
        let (day, file) = (rest.get(..10)?, rest.get(10..)?.strip_prefix('/')?);
        let (id, end) = (file.get(..26)?, file.get(26..)?);
        let ulid = Ulid::from_string(id).ok().filter(|ulid| ulid.to_string() == id)?;
        if Day::of(ulid).folder() != day {
            return None;
        }
        let id = RecordingId::new(ulid);
        if matches!(end, ".rec" | ".wav" | ".ogg") {
            return Some(Self::Whole(id));
        }
        let number = end.strip_prefix(".seg/")?;
        let digits = number.len() == 6 && number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(Self::Segment(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        let day: Day = "2026-11-22".parse().unwrap();
        let id = day.last_id();
        let folder = folder_of(day);
        let ours = RecordingId::new(id);
        assert_eq!(Name::parse(&format!("{folder}{id}.rec")), Name::Whole(ours));
        assert_eq!(Name::parse(&format!("{folder}{id}.ogg")), Name::Whole(ours));
        assert_eq!(Name::parse(&format!("{folder}{id}.seg/000012")), Name::Segment(ours));
        let strange = [
            format!("{folder}{id}"),
            format!("{folder}{id}.rec.bak"),
            format!("{folder}{}.rec", id.to_string().to_lowercase()),
            format!("{folder}{id}.seg/12"),
            format!("{folder}{id}.seg/00001x"),
            format!("{}{id}.rec", folder_of(day.next())),
            "recordings/readme.txt".to_owned(),
            "recordings/2026/11/22/".to_owned(),
            "recordings/2026/11/2é/x".to_owned(),
            "other/2026".to_owned(),
            String::new(),
        ];
        for name in strange {
            assert_eq!(Name::parse(&name), Name::Strange, "{name}");
        }
    }
}
