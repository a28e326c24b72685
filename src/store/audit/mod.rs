//! The audit log's tables: chaining a row, reading rows back (`list`), what they say
//! of restricted people (`restricted`), proving the whole (`proof`).

mod list;
mod proof;
mod restricted;

use std::borrow::Cow;

use aws_lc_rs::rand;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::audit::{Actor, AuditEvent, BrokenLink, Class, Hash, Head, Object, Row, SALT_LEN, Sealed, Why};
use crate::time::Timestamp;

use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};
use super::many::{Many, lots};
use super::persons::{self, Secret, put_openings};
use super::query::count;
use super::writer::Work;

pub use list::AuditFilter;

static INSERT: Many = Many::rows(
    "INSERT INTO audit (seq, version, at, class, actor_kind, actor, action, object_kind, object_id, attribute, \
     about, about_commitment, old, old_commitment, new, new_commitment, hash) VALUES ",
    17,
    "",
);

/// Rows with their personal values, as [`read`] takes them.
const SELECT: &str = "SELECT a.seq, a.version, a.at, a.class, a.actor_kind, a.actor, a.action, a.object_kind, \
     a.object_id, a.attribute, a.about, a.about_commitment, a.old, a.old_commitment, a.new, a.new_commitment, \
     a.hash, s.sealed, p.key FROM audit a LEFT JOIN audit_sealed s ON s.seq = a.seq \
     LEFT JOIN persons p ON p.id = s.person";

/// Gives events their places at the end of the chain and writes their rows; the new end. `known` is where
/// the chain ended when this process looked last. If another has moved it since, it is locked where it is now
/// and the rows take their places there; so nobody has to begin anew, however many nodes write.
pub(super) async fn chain(
    connection: &mut AnyConnection,
    dialect: Dialect,
    known: Option<Head>,
    events: Vec<AuditEvent>,
    secret: &Secret,
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
    write_rows(connection, dialect, &rows).await?;
    let sealed = persons::seal(connection, dialect, secret, &rows).await?;
    persons::write(connection, dialect, &sealed).await?;
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

/// Writes the rows of a transaction, many in a statement.
async fn write_rows(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: &[Row],
) -> Result<(), StoreError> {
    for lot in lots(rows) {
        let mut insert = sqlx::query(INSERT.text(dialect, lot.len()));
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
    Ok(())
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
    let mut read = Row {
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
        about: value(row, "about", "about_commitment").map_err(fault)?,
        old: value(row, "old", "old_commitment").map_err(fault)?,
        new: value(row, "new", "new_commitment").map_err(fault)?,
        hash: Hash(bytes(row, "hash").map_err(fault)?.ok_or_else(|| fault("hash"))?),
    };
    open(row, &mut read)?;
    Ok(read)
}

/// Opens the personal values of a row, unless the key of the person they are about is gone.
fn open(cells: &AnyRow, row: &mut Row) -> Result<(), BrokenLink> {
    let values = [("about", &row.about), ("old", &row.old), ("new", &row.new)];
    let personal = |(_, value): &&(_, &Option<Sealed>)| matches!(value, Some(Sealed::Personal { .. }));
    let Some((field, _)) = values.iter().find(personal).copied() else { return Ok(()) };
    let octets = |column: &'static str| {
        let octets = cells.try_get::<Option<Vec<u8>>, _>(column);
        octets.map_err(|_| BrokenLink { seq: row.seq, why: Why::Unreadable { column } })
    };
    let (Some(sealed), Some(key)) = (octets("sealed")?, octets("key")?) else { return Ok(()) };
    let openings = persons::open(&key, row.seq, &sealed);
    let openings = openings.ok_or(BrokenLink { seq: row.seq, why: Why::Personal { field } })?;
    put_openings([&mut row.about, &mut row.old, &mut row.new], openings);
    Ok(())
}

fn value(
    row: &AnyRow,
    plain: &'static str,
    commitment: &'static str,
) -> Result<Option<Sealed>, &'static str> {
    let text = row.try_get::<Option<String>, _>(plain).map_err(|_| plain)?;
    match (text, bytes(row, commitment)?) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Sealed::Plain(text))),
        (None, Some(commitment)) => {
            Ok(Some(Sealed::Personal { commitment: Hash(commitment), opening: None }))
        }
        (Some(_), Some(_)) => Err(plain),
    }
}

fn bytes<const N: usize>(row: &AnyRow, column: &'static str) -> Result<Option<[u8; N]>, &'static str> {
    let bytes: Option<Vec<u8>> = row.try_get(column).map_err(|_| column)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_| column)).transpose()
}
