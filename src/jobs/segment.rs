//! Segments: what recordings that go on have by now is copied to the object store, so that the loss of a node's
//! disk costs at most the last piece. Always sealed bytes of the spool's file, up to the end of a chunk, whatever
//! `encryption` says; removed once the whole is verified (`upload.rs`), made use of when the file is lost (`rescue.rs`).
//!
//! What was copied is known in memory only: a recording does not outlive its process, it is salvaged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::ids::RecordingId;
use crate::time::Timestamp;
use crate::vault::Running;
use crate::vault::objects::{About, ObjectClass, ObjectError};

use super::names;
use super::schedule::backoff;
use super::{Context, Fault, random};

/// How often it is looked whose piece is due.
const LOOK: Duration = Duration::from_secs(1);
/// The largest piece: what came together while the store was away goes in several.
const LARGEST: u64 = 64 << 20;

/// Copies until it is stopped. A piece on its way is given up then: the recording goes to the spool, and on from there.
pub(super) async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    let mut plan = Plan::new(ctx.config.segment, usize::from(ctx.config.uploads));
    let mut tasks = JoinSet::new();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
            Some(ended) = tasks.join_next() => match ended {
                Ok((piece, result)) => on_end(&ctx, &mut plan, &piece, result),
                Err(error) => tracing::error!(%error, "a segment's task failed"),
            },
        }
        let running = ctx.vault.running();
        ctx.guard.forget(|id| running.iter().any(|running| running.id == id));
        if !ctx.store_answers() {
            continue;
        }
        for piece in plan.due(&running, ctx.clock.now()) {
            let ctx = Arc::clone(&ctx);
            tasks.spawn(async move {
                let result = put(&ctx, &piece).await;
                (piece, result)
            });
        }
    }
}

fn on_end(ctx: &Context, plan: &mut Plan, piece: &Piece, result: Result<(), Fault>) {
    let now = ctx.clock.now();
    match result {
        Ok(()) => {
            ctx.on_answer();
            counter!("sayso_segments_total").increment(1);
            counter!("sayso_upload_bytes_total").increment(piece.range.end - piece.range.start);
            plan.on_done(piece, now);
        }
        Err(error) => {
            ctx.on_fault(&error);
            counter!("sayso_segment_failures_total").increment(1);
            tracing::warn!(recording = %piece.id, segment = piece.n, %error, "a segment could not be put");
            plan.on_failed(piece, now, random());
        }
    }
}

async fn put(ctx: &Context, piece: &Piece) -> Result<(), Fault> {
    copy(ctx, piece.id, piece.n, piece.range.clone()).await
}

/// Copies a range of a running recording's file as segment `n`.
pub(super) async fn copy(ctx: &Context, id: RecordingId, n: u32, range: Range<u64>) -> Result<(), Fault> {
    let Some(_leave) = ctx.guard.leave(id) else {
        return Err(Fault::Other("the recording is over".to_owned()));
    };
    let content = ctx.vault.spooled_part(id, range)?;
    let content = content.ok_or_else(|| Fault::Other("the recording is over".to_owned()))?;
    let about = About {
        recording: id,
        sha256: None,
        content_type: "application/octet-stream",
        class: ObjectClass::Segment,
    };
    let put = ctx.objects.put(&names::segment(id, n), &content, &about).await;
    if matches!(&put, Err(ObjectError::Away { .. })) {
        ctx.guard.on_cut_off(id, ctx.clock.now());
    }
    put?;
    Ok(())
}

/// A piece of a recording that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    id: RecordingId,
    n: u32,
    range: Range<u64>,
}

/// Which piece is due when; no clock, no I/O.
struct Plan {
    every: Duration,
    /// Pieces that may be on their way at once.
    most: usize,
    copies: BTreeMap<RecordingId, Copied>,
}

/// How far one recording is.
struct Copied {
    /// Bytes that are in the store.
    bytes: u64,
    /// The next piece's number.
    n: u32,
    due: Timestamp,
    failures: u32,
    /// The piece that was tried. It is tried again just so: it may be there already.
    tried: Option<Range<u64>>,
    on_its_way: bool,
}

impl Plan {
    fn new(every: Duration, most: usize) -> Self {
        Self { every, most, copies: BTreeMap::new() }
    }

