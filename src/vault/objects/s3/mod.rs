//! Objects in a bucket.
#![allow(clippy::unused_async, clippy::unused_self)]

pub(super) mod settings;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{About, Content, Head, ObjectError, Page, Put, Removed, Target, Trace, Unfinished};
use crate::time::Timestamp;
use settings::S3Settings;

pub(super) struct S3;

impl S3 {
    pub(super) async fn open(_settings: &S3Settings) -> Result<Self, ObjectError> {
        unimplemented!("open")
    }
    pub(super) fn place(&self) -> String {
        unimplemented!("place")
    }
    pub(super) async fn check(&self) -> Result<Vec<String>, ObjectError> {
        unimplemented!("check")
    }
    pub(super) async fn put(
        &self,
        _name: &str,
        _content: &dyn Content,
        _about: &About,
    ) -> Result<Put, ObjectError> {
        unimplemented!("put")
    }
    pub(super) async fn verify(&self, _name: &str, _bytes: u64, _sha256: &str) -> Result<Put, ObjectError> {
        unimplemented!("verify")
    }
    pub(super) async fn head(&self, _name: &str) -> Result<Option<Head>, ObjectError> {
        unimplemented!("head")
    }
    pub(super) async fn get(
        self: Arc<Self>,
        _name: &str,
        _range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        unimplemented!("get")
    }
    pub(super) async fn list(
        &self,
        _prefix: &str,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Page, ObjectError> {
        unimplemented!("list")
    }
    pub(super) async fn remove(&self, _target: &Target<'_>) -> Result<Removed, ObjectError> {
        unimplemented!("remove")
    }
    pub(super) async fn traces(&self, _target: &Target<'_>) -> Result<Vec<Trace>, ObjectError> {
        unimplemented!("traces")
    }
    pub(super) async fn unfinished(
        &self,
        _prefix: &str,
        _older_than: Timestamp,
    ) -> Result<Vec<Unfinished>, ObjectError> {
        unimplemented!("unfinished")
    }
}
