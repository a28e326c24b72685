//! The audit log's tables: chaining a row, reading rows back, proving the whole.

use std::borrow::Cow;

use aws_lc_rs::rand;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::audit::{
    Actor, AuditEvent, AuditProof, BrokenLink, Class, Hash, Head, Object, Opening, Row, SALT_LEN, Sealed,
    Verifier, Why,
};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::{AuditFilter, count};
use super::writer::Work;

/// Rows read at once when verifying.
const PAGE: i64 = 4_096;

/// Rows inserted by one statement at most; smaller lots are powers of two, so that there are few
/// different statements to prepare.
const LOT: usize = 32;

const INSERT: &str = "INSERT INTO audit (seq, version, at, class, actor_kind, actor, action, object_kind, \
     object_id, attribute, about, about_commitment, old, old_commitment, new, new_commitment, hash) VALUES ";

const INSERT_PERSONAL: &str = "INSERT INTO audit_personal (seq, field, salt, value) VALUES ";

/// Rows with their personal values, as [`read`] takes them.
macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT a.seq, a.version, a.at, a.class, a.actor_kind, a.actor, a.action, a.object_kind, ",
            "a.object_id, a.attribute, a.about, a.about_commitment, a.old, a.old_commitment, a.new, ",
            "a.new_commitment, a.hash, pa.salt AS about_salt, pa.value AS about_value, ",
            "po.salt AS old_salt, po.value AS old_value, pn.salt AS new_salt, pn.value AS new_value ",
            "FROM audit a ",
            "LEFT JOIN audit_personal pa ON pa.seq = a.seq AND pa.field = 'about' ",
            "LEFT JOIN audit_personal po ON po.seq = a.seq AND po.field = 'old' ",
            "LEFT JOIN audit_personal pn ON pn.seq = a.seq AND pn.field = 'new' ",
            $rest
        )
    };
}

/// Gives events their places at the end of the chain and writes their rows; the new end. `known` is where
/// the chain ended when this process looked last. If another has moved it since, it is locked where it is now
/// and the rows take their places there; so nobody has to begin anew, however many nodes write.
pub(super) async fn chain(
    connection: &mut AnyConnection,
    known: Option<Head>,
    events: Vec<AuditEvent>,
) -> Result<Head, StoreError> {
    let from = match known {
        Some(head) => head,
        None => lock_head(connection).await?,
    };
    let mut end = from;
    let seal = |event| {
        let row = Row::seal(event, end, salts());
        end = row.head();
        row
    };
    let mut rows: Vec<Row> = events.into_iter().map(seal).collect();
    // This also locks the chain in databases that do not lock as a whole.
    if !move_head(connection, from, end).await? {
        let from = lock_head(connection).await?;
        end = from;
        for row in &mut rows {
            row.move_behind(end);
            end = row.head();
        }
        if !move_head(connection, from, end).await? {
            return Err(StoreError::Contended);
        }
    }
    write_rows(connection, &rows).await?;
    Ok(end)
}

/// The last row's number and hash; nobody else moves it until the transaction ends.
pub(super) async fn lock_head(connection: &mut AnyConnection) -> Result<Head, StoreError> {
    let row = sqlx::query("UPDATE audit_head SET seq = seq WHERE id = $1 RETURNING seq, hash")
        .bind(1_i64)
        .fetch_one(connection)
        .await
        .doing("locking the audit log's head")?;
    head(&row)
}

/// Whether the row that `end` was the end with is in the log.
pub(super) async fn holds(connection: &mut AnyConnection, end: Head) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT hash FROM audit WHERE seq = $1").bind(count(end.seq));
    let row = row.fetch_optional(connection).await.doing("looking for a row of the audit log")?;
    let Some(row) = row else { return Ok(false) };
    let hash = bytes(&row, "hash").map_err(|column| StoreError::Corrupt { table: "audit", column })?;
    Ok(hash == Some(end.hash.0))
}

/// Moves the chain's end `from` there `to` here; false when it is not there (any more).
async fn move_head(connection: &mut AnyConnection, from: Head, to: Head) -> Result<bool, StoreError> {
    sqlx::query("UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1 AND seq = $3 AND hash = $4")
        .bind(count(to.seq))
        .bind(to.hash.0.to_vec())
        .bind(count(from.seq))
        .bind(from.hash.0.to_vec())
        .execute(connection)
        .await
        .map(|done| done.rows_affected() == 1)
        .doing("moving the audit log's head")
}

