//! Jobs over a real database, a real spool and a folder of objects: nothing is lost, nothing is there twice, and every
//! step is taken in its order, wherever a crash comes.

mod absent;
mod crash;
pub(super) mod house;
mod privacy;
mod retention;
mod trouble;
