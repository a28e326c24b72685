//! The `sayso` program: see `sayso --help`, or [`sayso::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sayso::cli::main()
}