fn head(row: &AnyRow) -> Result<Head, StoreError> {
    let bad = |column| StoreError::Corrupt { table: "audit_head", column };
    let seq: i64 = row.try_get("seq").map_err(|_| bad("seq"))?;
    let hash: Vec<u8> = row.try_get("hash").map_err(|_| bad("hash"))?;
    let seq = u64::try_from(seq).map_err(|_| bad("seq"))?;
    Ok(Head { seq, hash: Hash(hash.try_into().map_err(|_| bad("hash"))?) })
}

impl Work<'_> {
    /// Adds an event to the log. It is written at the end of the transaction, see [`chain`].
    pub(super) fn audit(&mut self, event: AuditEvent) {
        self.events.push(event);
    }
}

/// Writes the rows of a transaction, many in a statement: each statement costs a switch to the
/// database's thread and back, which is dearer than the insert itself.
async fn write_rows(connection: &mut AnyConnection, rows: &[Row]) -> Result<(), StoreError> {
    for lot in lots(rows) {
        let mut insert = sqlx::query(AssertSqlSafe(many(INSERT, 17, lot.len())));
        for row in lot {
            let (about, about_commitment) = columns(row.about.as_ref());
            let (old, old_commitment) = columns(row.old.as_ref());
            let (new, new_commitment) = columns(row.new.as_ref());
            insert = insert
                .bind(count(row.seq))
                .bind(i64::from(row.version))
                .bind(row.at.as_micros())
                .bind(row.class.word())
                .bind(row.who.kind())
                .bind(row.who.name().map(str::to_owned))
                .bind(row.action.to_string())
                .bind(row.what.kind.to_string())
                .bind(row.what.id.clone())
                .bind(row.what.attribute.as_deref().map(str::to_owned))
                .bind(about)
                .bind(about_commitment)
                .bind(old)
                .bind(old_commitment)
                .bind(new)
                .bind(new_commitment)
                .bind(row.hash.0.to_vec());
        }
        insert.execute(&mut *connection).await.doing("writing the audit log")?;
    }
    let personal: Vec<_> = rows.iter().flat_map(openings).collect();
    for lot in lots(&personal) {
        let mut insert = sqlx::query(AssertSqlSafe(many(INSERT_PERSONAL, 4, lot.len())));
        for (seq, field, opening) in lot {
            insert =
                insert.bind(count(*seq)).bind(*field).bind(opening.salt.to_vec()).bind(opening.value.clone());
        }
        insert.execute(&mut *connection).await.doing("writing the audit log")?;
    }
    Ok(())
}

/// The personal values of a row, for the side table.
fn openings(row: &Row) -> impl Iterator<Item = (u64, &'static str, &Opening)> {
    let fields = [("about", &row.about), ("old", &row.old), ("new", &row.new)];
    fields.into_iter().filter_map(|(field, value)| match value {
        Some(Sealed::Personal { opening: Some(opening), .. }) => Some((row.seq, field, opening)),
        Some(Sealed::Personal { opening: None, .. } | Sealed::Plain(_)) | None => None,
    })
}

/// Lots of 32, then 16, 8, 4, 2, 1.
fn lots<T>(mut all: &[T]) -> impl Iterator<Item = &[T]> {
    let mut size = LOT;
    std::iter::from_fn(move || {
        while size > all.len() {
            size /= 2;
        }
        let (lot, rest) = all.split_at_checked(size).filter(|(lot, _)| !lot.is_empty())?;
        all = rest;
        Some(lot)
    })
}

