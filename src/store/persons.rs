//! Keys of persons: what the audit log says of somebody is sealed under a key of their own, and is erased by destroying
//! it. The chain holds salted commitments only and stays whole.
//!
//! Keys are read in the transaction that seals with them, behind the lock of the chain's head: no key that another node
//! destroyed meanwhile is used from a memory of it.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use crate::audit::{Actor, AuditEvent, Class, Head, Object, Opening, Person, Row, SALT_LEN, Sealed, Value};
use crate::ids::CallId;
use crate::privacy::ANONYMIZED;
use crate::time::Timestamp;

use super::audit::lock_head;
use super::dialect::Dialect;
use super::error::{Doing as _, StoreError};
use super::many::{Many, count_up, filled, lots, rows_of};
use super::query::count;
use super::writer::Work;

/// Octets of the secret, of a lookup and of a key.
const LEN: usize = 32;
/// Rows of an older Sayso that are sealed in one transaction.
const OLD: i64 = 500;

const DOING: &str = "reading keys of persons";

static FIND: Many = Many::items("SELECT id, lookup, key FROM persons WHERE lookup IN (", ")");
static MAKE: Many = Many::rows(
    "INSERT INTO persons (lookup, key) VALUES ",
    2,
    " ON CONFLICT (lookup) DO NOTHING RETURNING id, lookup, key",
);
static SEALED: Many = Many::rows("INSERT INTO audit_sealed (seq, person, sealed) VALUES ", 3, "");

/// What a person is known by: HMAC-SHA256 under the secret of the database.
pub(super) type Lookup = [u8; LEN];

/// The secret of a database.
#[derive(Clone)]
pub(super) struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads it, and draws it when there is none yet.
    pub(super) async fn of(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        const DOING: &str = "reading the secret of the database";
        let mut drawn = [0; LEN];
        fill(&mut drawn);
        sqlx::query("INSERT INTO audit_secret (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(drawn.to_vec())
            .execute(&mut *connection)
            .await
            .doing(DOING)?;
        let secret: Vec<u8> = sqlx::query_scalar("SELECT secret FROM audit_secret WHERE id = 1")
            .fetch_one(connection)
            .await
            .doing(DOING)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    pub(super) fn lookup(&self, person: &Person) -> Lookup {
        let mut lookup = [0; LEN];
        lookup.copy_from_slice(hmac::sign(&self.0, &person.octets()).as_ref());
        lookup
    }
}

/// A person's key as it is stored.
#[derive(Clone, Copy)]
struct Key {
    person: i64,
    octets: [u8; LEN],
}

/// What is written beside a row of the log.
pub(super) struct SealedRow {
    pub(super) seq: u64,
    pub(super) person: i64,
    pub(super) sealed: Vec<u8>,
}

/// Seals the personal values of rows, each row's under its person's key; keys that are not there are made. The head of
/// the chain must be locked.
pub(super) async fn seal(
    connection: &mut AnyConnection,
    dialect: Dialect,
    secret: &Secret,
    rows: &[Row],
) -> Result<Vec<SealedRow>, StoreError> {
    let wanted: Vec<(&Row, Lookup)> =
        rows.iter().filter_map(|row| Some((row, secret.lookup(&row.person()?)))).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut lookups: Vec<Lookup> = wanted.iter().map(|(_, lookup)| *lookup).collect();
    lookups.sort_unstable();
    lookups.dedup();
    let mut keys = find(connection, dialect, &lookups).await?;
    let missing: Vec<Lookup> = lookups.into_iter().filter(|lookup| !keys.contains_key(lookup)).collect();
    make(connection, dialect, &missing, &mut keys).await?;
    let sealed = |(row, lookup): (&Row, Lookup)| {
        let key = keys.get(&lookup).ok_or(StoreError::Contended)?;
        Ok(SealedRow { seq: row.seq, person: key.person, sealed: close(&key.octets, row) })
    };
    wanted.into_iter().map(sealed).collect()
}

/// The keys there are.
async fn find(
    connection: &mut AnyConnection,
    dialect: Dialect,
    lookups: &[Lookup],
) -> Result<HashMap<Lookup, Key>, StoreError> {
    let mut keys = HashMap::with_capacity(lookups.len());
    for lot in filled(lookups) {
        let select = rows_of(lot).fold(sqlx::query(FIND.text(dialect, lot.1)), |select, lookup| {
            select.bind(lookup.map(|lookup| lookup.to_vec()))
        });
        for row in select.fetch_all(&mut *connection).await.doing(DOING)? {
            let key = Key { person: number(&row)?, octets: octets(&row, "key")? };
            keys.insert(octets(&row, "lookup")?, key);
        }
    }
    Ok(keys)
}

/// Makes keys.
async fn make(
    connection: &mut AnyConnection,
    dialect: Dialect,
    missing: &[Lookup],
    keys: &mut HashMap<Lookup, Key>,
) -> Result<(), StoreError> {
    for lot in lots(missing) {
        let mut insert = sqlx::query(MAKE.text(dialect, lot.len()));
        for lookup in lot {
            let mut key = [0; LEN];
            fill(&mut key);
            insert = insert.bind(lookup.to_vec()).bind(key.to_vec());
        }
        for row in insert.fetch_all(&mut *connection).await.doing("making keys of persons")? {
            let key = Key { person: number(&row)?, octets: octets(&row, "key")? };
            keys.insert(octets(&row, "lookup")?, key);
        }
    }
    Ok(())
}

/// Nonce, ciphertext, tag. What is sealed: for each of `about`, `old`, `new` a 0, or a 1, the salt, the length of the
/// value (4 octets, big-endian) and the value. The row's number is authenticated beside it.
fn close(key: &[u8; LEN], row: &Row) -> Vec<u8> {
    let mut plain = Vec::with_capacity(64);
    for opening in row.openings() {
        let Some(Opening { salt, value }) = opening else {
            plain.push(0);
            continue;
        };
        plain.push(1);
        plain.extend_from_slice(salt);
        plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        plain.extend_from_slice(value.as_bytes());
    }
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce);
    let aad = Aad::from(row.seq.to_be_bytes());
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut plain)
        .expect("a value of the log is far shorter than the 64 GiB that AES-GCM takes");
    [nonce.as_slice(), &plain].concat()
}

