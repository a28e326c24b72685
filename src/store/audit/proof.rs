//! Proving the log whole: its parts side by side, each tied to the row before it, by as many readers as there are cores.

use std::sync::Arc;

use sqlx::{AnyPool, AssertSqlSafe, Row as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::audit::{Anchors, AuditProof, BrokenLink, Head, Verifier, Why};

use super::super::error::{Doing as _, StoreError};
use super::super::query::count;
use super::super::{READERS, Store};
use super::{SELECT, head, read};

/// Rows read at once: some ten megabytes of them.
const PAGE: i64 = 8_192;
/// Rows that are hashed before other tasks have their turn: about a millisecond's work.
const AT_ONCE: usize = 256;

/// A stretch of the log: the rows behind `from`, up to `to`.
#[derive(Clone, Copy, Debug)]
struct Part {
    from: Head,
    to: u64,
}

/// What checks a part.
#[derive(Clone)]
struct Reader {
    pool: AnyPool,
    anchors: Arc<Anchors>,
    /// Hears of rows as they are checked.
    done: mpsc::UnboundedSender<u64>,
}

impl Store {
    /// Proves the audit log whole, from its first row to what its head says now. Rows are read page
    /// by page and never change, so calls may go on meanwhile. `progress` hears of rows done and
    /// rows in all.
    ///
    /// # Errors
    /// [`StoreError::Broken`] names the first broken link.
    pub async fn verify_audit(
        &self,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<AuditProof, StoreError> {
        self.verify_audit_with(Anchors::default(), progress).await
    }

    /// The same, compared with what was anchored: rows that were cut off, and a log that was written anew, are found.
    ///
    /// # Errors
    /// As [`Store::verify_audit`].
    pub async fn verify_audit_with(
        &self,
        anchors: Anchors,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<AuditProof, StoreError> {
        let (head, last) = self.bounds().await?;
        let anchors = Arc::new(anchors);
        let (done, mut heard) = mpsc::unbounded_channel();
        let reader = Reader { pool: self.read.clone(), anchors: Arc::clone(&anchors), done };
        let parts = self.parts(head).await?;
        let mut tasks = JoinSet::new();
        for (n, part) in parts.iter().copied().enumerate() {
            let reader = reader.clone();
            tasks.spawn(async move { (n, reader.check(part, None).await) });
        }
        let mut checked: Vec<Option<Verifier>> = parts.iter().map(|_| None).collect();
        let mut rows = 0;
        while !tasks.is_empty() {
            tokio::select! {
                Some(more) = heard.recv() => {
                    rows += more;
                    progress(rows, head.seq);
                }
                Some(ended) = tasks.join_next() => {
                    let Ok((n, result)) = ended else { continue };
                    match result {
                        Ok(verifier) => checked[n] = Some(verifier),
                        // Which link breaks first is told below.
                        Err(StoreError::Broken(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        let mut verifier = Verifier::default();
        for (part, checked) in parts.iter().zip(checked) {
            let whole = checked.filter(|_| part.from == verifier.head());
            let Some(whole) = whole.filter(|whole| whole.rows() == part.to) else {
                // From here on in one go, as the chain is: this names the row.
                let rest = Part { from: verifier.head(), to: head.seq };
                verifier = reader.check(rest, Some(verifier)).await?;
                break;
            };
            verifier = whole.behind_others(verifier);
        }
        progress(verifier.rows(), head.seq);
        let proof = verifier.finish(head)?;
        if last > head.seq {
            return Err(BrokenLink { seq: head.seq + 1, why: Why::Head { head: head.seq } }.into());
        }
        anchors.finish(head)?;
        Ok(proof)
    }

    /// The log in as many parts as are checked at once. Half of the connections are left to the server: sessions are read
    /// by them, and what somebody searches for.
    async fn parts(&self, head: Head) -> Result<Vec<Part>, StoreError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let page = u64::try_from(PAGE).unwrap_or(1);
        let parts = cores.min(u64::from(READERS) / 2).min(head.seq / page).max(1);
        let mut from = Head::EMPTY;
        let mut all = Vec::new();
        for n in 1..=parts {
            let to = head.seq / parts * n + if n == parts { head.seq % parts } else { 0 };
            all.push(Part { from, to });
            if n < parts {
                let row = sqlx::query("SELECT seq, hash FROM audit WHERE seq = $1").bind(count(to));
                let row = row.fetch_optional(&self.read).await.doing("reading the audit log")?;
                // A row that is missing there makes one part of the rest, whose check names it.
                match row.map(|row| super::head(&row)) {
                    Some(Ok(head)) => from = head,
                    Some(Err(_)) | None => {
                        all.pop();
                        all.push(Part { from, to: head.seq });
                        return Ok(all);
                    }
                }
            }
        }
        Ok(all)
    }

    /// The head and the last row's number. One statement, so that a commit between two cannot look
    /// like a forgery. A row before the first is found here, the others are read past it.
    async fn bounds(&self) -> Result<(Head, u64), StoreError> {
        let row = sqlx::query(
            "SELECT seq, hash, (SELECT MAX(seq) FROM audit) AS last, (SELECT MIN(seq) FROM audit) AS first \
             FROM audit_head WHERE id = 1",
        )
        .fetch_optional(&self.read)
        .await
        .doing("reading the audit log's head")?
        .ok_or(StoreError::Corrupt { table: "audit_head", column: "id" })?;
        let bound = |column| -> Result<Option<i64>, StoreError> {
            row.try_get(column).map_err(|_| StoreError::Corrupt { table: "audit", column: "seq" })
        };
        match (bound("first")?, bound("last")?) {
            (Some(first), _) if first < 1 => {
                Err(BrokenLink { seq: 0, why: Why::Sequence { expected: 1 } }.into())
            }
            (_, last) => Ok((head(&row)?, last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))),
        }
    }
}

impl Reader {
    /// Checks a part; a verifier that has checked what is before it goes on, if there is one.
    async fn check(&self, part: Part, verifier: Option<Verifier>) -> Result<Verifier, StoreError> {
        let mut verifier = verifier.unwrap_or_else(|| Verifier::behind(part.from));
        let select = format!("{SELECT} WHERE a.seq > $1 AND a.seq <= $2 ORDER BY a.seq LIMIT $3");
        while verifier.rows() < part.to {
            let page = sqlx::query(AssertSqlSafe(select.clone()))
                .bind(count(verifier.rows()))
                .bind(count(part.to))
                .bind(PAGE)
                .fetch_all(&self.pool)
                .await
                .doing("reading the audit log")?;
            if page.is_empty() {
                break;
            }
            for some in page.chunks(AT_ONCE) {
                for row in some {
                    let row = read(row)?;
                    verifier.push(&row)?;
                    self.anchors.check(row.head())?;
                }
                // Other tasks of this thread have their turn.
                tokio::task::yield_now().await;
            }
            // Who asked may have stopped listening.
            let _ = self.done.send(page.len() as u64);
        }
        Ok(verifier)
    }
}
