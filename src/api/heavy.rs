//! Reads that go through many rows (searches by words and for people, reports, simulations): few at once, whoever asks
//! and for whatever, since each takes a connection for seconds, and sessions are read by the same connections.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::store::StoreError;

use super::problem::Problem;

/// Such reads at once: half of the connections that the store reads by.
const PLACES: usize = 2;
/// So long somebody waits for a place, and is asked to stay away when there was none.
const WAIT: Duration = Duration::from_secs(5);

/// The places. Clones share them.
#[derive(Clone)]
pub(super) struct Heavy {
    places: Arc<Semaphore>,
    wait: Duration,
}

impl Heavy {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), wait: WAIT }
    }

    /// One whose places are taken, and for which nobody waits.
    #[cfg(test)]
    pub(super) fn full() -> Self {
        Self { places: Arc::new(Semaphore::new(0)), wait: Duration::ZERO }
    }

    /// Does such a read, which is waited for `within`. It goes on to its end and keeps its place until then, since a
    /// database goes on with it when nobody waits any more.
    ///
    /// # Errors
    /// 503 `busy` with Retry-After when others have all places; 503 `unavailable` when the database refuses or takes
    /// longer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        within: Duration,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(Ok(place)) = timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await else {
            metrics::counter!("sayso_http_busy_total").increment(1);
            let detail = "Others search and count through much just now: try again in some seconds.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(WAIT));
        };
        let read = tokio::spawn(async move {
            let _place = place;
            read.await
        });
        match timeout(within, read).await {
            Ok(Ok(read)) => Ok(read?),
            // It panicked, or takes too long.
            Ok(Err(_)) | Err(_) => {
                let detail = format!(
                    "The database did not answer within {} seconds: ask for less, or try again when it has less to do.",
                    within.as_secs()
                );
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(WAIT))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse as _;
    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn refused(problem: Problem) -> (StatusCode, String) {
        let answer = problem.into_response();
        let after = answer.headers().get(RETRY_AFTER).map(|after| after.to_str().unwrap().to_owned());
        (answer.status(), after.expect("when to come again"))
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_told_when_to_come_again_and_a_place_is_given_back_at_the_reads_end() {
        let heavy = Heavy { wait: Duration::from_millis(20), ..Heavy::new() };
        let mut running = Vec::new();
        for _ in 0..PLACES {
            let ((began, begun), (end, ended)) = (oneshot::channel(), oneshot::channel::<()>());
            let of = heavy.clone();
            let read = tokio::spawn(async move {
                of.read(LONG, async move {
                    began.send(()).unwrap();
                    ended.await.unwrap();
                    Ok(7)
                })
                .await
            });
            begun.await.unwrap();
            running.push((end, read));
        }
        let busy = heavy.read(LONG, async { Ok(1) }).await.unwrap_err();
        assert_eq!(refused(busy), (StatusCode::SERVICE_UNAVAILABLE, "5".to_owned()));
        for (end, read) in running {
            end.send(()).unwrap();
            assert_eq!(read.await.unwrap(), Ok(7));
        }
        assert_eq!(heavy.read(LONG, async { Ok(1) }).await, Ok(1), "there is room again");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_not_waited_for_and_keeps_its_place() {
        let heavy = Heavy { wait: Duration::from_millis(20), ..Heavy::new() };
        let mut ends = Vec::new();
        for _ in 0..PLACES {
            let (end, ended) = oneshot::channel::<()>();
            let slow = heavy.read(Duration::from_millis(20), async move {
                ended.await.unwrap();
                Ok(7)
            });
            assert_eq!(refused(slow.await.unwrap_err()).0, StatusCode::SERVICE_UNAVAILABLE);
            ends.push(end);
        }
        assert!(heavy.read(LONG, async { Ok(1) }).await.is_err(), "the database still works on both");
        ends.into_iter().for_each(|end| end.send(()).unwrap());
        let patient = Heavy { wait: LONG, ..heavy };
        assert_eq!(patient.read(LONG, async { Ok(1) }).await, Ok(1));
    }
}
