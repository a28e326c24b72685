//! The bandwidth limit: one bucket of tokens for all uploads of the process, taken from before each piece of a
//! body goes out, so that a part does not leave in one burst.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// What goes out at once: small enough to be smooth, large enough to cost nothing.
const PIECE: usize = 16 << 10;

/// So many bytes a second, of all together.
pub(super) struct Pace {
    rate: u64,
    /// When all that was granted will have gone out.
    free: Mutex<Option<Instant>>,
}

impl Pace {
    /// `rate`: bytes a second, not 0.
    pub(super) fn new(rate: u64) -> Self {
        Self { rate, free: Mutex::new(None) }
    }

    /// Bytes a second.
    pub(super) fn rate(&self) -> u64 {
        self.rate
    }

    /// When `count` more bytes may go.
    fn grant(&self, count: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = free.map_or(now, |free| free.max(now));
        *free = Some(at + Duration::from_secs_f64(count as f64 / self.rate as f64));
        at
    }
}

/// A body of these bytes: at the pace if there is one. It can be sent again.
pub(super) fn body(bytes: Bytes, pace: Option<&Arc<Pace>>) -> ByteStream {
    let Some(pace) = pace.cloned() else { return ByteStream::from(bytes) };
    ByteStream::new(SdkBody::retryable(move || {
        SdkBody::from_body_1_x(Paced { left: bytes.clone(), pace: pace.clone(), wait: None })
    }))
}

struct Paced {
    left: Bytes,
    pace: Arc<Pace>,
    /// Until the next piece may go.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let count = self.left.len().min(PIECE);
        let this = &mut *self;
        let wait =
            this.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(this.pace.grant(count))));
        if wait.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.wait = None;
        Poll::Ready(Some(Ok(Frame::data(this.left.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_share_one_limit() {
        let pace = Pace::new(1 << 20);
        let first = pace.grant(2 << 20);
        let second = pace.grant(1 << 20);
        assert_eq!(second - first, Duration::from_secs(2), "after 2 MiB at 1 MiB a second");
        assert_eq!(pace.grant(1) - second, Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_body_is_whole_and_can_be_sent_again() {
        let bytes: Bytes = (0..100_000u32).map(|n| n as u8).collect::<Vec<u8>>().into();
        let pace = Arc::new(Pace::new(1 << 40));
        let body = body(bytes.clone(), Some(&pace)).into_inner();
        let again = body.try_clone().expect("it can be sent again");
        for body in [body, again] {
            assert_eq!(body.content_length(), Some(100_000));
            assert_eq!(ByteStream::new(body).collect().await.expect("sent").into_bytes(), bytes);
        }
    }
}
