//! Worlds in which all is as it should be, and what is found when faults are put into them: exactly those.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use ulid::Ulid;

use super::*;

const RULES: Rules = Rules::new(Duration::from_secs(900));

fn day() -> Day {
    "2026-11-21".parse().unwrap()
}

/// The evening of the day.
fn now() -> Timestamp {
    day().next().begins() - Duration::from_secs(1)
}

fn id(n: u64) -> RecordingId {
    // From an hour into the day on, two a second: 100,000 fit.
    RecordingId::new(Ulid::from_parts(day().first_id().timestamp_ms() + 3_600_000 + n * 500, u128::from(n)))
}

fn call(n: u64) -> CallId {
    CallId::new(Ulid(u128::from(n)))
}

/// How a recording should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Recording,
    Finished,
    Stored,
    Elsewhere,
    Broken,
    Discarded,
    BeingRemoved,
    Removed,
}

const BASES: [Base; 8] = [
    Base::Recording,
    Base::Finished,
    Base::Stored,
    Base::Elsewhere,
    Base::Broken,
    Base::Discarded,
    Base::BeingRemoved,
    Base::Removed,
];

/// What can go wrong with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    RowLost,
    ObjectGone,
    OtherSize,
    OtherContent,
    ExtraObject,
    SegmentsStay,
    FileStays,
    FileGone,
    JobGone,
    KekUnknown,
    KeyGone,
    NeverEnds,
    ObjectBack,
    OldVersion,
    KeyStays,
}

const FAULTS: [Fault; 15] = [
    Fault::RowLost,
    Fault::ObjectGone,
    Fault::OtherSize,
    Fault::OtherContent,
    Fault::ExtraObject,
    Fault::SegmentsStay,
    Fault::FileStays,
    Fault::FileGone,
    Fault::JobGone,
    Fault::KekUnknown,
    Fault::KeyGone,
    Fault::NeverEnds,
    Fault::ObjectBack,
    Fault::OldVersion,
    Fault::KeyStays,
];

type Found = BTreeSet<(FindingKind, String)>;

#[derive(Default)]
struct World {
    rows: BTreeMap<RecordingId, Row>,
    /// Objects and their SHA-256.
    objects: BTreeMap<String, (SeenObject, String)>,
    /// Versions that no plain listing shows.
    hidden: BTreeMap<RecordingId, String>,
    expected: Found,
}

impl World {
    fn name(n: u64) -> String {
        let end = [".rec", ".ogg", ".wav"][usize::try_from(n % 3).unwrap()];
        format!("{}{}{end}", folder_of(day()), id(n))
    }

    fn segments(n: u64) -> String {
        format!("{}{}.seg/", folder_of(day()), id(n))
    }

    fn put(&mut self, name: &str, bytes: u64, sha256: &str) {
        let object =
            SeenObject { name: name.to_owned(), bytes, modified: now() - Duration::from_secs(3_000) };
        self.objects.insert(name.to_owned(), (object, sha256.to_owned()));
    }

    fn put_segments(&mut self, n: u64) {
        for segment in 0..=n % 4 {
            self.put(&format!("{}{segment:06}", Self::segments(n)), 1_000, "segment");
        }
    }

    fn expect(&mut self, kind: FindingKind, subject: &str) {
        self.expected.insert((kind, subject.to_owned()));
    }

    /// A recording as it should be.
    fn add(&mut self, n: u64, base: Base) {
        let name = Self::name(n);
        let mut row = Row {
            id: id(n),
            call: call(n),
            state: State::Stored,
            armed_at: now() - Duration::from_secs(4_000),
            stored_at: None,
            removed_at: None,
            object: None,
            key: KeyState::Known,
            local: Local::Nothing,
            upload_open: false,
            destroy_open: false,
        };
        let stored = |row: &mut Row| {
            row.object = Some(Expected { name: name.clone(), bytes: 500 + n, sha256: format!("{n:064x}") });
            row.stored_at = Some(now() - Duration::from_secs(3_000));
        };
        match base {
            Base::Recording => {
                (row.state, row.local) = (State::Recording, Local::Part);
                self.put_segments(n);
            }
            Base::Finished => {
                (row.state, row.local, row.upload_open) = (State::Finished, Local::Whole, true);
                self.put_segments(n);
                if n.is_multiple_of(2) {
                    // Put, and cut off before the row said so.
                    self.put(&name, 500 + n, "");
                }
            }
            Base::Stored => {
                stored(&mut row);
                self.put(&name, 500 + n, &format!("{n:064x}"));
            }
            Base::Elsewhere => {
                (row.state, row.local, row.upload_open) = (State::Finished, Local::Elsewhere, true);
            }
            Base::Broken => {
                (row.state, row.local, row.upload_open) = (State::Failed, Local::Part, true);
                self.put_segments(n);
            }
            Base::Discarded => (row.state, row.key) = (State::Discarded, KeyState::Gone),
            Base::BeingRemoved => {
                stored(&mut row);
                (row.state, row.key, row.destroy_open) = (State::Destroyed, KeyState::Gone, true);
                self.put(&name, 500 + n, "");
            }
            Base::Removed => {
                stored(&mut row);
                (row.state, row.key) = (State::Removed, KeyState::Gone);
                row.removed_at = Some(now() - Duration::from_secs(60));
            }
        }
        self.rows.insert(row.id, row);
    }

