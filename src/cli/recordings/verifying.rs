//! `sayso recordings verify`: every chunk of a recording, with its key.

use std::process::ExitCode;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;

use super::Place;
use crate::cli::{out, progress};
use crate::export::Audio;
use crate::ids::RecordingId;
use crate::store::{Filter, Page, RecordingRow};

/// Rows that are read at a time.
const PAGE: u32 = 200;

/// Verifies one, or all that are whole. Nobody hears them, so the listening log is not written.
pub(super) async fn run(place: &Place, id: Option<RecordingId>) -> anyhow::Result<ExitCode> {
    let bar = progress("verifying");
    let (mut right, mut wrong) = (0_u64, 0_u64);
    let mut judge = |row: &RecordingRow, verdict: anyhow::Result<()>| match verdict {
        Ok(()) => right += 1,
        Err(error) => {
            wrong += 1;
            bar.suspend(|| out(format_args!("{}: {error:#}\n", row.id)));
        }
    };
    match id {
        Some(id) => {
            let row = place.store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
            judge(
                &row,
                read(place, &row, |done, all| {
                    bar.set_length(all);
                    bar.set_position(done);
                })
                .await,
            );
        }
        None => {
            let filter = Filter { limit: PAGE, ..Filter::default() };
            let mut after = None;
            loop {
                let Page { items, next } = place.store.recordings_page(&filter, after).await?;
                bar.inc_length(items.len() as u64);
                for row in items {
                    if ["finished", "stored"].contains(&row.state.as_str()) {
                        judge(&row, read(place, &row, |_, _| {}).await);
                    }
                    bar.inc(1);
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
    }
    bar.finish_and_clear();
    place.store.close().await;
    out(format_args!("{right} verified, {wrong} not\n"));
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn read(place: &Place, row: &RecordingRow, progress: impl Fn(u64, u64)) -> anyhow::Result<()> {
    let opened = match Audio::open(row, &place.vault, &place.objects).await {
        // It may have been stored since the row was read.
        Err(_) if row.state == "finished" => {
            let now = place.store.recording(row.id).await?.context("its row is gone")?;
            Audio::open(&now, &place.vault, &place.objects).await
        }
        opened => opened,
    };
    let audio = opened?;
    // All of it: a plain object is compared with its hash at the end.
    let mut done = 0;
    let mut stream = audio.stream(0..audio.length()).await?;
    while let Some(bytes) = stream.try_next().await? {
        done += bytes.len() as u64;
        progress(done, audio.length());
    }
    anyhow::ensure!(done == audio.length(), "it ends {} bytes early", audio.length() - done);
    Ok(())
}