/// `head` with placeholders for `rows` rows of `columns`: `($1, $2), ($3, $4)`.
fn many(head: &str, columns: usize, rows: usize) -> String {
    let row = |n: usize| {
        let numbers: Vec<String> = (1..=columns).map(|column| format!("${}", n * columns + column)).collect();
        format!("({})", numbers.join(", "))
    };
    format!("{head}{}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}

fn columns(value: Option<&Sealed>) -> (Option<String>, Option<Vec<u8>>) {
    match value {
        None => (None, None),
        Some(Sealed::Plain(text)) => (Some(text.clone()), None),
        Some(Sealed::Personal { commitment, .. }) => (None, Some(commitment.0.to_vec())),
    }
}

fn salts() -> [[u8; SALT_LEN]; 3] {
    let mut salts = [[0; SALT_LEN]; 3];
    rand::fill(salts.as_flattened_mut()).expect("the system has random bytes");
    salts
}

impl Store {
    /// The audit log, newest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query(select_rows!(
            "WHERE ($1 IS NULL OR a.at >= $1) AND ($2 IS NULL OR a.class = $2) \
             AND ($3 IS NULL OR a.object_id = $3 OR a.object_id LIKE $3 || '/%') \
             AND ($4 IS NULL OR a.action = $4) AND ($5 IS NULL OR a.seq < $5) \
             ORDER BY a.seq DESC LIMIT $6"
        ))
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.class.map(|class| class.word().to_owned()))
        .bind(filter.object.clone())
        .bind(filter.action.clone())
        .bind(filter.before.map(count))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.read)
        .await
        .doing("reading the audit log")?;
        rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
    }

    /// Where in the audit log the last event of this action about this object is.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn audit_position(&self, object: &str, action: &str) -> Result<Option<Head>, StoreError> {
        let select =
            "SELECT seq, hash FROM audit WHERE object_id = $1 AND action = $2 ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query(select).bind(object.to_owned()).bind(action.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("looking for a row of the audit log")?;
        row.map(|row| head(&row)).transpose()
    }

    /// Proves the audit log whole, from its first row to what its head says now. Rows are read page
    /// by page and never change, so calls may go on meanwhile. `progress` hears of rows done and
    /// rows in all.
    ///
    /// # Errors
    /// [`StoreError::Broken`] names the first broken link.
    pub async fn verify_audit(
        &self,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<AuditProof, StoreError> {
        let (head, last) = self.bounds().await?;
        let mut verifier = Verifier::default();
        while verifier.rows() < head.seq {
            let page = sqlx::query(select_rows!("WHERE a.seq > $1 AND a.seq <= $2 ORDER BY a.seq LIMIT $3"))
                .bind(count(verifier.rows()))
                .bind(count(head.seq))
                .bind(PAGE)
                .fetch_all(&self.read)
                .await
                .doing("reading the audit log")?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                verifier.push(&read(row)?)?;
            }
            progress(verifier.rows(), head.seq);
        }
        let proof = verifier.finish(head)?;
        if last > head.seq {
            return Err(BrokenLink { seq: head.seq + 1, why: Why::Head { head: head.seq } }.into());
        }
        Ok(proof)
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

/// A row as it lies in the tables; what Sayso never writes is a broken link.
fn read(row: &AnyRow) -> Result<Row, BrokenLink> {
    let number = |column: &'static str| {
        row.try_get::<i64, _>(column).map_err(|_| BrokenLink { seq: 0, why: Why::Unreadable { column } })
    };
    let seq = number("seq").and_then(|seq| {
        u64::try_from(seq).map_err(|_| BrokenLink { seq: 0, why: Why::Unreadable { column: "seq" } })
    })?;
    let fault = |column: &'static str| BrokenLink { seq, why: Why::Unreadable { column } };
    let text = |column: &'static str| row.try_get::<Option<String>, _>(column).map_err(|_| fault(column));
    let needed = |column: &'static str| text(column)?.ok_or_else(|| fault(column));
    let version = row.try_get::<i64, _>("version").ok().and_then(|version| u8::try_from(version).ok());
    Ok(Row {
        seq,
        version: version.ok_or_else(|| fault("version"))?,
        class: Class::from_word(&needed("class")?).ok_or_else(|| fault("class"))?,
        who: Actor::from_parts(&needed("actor_kind")?, text("actor")?).ok_or_else(|| fault("actor"))?,
        at: Timestamp::from_micros(row.try_get("at").map_err(|_| fault("at"))?),
        action: needed("action")?.into(),
        what: Object {
            kind: needed("object_kind")?.into(),
            id: needed("object_id")?,
            attribute: text("attribute")?.map(Cow::Owned),
        },
        about: sealed(row, ["about", "about_commitment", "about_salt", "about_value"]).map_err(fault)?,
        old: sealed(row, ["old", "old_commitment", "old_salt", "old_value"]).map_err(fault)?,
        new: sealed(row, ["new", "new_commitment", "new_salt", "new_value"]).map_err(fault)?,
        hash: Hash(bytes(row, "hash").map_err(fault)?.ok_or_else(|| fault("hash"))?),
    })
}

fn sealed(row: &AnyRow, columns: [&'static str; 4]) -> Result<Option<Sealed>, &'static str> {
    let [plain, commitment, salt, value] = columns;
    let text = |column| row.try_get::<Option<String>, _>(column).map_err(|_| column);
    match (text(plain)?, bytes(row, commitment)?) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Sealed::Plain(text))),
        (None, Some(commitment)) => {
            let opening = match (bytes(row, salt)?, text(value)?) {
                (None, None) => None,
                (Some(salt), Some(value)) => Some(Opening { salt, value }),
                (Some(_), None) | (None, Some(_)) => return Err(value),
            };
            Ok(Some(Sealed::Personal { commitment: Hash(commitment), opening }))
        }
        (Some(_), Some(_)) => Err(plain),
    }
}

fn bytes<const N: usize>(row: &AnyRow, column: &'static str) -> Result<Option<[u8; N]>, &'static str> {
    let bytes: Option<Vec<u8>> = row.try_get(column).map_err(|_| column)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_| column)).transpose()
}