/// The openings of `about`, `old`, `new`; `None`: it was changed.
pub(super) fn open(key: &[u8], seq: u64, sealed: &[u8]) -> Option<[Option<Opening>; 3]> {
    let key: &[u8; LEN] = key.try_into().ok()?;
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    let mut text = text.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut rest: &[u8] = cipher(key).open_in_place(nonce, Aad::from(seq.to_be_bytes()), &mut text).ok()?;
    let mut openings = [None, None, None];
    for opening in &mut openings {
        let (there, more) = rest.split_first()?;
        rest = more;
        if *there == 1 {
            let (salt, more) = rest.split_first_chunk::<SALT_LEN>()?;
            let (len, more) = more.split_first_chunk::<4>()?;
            let (value, more) = more.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
            *opening = Some(Opening { salt: *salt, value: std::str::from_utf8(value).ok()?.to_owned() });
            rest = more;
        }
    }
    rest.is_empty().then_some(openings)
}

fn cipher(key: &[u8; LEN]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 octets"))
}

fn fill(octets: &mut [u8]) {
    rand::fill(octets).expect("the system has random bytes");
}

fn number(row: &AnyRow) -> Result<i64, StoreError> {
    row.try_get("id").map_err(|_| StoreError::Corrupt { table: "persons", column: "id" })
}

fn octets(row: &AnyRow, column: &'static str) -> Result<[u8; LEN], StoreError> {
    let octets: Option<Vec<u8>> = row.try_get(column).ok();
    octets.and_then(|octets| octets.try_into().ok()).ok_or(StoreError::Corrupt { table: "persons", column })
}

/// Whose values were erased in a transaction: what it is about to write of them must not come back under a new key.
#[derive(Default)]
pub(super) struct Erased {
    lookups: Vec<Lookup>,
    /// Objects, and all whose id begins with theirs and a slash.
    objects: Vec<String>,
}

