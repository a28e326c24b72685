//! Whether a bucket can keep our promises: it must be there, let us put and remove, never overwrite, and lock
//! nothing that an erasure has to remove.

use super::S3;
use super::errors::{fault, not_implemented};
use super::settings::LockMode;
use crate::vault::objects::ObjectError;
use aws_sdk_s3::types::{BucketVersioningStatus, MfaDeleteStatus, ObjectLockRetentionMode};

/// What a bucket locks by itself.
enum Default {
    Nothing,
    Governance,
    Compliance,
    /// Nobody tells us.
    Unknown,
}

impl S3 {
    /// Facts worth a log line, and whether a probe object could be removed again.
    pub(in super::super) async fn check(&self) -> Result<(Vec<String>, bool), ObjectError> {
        let place = self.place();
        let head = self.client.head_bucket().bucket(self.bucket()).send().await;
        head.map_err(fault("reach", &place)).map_err(|error| {
            let ObjectError::NotFound { name } = error else { return error };
            let why = "the bucket does not exist: make it, or correct [vault.s3] bucket".to_owned();
            ObjectError::Denied { what: "reach", name, why }
        })?;
        let mut facts = vec![self.check_versions().await?];
        self.check_uploads(&mut facts).await;
        let may_probe = match self.check_lock(&mut facts).await? {
            Default::Nothing | Default::Governance => true,
            Default::Compliance => {
                facts.push("not probed: nobody could remove the probe".to_owned());
                false
            }
            Default::Unknown => {
                facts.push(
                    "not probed: perhaps nobody could remove the probe; whether the store overwrites is not known"
                        .to_owned(),
                );
                false
            }
        };
        Ok((facts, may_probe))
    }

    async fn check_versions(&self) -> Result<String, ObjectError> {
        let found = match self.client.get_bucket_versioning().bucket(self.bucket()).send().await {
            Ok(found) => found,
            Err(error) if not_implemented(&error) => return Ok("the store knows no versions".to_owned()),
            Err(error) => {
                let error = fault("ask for the versioning of", &self.place())(error);
                if matches!(error, ObjectError::Denied { .. }) {
                    return Ok("versioning is unknown: s3:GetBucketVersioning is not granted".to_owned());
                }
                return Err(error);
            }
        };
        if found.mfa_delete == Some(MfaDeleteStatus::Enabled) {
            return Err(self.refuse(
                "MFA delete is on: versions cannot be removed without a person's token, so neither retention nor \
                 an erasure could be carried out; turn it off for this bucket",
            ));
        }
        Ok(match found.status {
            Some(BucketVersioningStatus::Enabled) => {
                "versioning is on: removal takes every version".to_owned()
            }
            Some(BucketVersioningStatus::Suspended) => {
                "versioning is suspended: removal takes older versions too".to_owned()
            }
            Some(_) | None => "versioning is off".to_owned(),
        })
    }

    async fn check_lock(&self, facts: &mut Vec<String>) -> Result<Default, ObjectError> {
        let found = match self.client.get_object_lock_configuration().bucket(self.bucket()).send().await {
            Ok(found) => found.object_lock_configuration,
            Err(error) if not_implemented(&error) => None,
            Err(error) => {
                let place = self.place();
                let error = fault("ask for the Object Lock of", &place)(error);
                if matches!(error, ObjectError::Denied { .. }) {
                    let right = "s3:GetBucketObjectLockConfiguration";
                    facts.push(format!("Object Lock is unknown: {right} is not granted"));
                    return Ok(Default::Unknown);
                }
                // `ObjectLockConfigurationNotFoundError`; some stores answer it as a bad request.
                if !matches!(error, ObjectError::NotFound { .. } | ObjectError::Refused { .. }) {
                    return Err(error);
                }
                None
            }
        };
        let Some(found) = found else {
            if self.settings.lock.is_some() {
                return Err(self.refuse(
                    "[vault.s3] object-lock is set, but the bucket has no Object Lock: turn it on for the bucket \
                     (with versioning), or remove the setting",
                ));
            }
            return Ok(Default::Nothing);
        };
        let default = found.rule.and_then(|rule| rule.default_retention).and_then(|retention| retention.mode);
        let accepted = self.settings.lock.is_some_and(|lock| lock.mode == LockMode::Compliance);
        match default {
            None => {
                facts.push("Object Lock is on, without a default retention".to_owned());
                Ok(Default::Nothing)
            }
            Some(ObjectLockRetentionMode::Governance) => {
                facts.push(
                    "the bucket locks each object under governance: removal lifts it, which needs \
                     s3:BypassGovernanceRetention"
                        .to_owned(),
                );
                Ok(Default::Governance)
            }
            Some(_) if accepted => {
                facts.push(
                    "the bucket locks each object under compliance, segments too: what is destroyed stays as \
                     noise until its lock ends"
                        .to_owned(),
                );
                Ok(Default::Compliance)
            }
            Some(_) => Err(self.refuse(
                "its default retention is compliance: nobody can delete an object before its lock ends, so neither \
                 a withdrawal, nor an erasure, nor retention could be carried out in full. Give the bucket no \
                 default retention or governance, or accept it with [vault.s3] object-lock mode = \"compliance\" \
                 and erasure = \"key-only\"",
            )),
        }
    }

    /// Whether unfinished uploads can be found at all.
    async fn check_uploads(&self, facts: &mut Vec<String>) {
        let list = self.client.list_multipart_uploads().bucket(self.bucket()).max_uploads(1).send().await;
        if list.is_err_and(|error| not_implemented(&error)) {
            facts.push("the store cannot list unfinished uploads: remove them by its own means".to_owned());
        }
    }

    fn refuse(&self, why: &str) -> ObjectError {
        ObjectError::Refused { what: "use", name: self.place(), why: why.to_owned() }
    }
}
