//! stub
use super::spool::Paths;
use super::works::Work;
use super::{Finished, Progress, VaultError};
use crate::consent::DataKey;
use crate::ids::RecordingId;
use crate::time::Clock;
pub(super) fn encode(
    _paths: &Paths,
    _id: RecordingId,
    _key: &DataKey,
    _work: &Work<'_>,
    _clock: Clock,
    _progress: Progress<'_>,
) -> Result<Finished, VaultError> {
    unimplemented!("encode")
}