    /// The pieces to put now; they are on their way until `on_done` or `on_failed`.
    fn due(&mut self, running: &[Running], now: Timestamp) -> Vec<Piece> {
        self.copies.retain(|id, copied| copied.on_its_way || running.iter().any(|running| running.id == *id));
        let mut free =
            self.most.saturating_sub(self.copies.values().filter(|copied| copied.on_its_way).count());
        let mut pieces = Vec::new();
        for Running { id, since, sealed } in running {
            let copied = self.copies.entry(*id).or_insert_with(|| Copied {
                bytes: 0,
                n: 0,
                due: *since + self.every,
                failures: 0,
                tried: None,
                on_its_way: false,
            });
            if free == 0 || copied.on_its_way || copied.due > now || *sealed <= copied.bytes {
                continue;
            }
            let all = copied.bytes..(*sealed).min(copied.bytes + LARGEST);
            let range = copied.tried.get_or_insert(all).clone();
            copied.on_its_way = true;
            free -= 1;
            pieces.push(Piece { id: *id, n: copied.n, range });
        }
        pieces
    }

    fn on_done(&mut self, piece: &Piece, now: Timestamp) {
        let Some(copied) = self.copies.get_mut(&piece.id) else { return };
        let whole = piece.range.end - piece.range.start < LARGEST;
        // On the recording's own beat: a slow store does not stretch it.
        let next = copied.due + self.every;
        copied.due = if whole { next.max(now) } else { now };
        copied.bytes = piece.range.end;
        copied.n += 1;
        copied.failures = 0;
        copied.tried = None;
        copied.on_its_way = false;
    }

    fn on_failed(&mut self, piece: &Piece, now: Timestamp, random: u32) {
        let Some(copied) = self.copies.get_mut(&piece.id) else { return };
        copied.failures += 1;
        copied.due = now + backoff(copied.failures, random).min(self.every);
        copied.on_its_way = false;
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn running(n: u128, sealed: u64) -> Running {
        Running { id: RecordingId::new(Ulid(n)), since: at(0), sealed }
    }

    #[test]
    fn each_minute_what_is_new_becomes_a_piece() {
        let mut plan = Plan::new(EVERY, 4);
        assert!(plan.due(&[running(1, 500)], at(59)).is_empty());
        let first = plan.due(&[running(1, 1_000)], at(60));
        assert_eq!((first[0].n, first[0].range.clone()), (0, 0..1_000));
        assert!(plan.due(&[running(1, 2_000)], at(200)).is_empty(), "one at a time");
        plan.on_done(&first[0], at(70));
        assert!(plan.due(&[running(1, 2_000)], at(119)).is_empty(), "on its own beat");
        let second = plan.due(&[running(1, 2_000)], at(120));
        assert_eq!((second[0].n, second[0].range.clone()), (1, 1_000..2_000));
        plan.on_done(&second[0], at(121));
        assert!(
            plan.due(&[running(1, 2_000)], at(500)).is_empty(),
            "nothing is new: paused writers are no pieces"
        );
        assert!(plan.due(&[], at(501)).is_empty() && plan.copies.is_empty(), "it is over and forgotten");
    }

    #[test]
    fn a_piece_that_failed_is_tried_just_so_again_and_no_byte_is_left_out() {
        let mut plan = Plan::new(EVERY, 4);
        let first = plan.due(&[running(1, 1_000)], at(60));
        plan.on_failed(&first[0], at(61), u32::MAX / 2);
        assert!(plan.due(&[running(1, 1_500)], at(61)).is_empty(), "not at once");
        let again = plan.due(&[running(1, 1_500)], at(63));
        assert_eq!(again, first, "it may be in the store already: the same bytes by the same name");
        plan.on_done(&again[0], at(64));
        let next = plan.due(&[running(1, 9_000)], at(200));
        assert_eq!((next[0].n, next[0].range.clone()), (1, 1_000..9_000));
    }

    #[test]
    fn what_came_together_goes_in_pieces_one_after_the_other() {
        let mut plan = Plan::new(EVERY, 4);
        let all = LARGEST * 2 + 5;
        let (mut at_byte, mut n) = (0, 0);
        while at_byte < all {
            let pieces = plan.due(&[running(1, all)], at(10_000));
            assert_eq!((pieces[0].n, pieces[0].range.start), (n, at_byte));
            assert!(pieces[0].range.end - at_byte <= LARGEST);
            at_byte = pieces[0].range.end;
            n += 1;
            plan.on_done(&pieces[0], at(10_000));
        }
        assert_eq!(n, 3);
    }

    #[test]
    fn few_go_at_once() {
        let mut plan = Plan::new(EVERY, 2);
        let many: Vec<Running> = (1..=5).map(|n| running(n, 10)).collect();
        let first = plan.due(&many, at(100));
        assert_eq!(first.len(), 2);
        assert!(plan.due(&many, at(100)).is_empty());
        plan.on_done(&first[0], at(100));
        assert_eq!(plan.due(&many, at(100)).len(), 1);
    }
}