impl Erased {
    /// Replaces what is personal in events of before.
    pub(super) fn scrub(&self, secret: &Secret, events: &mut [AuditEvent]) {
        if self.lookups.is_empty() && self.objects.is_empty() {
            return;
        }
        for event in events {
            let id = &event.what.id;
            let of_object = |object: &String| {
                id.strip_prefix(object.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            // Under whose key it would come.
            let person = || Row::seal(event.clone(), Head::EMPTY, [[0; SALT_LEN]; 3]).person();
            let gone = self.objects.iter().any(of_object)
                || person().is_some_and(|person| self.lookups.contains(&secret.lookup(&person)));
            if gone {
                for value in [&mut event.about, &mut event.old, &mut event.new] {
                    if let Some(Value::Personal(text)) = value {
                        ANONYMIZED.clone_into(text);
                    }
                }
            }
        }
    }
}

impl Work<'_> {
    /// Destroys a person's key: what the log says of them is erased.
    pub(super) async fn erase_person(&mut self, person: &Person, by: &Actor) -> Result<(), StoreError> {
        let lookup = self.secret.lookup(person);
        self.erased.lookups.push(lookup);
        let erased: Option<i64> = sqlx::query_scalar("DELETE FROM persons WHERE lookup = $1 RETURNING id")
            .bind(lookup.to_vec())
            .fetch_optional(&mut *self.connection)
            .await
            .doing("destroying a person's key")?;
        if let Some(id) = erased {
            let what = Object::new("person", id).attribute("key");
            let event = AuditEvent::new(Class::Modify, by.clone(), self.now, "person.erased", what);
            self.audit(event.old(Some(Value::plain("a key"))).new_value(Some(Value::plain("destroyed"))));
        }
        Ok(())
    }

    /// Erases what the log says of people in these calls: their numbers in rows of the calls, and all texts about the
    /// calls, their legs and recordings. What it says of the same people elsewhere stays.
    pub(super) async fn erase_personal_of(
        &mut self,
        calls: &[CallId],
        rows: LogRows,
    ) -> Result<(), StoreError> {
        for call in calls {
            let recordings: Vec<String> = sqlx::query_scalar("SELECT id FROM recordings WHERE call = $1")
                .bind(call.to_string())
                .fetch_all(&mut *self.connection)
                .await
                .doing("looking for a call's recordings")?;
            let mut people = vec![Person::call(*call)];
            people.extend(recordings.iter().map(|id| Person::object("recording", id.clone())));
            for person in &people {
                let lookup = self.secret.lookup(person);
                self.erased.lookups.push(lookup);
                sqlx::query("DELETE FROM persons WHERE lookup = $1")
                    .bind(lookup.to_vec())
                    .execute(&mut *self.connection)
                    .await
                    .doing("destroying the key of a call")?;
            }
            for object in recordings.iter().chain([&call.to_string()]) {
                self.erase_rows_of(object, rows).await?;
            }
        }
        Ok(())
    }

    /// Removes the sealed values of an object's rows, and of those whose id begins with its id and a slash: legs.
    pub(super) async fn erase_rows_of(&mut self, object: &str, rows: LogRows) -> Result<(), StoreError> {
        if rows != LogRows::Consents {
            self.erased.objects.push(object.to_owned());
        }
        const DOING: &str = "erasing values of the audit log";
        let erase = |which: &str| {
            let rows = rows.condition();
            format!("DELETE FROM audit_sealed WHERE seq IN (SELECT seq FROM audit WHERE {which}{rows})")
        };
        let exact = sqlx::query(AssertSqlSafe(erase("object_id = $1"))).bind(object.to_owned());
        exact.execute(&mut *self.connection).await.doing(DOING)?;
        // The octet behind `/` is `0`: a range, which an index takes.
        let below = sqlx::query(AssertSqlSafe(erase("object_id >= $1 AND object_id < $2")));
        let below = below.bind(format!("{object}/")).bind(format!("{object}0"));
        below.execute(&mut *self.connection).await.map(drop).doing(DOING)
    }
}

/// Which rows of the audit log lose their sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogRows {
    /// All.
    All,
    /// Those of consents stay: each is the proof of one (domain rule 16).
    AllButConsents,
    /// Those of consents alone.
    Consents,
}

impl LogRows {
    /// Behind other conditions on `audit`.
    const fn condition(self) -> &'static str {
        match self {
            Self::All => "",
            Self::AllButConsents => {
                " AND object_kind <> 'consent' AND (attribute IS NULL OR attribute <> 'consent')"
            }
            Self::Consents => " AND (object_kind = 'consent' OR attribute = 'consent')",
        }
    }
}

/// Seals what an older Sayso wrote in plain, so many rows in a transaction; a crash in between leaves the rest for the
/// next start. Nothing is to be done in a database that is up to date.
pub(super) async fn seal_old(
    connection: &mut AnyConnection,
    dialect: Dialect,
    secret: &Secret,
) -> Result<(), StoreError> {
    const DOING: &str = "sealing personal values of the audit log";
    let (mut after, mut sealed) = (0, 0);
    loop {
        let select = "SELECT seq FROM audit_personal WHERE seq > $1 ORDER BY seq LIMIT 1";
        let waits: Option<i64> =
            sqlx::query_scalar(select).bind(after).fetch_optional(&mut *connection).await.doing(DOING)?;
        if waits.is_none() {
            break;
        }
        let mut transaction = connection.begin_with(dialect.begin_write()).await.doing(DOING)?;
        lock_head(&mut transaction).await?;
        let (rows, last) = old_rows(&mut transaction, after).await?;
        let values = seal(&mut transaction, dialect, secret, &rows).await?;
        write(&mut transaction, dialect, &values).await?;
        for lot in lots(&rows) {
            let delete = format!("DELETE FROM audit_personal WHERE seq IN ({})", count_up(lot.len()));
            let mut delete = sqlx::query(AssertSqlSafe(delete));
            for row in lot {
                delete = delete.bind(count(row.seq));
            }
            delete.execute(&mut *transaction).await.doing(DOING)?;
        }
        transaction.commit().await.doing(DOING)?;
        sealed += rows.len();
        // Another node may have sealed them meanwhile; those that cannot be read stay as they are.
        after = last.unwrap_or(after);
        if last.is_none() {
            break;
        }
    }
    if sealed > 0 {
        tracing::info!(rows = sealed, "personal values of the audit log are sealed under keys of their own");
    }
    Ok(())
}

