//! Parses arguments and runs a subcommand.

fn main() {}
