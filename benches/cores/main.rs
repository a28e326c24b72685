//! What each core costs, by Criterion: real inputs of real size, each result checked once before it is timed.
//! `make bench-cores` prints the figures beside the committed ones (`benches/BASELINE.md`).
#![allow(clippy::disallowed_methods)] // measures real time

mod calls;
mod media;
mod packets;
mod records;
#[path = "../scene/mod.rs"]
mod scene;
mod setups;
mod speech;

criterion::criterion_group!(
    cores,
    packets::benches,
    media::benches,
    calls::benches,
    records::benches,
    setups::benches
);
criterion::criterion_main!(cores);
