//! Encode: the spool's file becomes Ogg Opus before it is uploaded. The vault puts the new file in the old one's
//! place at once; done again after a crash it finds that it is Opus already and says the same.

use std::ops::ControlFlow;

use crate::reconcile::State;
use crate::store::RecordingChange;

use super::{Context, Fault, Held, Outcome, file, key_of, rescue};

pub(super) async fn run(ctx: &Context, job: &Held) -> Result<Outcome, Fault> {
    let (row, state) = job.recording(ctx).await?;
    match state {
        State::Finished => {}
        // Encoded and gone on already, or of no use any more.
        State::Stored | State::Destroyed | State::Removed | State::Discarded => {
            return Ok(Outcome::Done(None));
        }
        State::Armed | State::Recording | State::Failed => return Err(Fault::not_for(state, "encoded")),
    }
    if ctx.vault.spooled(row.id)?.is_none() {
        // Its disk was lost before it was encoded. Now it is PCM again, as much as there are segments.
        rescue::recording(ctx, &row).await?;
    }
    let (id, key, meter) = (row.id, key_of(&row)?, job.meter());
    let encoded = ctx
        .with_vault(move |vault| {
            vault.encode(id, &key, &mut |done, total| {
                meter.set(done, total);
                if meter.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })
        .await?;
    ctx.step("encoded")?;
    let change = RecordingChange::Encoded { id, at: ctx.clock.now(), file: file(&encoded) };
    Ok(Outcome::Done(Some(change)))
}
