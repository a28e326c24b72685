//! Names of objects: `recordings/yyyy/mm/dd/<ULID>.rec` (the day is the ULID's, in UTC), `.wav` or `.ogg` where the
//! store encrypts, and segments `<ULID>.seg/000000`, … Nothing in them is about a person.

use crate::ids::RecordingId;
use crate::reconcile::{Day, folder_of};

/// What an object is, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Sealed.
    Sealed,
    /// Plain WAV.
    Wav,
    /// Plain Ogg.
    Ogg,
}

impl Form {
    /// Every one of them: all that a recording can have been kept as.
    pub(super) const ALL: [Self; 3] = [Self::Sealed, Self::Wav, Self::Ogg];

    const fn end(self) -> &'static str {
        match self {
            Self::Sealed => "rec",
            Self::Wav => "wav",
            Self::Ogg => "ogg",
        }
    }

    /// As in HTTP.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Sealed => "application/octet-stream",
            Self::Wav => "audio/wav",
            Self::Ogg => "audio/ogg",
        }
    }
}

/// The whole recording.
pub(super) fn whole(id: RecordingId, form: Form) -> String {
    format!("{}.{}", stem(id), form.end())
}

/// What all segments are below.
pub(super) fn segments(id: RecordingId) -> String {
    format!("{}.seg", stem(id))
}

/// Segment number `n`.
pub(super) fn segment(id: RecordingId, n: u32) -> String {
    format!("{}/{n:06}", segments(id))
}

fn stem(id: RecordingId) -> String {
    format!("{}{id}", folder_of(Day::of(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::Name;

    #[test]
    fn reconciliation_reads_the_names_we_give() {
        let id: RecordingId = "01KAN4Q8X00000000000000000".parse().unwrap();
        for form in Form::ALL {
            assert_eq!(Name::parse(&whole(id, form)), Name::Whole(id), "{form:?}");
        }
        assert_eq!(Name::parse(&segment(id, 0)), Name::Segment(id));
        assert_eq!(Name::parse(&segment(id, 999_999)), Name::Segment(id));
        assert!(segment(id, 7).starts_with(&segments(id)) && segment(id, 7).ends_with(".seg/000007"));
    }
}