    /// Breaks it; false: this cannot go wrong there.
    fn spoil(&mut self, n: u64, base: Base, fault: Fault) -> bool {
        let (name, own, key) = (Self::name(n), id(n).to_string(), id(n));
        let Some(mut row) = self.rows.remove(&key) else { return false };
        let mut keeps_row = true;
        let fits = match (fault, base) {
            (Fault::RowLost, _) => {
                keeps_row = false;
                if self.objects.remove(&name).is_some() {
                    self.put(&name, 7, "");
                    self.expect(FindingKind::Orphan, &name);
                }
                if self.objects.contains_key(&format!("{}000000", Self::segments(n))) {
                    self.expect(FindingKind::Orphan, &Self::segments(n));
                }
                true
            }
            (Fault::ObjectGone, Base::Stored) => {
                self.objects.remove(&name);
                self.expect(FindingKind::Lost, &name);
                true
            }
            (Fault::OtherSize, Base::Stored) => {
                self.put(&name, 3, "");
                self.expect(FindingKind::WrongSize, &name);
                true
            }
            (Fault::OtherContent, Base::Stored) => {
                self.put(&name, 500 + n, "another");
                self.expect(FindingKind::WrongContent, &name);
                true
            }
            (Fault::ExtraObject, Base::Stored) => {
                let extra = Self::name(n + 1).replace(&id(n + 1).to_string(), &own);
                self.put(&extra, 9, "");
                self.expect(FindingKind::Orphan, &extra);
                true
            }
            (Fault::SegmentsStay, Base::Stored) => {
                self.put_segments(n);
                self.expect(FindingKind::SegmentsLeft, &Self::segments(n));
                true
            }
            (Fault::FileStays, Base::Stored) => {
                row.local = Local::Whole;
                self.expect(FindingKind::SpoolLeft, &own);
                true
            }
            (Fault::FileGone, Base::Finished) => {
                row.local = Local::Nothing;
                self.expect(FindingKind::SpoolLost, &own);
                true
            }
            (Fault::JobGone, Base::Finished | Base::Elsewhere) => {
                row.upload_open = false;
                self.expect(FindingKind::NoJob, &own);
                true
            }
            (Fault::JobGone, Base::Broken) => {
                row.upload_open = false;
                self.expect(FindingKind::SpoolLeft, &own);
                self.expect(FindingKind::SegmentsLeft, &Self::segments(n));
                true
            }
            (Fault::JobGone, Base::BeingRemoved) | (Fault::KeyStays, Base::Removed | Base::BeingRemoved) => {
                row.destroy_open = false;
                if fault == Fault::KeyStays {
                    row.key = KeyState::Known;
                }
                self.expect(FindingKind::NotGone, &own);
                true
            }
            (Fault::KekUnknown, Base::Recording | Base::Finished | Base::Stored | Base::Broken) => {
                row.key = KeyState::Unknown("0123456789abcdef".to_owned());
                self.expect(FindingKind::UnknownKek, &own);
                true
            }
            (Fault::KeyGone, Base::Stored | Base::Elsewhere) => {
                row.key = KeyState::Gone;
                self.expect(FindingKind::UnknownKek, &own);
                true
            }
            (Fault::NeverEnds, Base::Recording) => {
                row.armed_at = now() - RULES.unfinished;
                self.expect(FindingKind::Stuck, &own);
                true
            }
            (Fault::ObjectBack, Base::Removed | Base::Discarded) => {
                self.put(&name, 9, "");
                self.expect(FindingKind::NotGone, &own);
                true
            }
            (Fault::OldVersion, Base::Removed) => {
                self.hidden.insert(key, name);
                self.expect(FindingKind::NotGone, &own);
                true
            }
            _ => false,
        };
        if keeps_row {
            self.rows.insert(key, row);
        }
        fits
    }

