//! x
mod sip;
fn main() {}
