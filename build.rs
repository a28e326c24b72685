//! Tells cargo that the migrations are part of the program: `sqlx::migrate!` reads them at build time.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