    /// Runs as the shell does, with pages of this size; all content is read.
    fn reconcile(&self, page: usize) -> Found {
        let mut rows: Vec<Row> = self.rows.values().rev().cloned().collect();
        let mut objects: Vec<SeenObject> =
            self.objects.values().rev().map(|(object, _)| object.clone()).collect();
        let mut merge = Merge::default();
        let mut found = Vec::new();
        loop {
            assert!(merge.held() <= 2 * page + 3, "{} are held", merge.held());
            match merge.poll() {
                Step::NeedRows => {
                    let next = rows.split_off(rows.len().saturating_sub(page));
                    merge.rows(next.into_iter().rev().collect(), !rows.is_empty());
                }
                Step::NeedObjects => {
                    let next = objects.split_off(objects.len().saturating_sub(page));
                    merge.objects(next.into_iter().rev().collect(), !objects.is_empty());
                }
                Step::Recording(row, group) => {
                    let judgement = judge(row.as_deref(), &group, &RULES, now());
                    found.extend(judgement.findings);
                    found.extend(row.zip(judgement.look).and_then(|(row, look)| self.look(&row, &look)));
                }
                Step::Stray(object) => found.push(stray(&object)),
                Step::Done => break,
            }
        }
        assert!(rows.is_empty() && objects.is_empty(), "all was seen");
        let each: Found = found.iter().map(|finding| (finding.kind, finding.subject.clone())).collect();
        assert_eq!(each.len(), found.len(), "nothing is said twice: {found:?}");
        each
    }

    fn look(&self, row: &Row, look: &Look) -> Option<Finding> {
        match look {
            Look::Content { expected, suspicious: _ } => {
                let (object, sha256) = &self.objects[&expected.name];
                judge_checksum(row, expected, (object.bytes, sha256))
            }
            Look::Traces { suspicious } => {
                assert!(suspicious, "it was removed a minute ago");
                let traces: Vec<String> = self.hidden.get(&row.id).cloned().into_iter().collect();
                judge_traces(row, &traces)
            }
        }
    }
}

fn base() -> impl Strategy<Value = Base> {
    prop::sample::select(&BASES[..])
}

proptest! {
    #[test]
    fn a_world_in_order_has_no_findings(bases in prop::collection::vec(base(), 0..40), page in 1usize..9) {
        let mut world = World::default();
        (0..).zip(&bases).for_each(|(n, base)| world.add(n, *base));
        prop_assert_eq!(world.reconcile(page), Found::new());
    }

    #[test]
    fn every_fault_is_found_and_nothing_else(
        recordings in prop::collection::vec((base(), prop::option::of(prop::sample::select(&FAULTS[..]))), 0..40),
        strays in prop::collection::btree_set("[a-zA-Z0-9.]{1,30}", 0..4),
        page in 1usize..9,
    ) {
        let mut world = World::default();
        for (n, (base, fault)) in (0..).zip(&recordings) {
            world.add(n, *base);
            if let Some(fault) = fault {
                world.spoil(n, *base, *fault);
            }
        }
        for stray in &strays {
            let name = format!("{}{stray}", folder_of(day()));
            world.put(&name, 1, "");
            world.expect(FindingKind::Orphan, &name);
        }
        prop_assert_eq!(world.reconcile(page), world.expected);
    }
}

#[test]
fn each_fault_can_happen_to_some_recording() {
    for fault in FAULTS {
        let happens = BASES.into_iter().filter(|base| {
            let mut world = World::default();
            world.add(0, *base);
            world.spoil(0, *base, fault) && !world.expected.is_empty() && world.reconcile(2) == world.expected
        });
        assert!(happens.count() > 0, "{fault:?} is never put in");
    }
}

