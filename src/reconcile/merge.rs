//! Rows and listed objects, both in name order, put together recording by recording. Each side is asked for
//! a page at a time; never more than a page of each is held.

use std::collections::VecDeque;

use crate::ids::RecordingId;

use super::{Name, Row, SeenObject};

/// What to do next; see [`Merge::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the next page of rows, and give it to [`Merge::rows`].
    NeedRows,
    /// Read the next page of objects, and give it to [`Merge::objects`].
    NeedObjects,
    /// A recording: its row, its objects, or both.
    Recording(Option<Box<Row>>, Group),
    /// An object with a name that we do not give.
    Stray(SeenObject),
    /// That was all.
    Done,
}

/// The objects of one recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whose.
    pub id: RecordingId,
    /// Whole objects: three at most, one for each ending.
    pub whole: Vec<SeenObject>,
    /// Segments; only counted, since a long call has many.
    pub segments: Option<Segments>,
}

/// The segments of one recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first one's name.
    pub first: String,
}

impl Group {
    /// Of a recording without objects.
    #[must_use]
    pub const fn empty(id: RecordingId) -> Self {
        Self { id, whole: Vec::new(), segments: None }
    }

    /// Puts an object of this recording in.
    pub fn add(&mut self, object: SeenObject, is_segment: bool) {
        if !is_segment {
            return self.whole.push(object);
        }
        match &mut self.segments {
            Some(segments) => {
                segments.count += 1;
                segments.bytes += object.bytes;
            }
            None => {
                self.segments = Some(Segments { count: 1, bytes: object.bytes, first: object.name });
            }
        }
    }
}

/// The merge of one day. Rows come in the order of their ids, objects in the order of their names; what comes
/// out of order is not lost, but may be taken for a row without object and an object without row, which
/// reading anew puts right.
#[derive(Debug, Default)]
pub struct Merge {
    rows: Side<Row>,
    objects: Side<SeenObject>,
    /// The objects of one recording, as far as they have come.
    group: Option<Group>,
}

#[derive(Debug)]
struct Side<T> {
    page: VecDeque<T>,
    more: bool,
}

impl<T> Default for Side<T> {
    fn default() -> Self {
        Self { page: VecDeque::new(), more: true }
    }
}

impl<T> Side<T> {
    fn is_dry(&self) -> bool {
        self.page.is_empty() && self.more
    }
}

impl Merge {
    /// A page of rows; `more`: there may be another one.
    pub fn rows(&mut self, page: Vec<Row>, more: bool) {
        self.rows.page.extend(page);
        self.rows.more = more;
    }

    /// A page of objects; `more`: there may be another one.
    pub fn objects(&mut self, page: Vec<SeenObject>, more: bool) {
        self.objects.page.extend(page);
        self.objects.more = more;
    }

    /// How many rows and objects are held.
    #[must_use]
    pub fn held(&self) -> usize {
        let group = self.group.as_ref().map_or(0, |group| group.whole.len());
        self.rows.page.len() + self.objects.page.len() + group
    }

    /// What to do next; call it until it says [`Step::Done`].
    pub fn poll(&mut self) -> Step {
        if let Some(step) = self.gather() {
            return step;
        }
        if self.rows.is_dry() {
            return Step::NeedRows;
        }
        let row = self.rows.page.front().map(|row| row.id);
        let group = self.group.as_ref().map(|group| group.id);
        match (row, group) {
            (None, None) => Step::Done,
            (Some(row), Some(group)) if row == group => {
                let row = self.rows.page.pop_front().map(Box::new);
                Step::Recording(row, self.group.take().unwrap_or_else(|| Group::empty(group)))
            }
            (Some(row), group) if group.is_none_or(|group| row < group) => {
                Step::Recording(self.rows.page.pop_front().map(Box::new), Group::empty(row))
            }
            (Some(_) | None, Some(group)) => {
                Step::Recording(None, self.group.take().unwrap_or_else(|| Group::empty(group)))
            }
            // Excluded by the guard above: without a group any row comes first.
            (Some(_), None) => Step::Done,
        }
    }

    /// Takes the objects of the next recording together; a step, if one is due before that is done.
    fn gather(&mut self) -> Option<Step> {
        loop {
            let Some(object) = self.objects.page.front() else {
                return self.objects.more.then_some(Step::NeedObjects);
            };
            let (id, is_segment) = match Name::parse(&object.name) {
                Name::Whole(id) => (id, false),
                Name::Segment(id) => (id, true),
                Name::Strange => return self.objects.page.pop_front().map(Step::Stray),
            };
            let group = self.group.get_or_insert_with(|| Group::empty(id));
            if group.id != id {
                return None;
            }
            if let Some(object) = self.objects.page.pop_front() {
                group.add(object, is_segment);
            }
        }
    }
}
