//! What the SDK's errors mean. Of a store's answer only code and message are kept: the whole of it may show the
//! access key.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::vault::objects::ObjectError;

/// For `map_err`: names what was tried on which object.
pub(super) fn fault<E>(
    what: &'static str,
    name: &str,
) -> impl FnOnce(SdkError<E, HttpResponse>) -> ObjectError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let name = name.to_owned();
    move |error| {
        let why = match &error {
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                let status = answer.raw().status().as_u16();
                return answered(what, name, status, meta.code().unwrap_or(""), meta.message().unwrap_or(""));
            }
            SdkError::ConstructionFailure(_) => {
                let why = DisplayErrorContext(&error).to_string();
                return ObjectError::Refused { what, name, why };
            }
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                let why = DisplayErrorContext(&error).to_string();
                return ObjectError::Refused { what, name, why };
            }
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                DisplayErrorContext(&error).to_string()
            }
            // The SDK may get more kinds: what is unknown is tried again, and alarms by its age.
            _ => DisplayErrorContext(&error).to_string(),
        };
        ObjectError::Away { what, name, why }
    }
}

/// Whether the store does not have this operation at all.
pub(super) fn not_implemented<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(answer) = error else { return false };
    answer.raw().status().as_u16() == 501 || answer.err().code() == Some("NotImplemented")
}

/// The status of the answer, if there was one.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn answered(what: &'static str, name: String, status: u16, code: &str, message: &str) -> ObjectError {
    let said = match (code, message) {
        ("", "") => format!("it answers {status}"),
        (code, "") => format!("it answers {status} {code}"),
        (code, message) => format!("it answers {status} {code}: {message}"),
    };
    let denied =
        |todo: &str| ObjectError::Denied { what, name: name.clone(), why: format!("{said}; {todo}") };
    match (status, code) {
        (_, "NoSuchBucket") => denied("the bucket does not exist: make it, or correct [vault.s3] bucket"),
        (_, "InvalidAccessKeyId") => denied("correct [vault.s3] access-key-id"),
        (_, "SignatureDoesNotMatch") => denied("correct [vault.s3] secret-access-key"),
        (_, "RequestTimeTooSkewed") => denied("set this machine's clock right"),
        (_, "ExpiredToken") => denied("the session's credentials are over: renew them"),
        (301, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
            denied("the bucket is in another region: correct [vault.s3] region")
        }
        (412, _) | (_, "PreconditionFailed") => ObjectError::Exists { name },
        // Somebody ended it meanwhile, such as another try of the same upload: the next one begins anew.
        (_, "NoSuchUpload") => ObjectError::Away { what, name, why: said },
        (404, _) => ObjectError::NotFound { name },
        (401 | 403, _) | (_, "AccessDenied") => {
            denied("grant it in the bucket's policy, or correct the credentials")
        }
        (501, _) => ObjectError::Refused { what, name, why: format!("{said}: the store cannot do that") },
        (408 | 409 | 429 | 500.., _)
        | (_, "SlowDown" | "RequestTimeout" | "IncompleteBody" | "Throttling" | "ThrottlingException") => {
            ObjectError::Away { what, name, why: said }
        }
        // An error in an answer that began well (S3 ends long uploads so), or one that the SDK cannot read.
        (200..=299, _) => ObjectError::Away { what, name, why: said },
        // What we sent had its right checksum: it was damaged on the way, and is sent again.
        (_, "BadDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" | "InvalidDigest") => {
            let why = format!("what arrived is not what was sent, the store refused it: {said}");
            ObjectError::Away { what, name, why }
        }
        _ => ObjectError::Refused { what, name, why: said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_does_not() {
        let passes = |status, code| answered("put", "a".to_owned(), status, code, "").passes();
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (503, ""),
            (400, "RequestTimeout"),
            (429, ""),
            (409, "ConditionalRequestConflict"),
            (404, "NoSuchUpload"),
            (400, "BadDigest"),
            (200, "InternalError"),
        ] {
            assert!(passes(status, code), "{status} {code}");
        }
        for (status, code) in [
            (403, "AccessDenied"),
            (400, "AccessDenied"),
            (403, "InvalidAccessKeyId"),
            (404, "NoSuchBucket"),
            (404, "NoSuchKey"),
            (412, "PreconditionFailed"),
            (501, "NotImplemented"),
            (400, "InvalidArgument"),
            (301, "PermanentRedirect"),
        ] {
            assert!(!passes(status, code), "{status} {code}");
        }
    }
}
