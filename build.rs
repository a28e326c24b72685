//! Tells cargo what else is part of the program: the migrations (`sqlx::migrate!` reads them at build time) and the
//! pages (`make web` builds them).

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    // A path that is not there would have cargo build anew each time. Without leave to make it, so be it.
    let _ = std::fs::create_dir_all("web/dist");
    println!("cargo::rerun-if-changed=web/dist");
}