#[test]
fn what_may_mend_itself_is_said() {
    let mended = |base, fault| {
        let mut world = World::default();
        world.add(0, base);
        assert!(world.spoil(0, base, fault));
        let row = world.rows.values().next().cloned().unwrap();
        let mut group = Group::empty(row.id);
        for (object, _) in world.objects.values() {
            group.add(object.clone(), object.name.contains(".seg/"));
        }
        let found = judge(Some(&row), &group, &RULES, now()).findings;
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].healed
    };
    assert_eq!(mended(Base::Finished, Fault::JobGone), Some(Heal::Upload));
    assert_eq!(mended(Base::Elsewhere, Fault::JobGone), Some(Heal::Upload));
    assert_eq!(mended(Base::BeingRemoved, Fault::JobGone), Some(Heal::Destroy));
    assert_eq!(mended(Base::Removed, Fault::ObjectBack), Some(Heal::Destroy));
    assert_eq!(mended(Base::Stored, Fault::ObjectGone), None);
    assert_eq!(mended(Base::Stored, Fault::ExtraObject), None, "an orphan waits for a word");
}

#[test]
fn an_object_that_changed_after_it_was_stored_is_read_in_any_case() {
    let mut world = World::default();
    world.add(0, Base::Stored);
    let row = world.rows.values().next().cloned().unwrap();
    let (mut object, _) = world.objects.values().next().cloned().unwrap();
    let look = |object: &SeenObject| {
        let mut group = Group::empty(row.id);
        group.add(object.clone(), false);
        judge(Some(&row), &group, &RULES, now()).look
    };
    let suspicious = |look| matches!(look, Some(Look::Content { suspicious: true, .. }));
    assert!(!suspicious(look(&object)));
    object.modified = now();
    assert!(suspicious(look(&object)));
}

#[test]
fn jobs_and_uploads_are_late_by_age() {
    let job = SeenJob {
        id: "7".to_owned(),
        kind: "upload".to_owned(),
        subject: id(1).to_string(),
        created: now() - Duration::from_secs(900),
        attempts: 3,
        error: Some("away".to_owned()),
    };
    let finding = judge_job(&job, &RULES, now()).unwrap();
    assert_eq!((finding.kind, finding.recording), (FindingKind::LateJob, Some(id(1))));
    let young = SeenJob { created: now() - Duration::from_secs(899), ..job };
    assert_eq!(judge_job(&young, &RULES, now()), None);
    let begun = now() - RULES.unfinished;
    assert_eq!(judge_upload(&World::name(1), begun, &RULES, now()).unwrap().recording, Some(id(1)));
    assert_eq!(judge_upload("x", begun + Duration::from_secs(1), &RULES, now()), None);
}

/// A day of 100,000 recordings, made as they are asked for: what is held is a page of each side and no more,
/// and each row and object is looked at once.
#[test]
fn a_large_day_is_held_by_the_page() {
    const ALL: u64 = 100_000;
    const PAGE: u64 = 1_000;
    let (mut next_row, mut next_object) = (0, 0);
    let row = |n: u64| {
        let mut world = World::default();
        world.add(n, Base::Stored);
        world.rows.into_values().next().unwrap()
    };
    let object = |n: u64| SeenObject {
        name: World::name(n),
        bytes: 500 + n,
        modified: now() - Duration::from_secs(3_000),
    };
    let mut merge = Merge::default();
    let (mut most, mut polls, mut seen, mut found) = (0, 0u64, 0u64, Vec::new());
    loop {
        polls += 1;
        match merge.poll() {
            Step::NeedRows => {
                let end = (next_row + PAGE).min(ALL);
                merge.rows((next_row..end).map(row).collect(), end < ALL);
                next_row = end;
            }
            Step::NeedObjects => {
                let end = (next_object + PAGE).min(ALL);
                // One is missing.
                let page = (next_object..end).filter(|n| *n != 54_321).map(object).collect();
                merge.objects(page, end < ALL);
                next_object = end;
            }
            Step::Recording(row, group) => {
                seen += 1;
                found.extend(judge(row.as_deref(), &group, &RULES, now()).findings);
            }
            Step::Stray(object) => panic!("{object:?}"),
            Step::Done => break,
        }
        most = most.max(merge.held());
    }
    assert_eq!(seen, ALL);
    assert!(most <= 2 * usize::try_from(PAGE).unwrap() + 3, "{most} were held");
    assert!(polls <= ALL + 2 * (ALL / PAGE) + 2, "{polls} steps for {ALL} recordings");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, &found[0].subject), (FindingKind::Lost, &World::name(54_321)));
}