/// The next rows of an older Sayso with what sealing takes of them, and the number of the last that was looked at.
async fn old_rows(connection: &mut AnyConnection, after: i64) -> Result<(Vec<Row>, Option<i64>), StoreError> {
    let select = "SELECT p.seq, p.field, p.salt, p.value, a.object_kind, a.object_id FROM audit_personal p \
                  JOIN audit a ON a.seq = p.seq WHERE p.seq IN (SELECT DISTINCT o.seq FROM audit_personal o \
                  WHERE o.seq > $1 ORDER BY o.seq LIMIT $2) ORDER BY p.seq";
    let cells = sqlx::query(select).bind(after).bind(OLD).fetch_all(&mut *connection).await;
    let mut rows: Vec<Row> = Vec::new();
    let mut last = None;
    for cell in cells.doing("reading personal values of the audit log")? {
        let seq: i64 = cell
            .try_get("seq")
            .map_err(|_| StoreError::Corrupt { table: "audit_personal", column: "seq" })?;
        last = Some(seq);
        let Some((seq, field, value, what)) = old_value(&cell) else { continue };
        if rows.last().is_none_or(|row| row.seq != seq) {
            // Only what sealing looks at is as it was written.
            let event =
                AuditEvent::new(Class::Modify, Actor::System, Timestamp::from_micros(0), "", what.clone());
            rows.push(Row { seq, ..Row::seal(event, Head::EMPTY, [[0; SALT_LEN]; 3]) });
        }
        let Some(row) = rows.last_mut() else { continue };
        match field.as_str() {
            "about" => row.about = Some(value),
            "old" => row.old = Some(value),
            _ => row.new = Some(value),
        }
    }
    Ok((rows, last))
}

fn old_value(cell: &AnyRow) -> Option<(u64, String, Sealed, Object)> {
    let text = |column: &str| cell.try_get::<String, _>(column).ok();
    let seq = cell.try_get::<i64, _>("seq").ok().and_then(|seq| u64::try_from(seq).ok())?;
    let salt: [u8; SALT_LEN] = cell.try_get::<Vec<u8>, _>("salt").ok()?.try_into().ok()?;
    let opening = Opening { salt, value: text("value")? };
    let value = Sealed::Personal { commitment: opening.commitment(), opening: Some(opening) };
    Some((seq, text("field")?, value, Object::new(text("object_kind")?, text("object_id")?)))
}

/// Writes sealed values beside their rows.
pub(super) async fn write(
    connection: &mut AnyConnection,
    dialect: Dialect,
    sealed: &[SealedRow],
) -> Result<(), StoreError> {
    for lot in lots(sealed) {
        let mut insert = sqlx::query(SEALED.text(dialect, lot.len()));
        for SealedRow { seq, person, sealed } in lot {
            insert = insert.bind(count(*seq)).bind(*person).bind(sealed.clone());
        }
        insert.execute(&mut *connection).await.doing("writing the audit log")?;
    }
    Ok(())
}

/// Puts openings into the commitments they belong to.
pub(super) fn put_openings(values: [&mut Option<Sealed>; 3], openings: [Option<Opening>; 3]) {
    for (value, found) in values.into_iter().zip(openings) {
        if let Some(Sealed::Personal { opening, .. }) = value {
            *opening = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let at = Timestamp::from_micros(1);
        let event = AuditEvent::new(Class::Modify, Actor::System, at, "x.y", Object::new("call", 1));
        let event = event.about(Some("+4930123")).new_value(Some(Value::Personal("a reason".to_owned())));
        Row::seal(event, Head::EMPTY, [[1; 16], [2; 16], [3; 16]])
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_and_number_alone() {
        let (key, row) = ([7; LEN], row());
        let sealed = close(&key, &row);
        let opened = open(&key, row.seq, &sealed).expect("opens");
        assert_eq!(opened.each_ref().map(Option::as_ref), row.openings());
        assert!(open(&[8; LEN], row.seq, &sealed).is_none(), "another key");
        assert!(open(&key, row.seq + 1, &sealed).is_none(), "another row");
        for n in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[n] ^= 1;
            assert!(open(&key, row.seq, &changed).is_none(), "octet {n}");
            assert!(open(&key, row.seq, &sealed[..n]).is_none(), "cut at {n}");
        }
        assert_ne!(close(&key, &row), sealed, "no nonce twice");
        assert!(!sealed.windows(4).any(|four| four == b"4930"));
    }
}
