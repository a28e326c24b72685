//! Recordings in pages: for listings, for reconciliation, for start-up; their certificates.

use crate::audit::Head;
use crate::ids::{CallId, RecordingId};

use super::Store;
use super::error::StoreError;
use super::page::{Cursor, Page};
use super::query::Filter;
use super::rows::{CallRow, CertificateRow, RecordingRow};

impl Store {
    /// Recordings, the latest first, from `after`; `filter.limit` of them.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_page(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
    ) -> Result<Page<RecordingRow>, StoreError> {
        unimplemented!("{filter:?} {after:?}")
    }

    /// Recordings of a spool that were armed or running when its server died, the oldest first; also those of an older
    /// Sayso, which name no spool.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_unfinished(&self, spool: &str) -> Result<Vec<RecordingRow>, StoreError> {
        unimplemented!("{spool}")
    }

    /// Recordings whose only whole copy is or was to be in this spool (armed, recording, failed, finished), in order of
    /// their ids, from `after`: for a spool that is lost.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_spooled(
        &self,
        spool: &str,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        unimplemented!("{spool} {after:?} {limit}")
    }

    /// Recordings from one id to before another, in order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn recordings_between(
        &self,
        from: RecordingId,
        to: RecordingId,
        after: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        unimplemented!("{from} {to} {after:?} {limit}")
    }

    /// Calls from one id to before another, in order of their ids, behind `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_between(
        &self,
        from: CallId,
        to: CallId,
        after: Option<CallId>,
        limit: u32,
    ) -> Result<Vec<CallRow>, StoreError> {
        unimplemented!("{from} {to} {after:?} {limit}")
    }

    /// Calls of a node that have not ended, the oldest first: at its start-up, those it died in. Also those of an older
    /// Sayso, which name no node.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn calls_unfinished(&self, spool: &str) -> Result<Vec<CallRow>, StoreError> {
        unimplemented!("{spool}")
    }

    /// A removed recording's deletion certificate: signed JSON.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn certificate(&self, id: RecordingId) -> Result<Option<String>, StoreError> {
        unimplemented!("{id}")
    }

    /// Deletion certificates without their texts, the latest first, from `after`.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn certificates(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        unimplemented!("{after:?} {limit}")
    }

    /// Where in the audit log the last event of this action about this object is.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn audit_position(&self, object: &str, action: &str) -> Result<Option<Head>, StoreError> {
        unimplemented!("{object} {action}")
    }
}
