//! Objects in a folder.
#![allow(clippy::unused_async, clippy::unused_self)]

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{About, Content, Head, ObjectError, Page, Put, Removed, Target, Trace, Unfinished};
use crate::time::Timestamp;

pub(super) struct Folder {
    _dir: PathBuf,
}

impl Folder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { _dir: dir }
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
        &self,
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
