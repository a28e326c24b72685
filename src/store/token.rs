//! Tokens for machines (domain rule 23): which there are, whose they are, what they open.

use sqlx::any::AnyRow;

use crate::access::Right;
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page};
use super::query::Cells;
use super::writer::Work;

/// A token for machines, without what opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// Who made it.
    pub maker: String,
    /// Its scopes.
    pub rights: Vec<Right>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used last, to the minute.
    pub used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl TokenRow {
    /// Whether it opens anything.
    #[must_use]
    pub fn lives(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && now < self.expires
    }
}

impl Work<'_> {
    /// Writes a token.
    pub(super) async fn make_token(&mut self, token: &TokenRow, hash: &str) -> Result<(), StoreError> {
        let words: Vec<&str> = token.rights.iter().map(|right| right.word()).collect();
        let insert = "INSERT INTO tokens (id, hash, name, maker, rights, created, expires) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let insert = sqlx::query(insert)
            .bind(token.id.clone())
            .bind(hash.to_owned())
            .bind(token.name.clone())
            .bind(token.maker.clone())
            .bind(words.join(" "))
            .bind(token.created.as_micros())
            .bind(token.expires.as_micros());
        self.execute(insert).await
    }
}

impl Store {
    /// The token of this hash (SHA-256, hex).
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE hash = $1").bind(hash.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("reading a token")?;
        row.as_ref().map(read_token).transpose()
    }

    /// The tokens, revoked and ended ones too; the latest first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn tokens(&self, after: Option<Cursor>, limit: u32) -> Result<Page<TokenRow>, StoreError> {
        let after = after.unwrap_or_else(Cursor::start);
        let select =
            "SELECT * FROM tokens WHERE (created, id) < ($1, $2) ORDER BY created DESC, id DESC LIMIT $3";
        let rows = sqlx::query(select).bind(after.at).bind(after.id).bind(i64::from(limit) + 1);
        let rows = rows.fetch_all(&self.read).await.doing("reading tokens")?;
        let rows: Vec<TokenRow> = rows.iter().map(read_token).collect::<Result<_, _>>()?;
        Ok(Page::of(rows, limit, |row| Cursor { at: row.created.as_micros(), id: row.id.clone() }))
    }

    /// One token by its id.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn token_of(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE id = $1").bind(id.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("reading a token")?;
        row.as_ref().map(read_token).transpose()
    }
}

fn read_token(row: &AnyRow) -> Result<TokenRow, StoreError> {
    let cells = Cells { table: "tokens", row };
    let words: String = cells.get("rights")?;
    Ok(TokenRow {
        id: cells.get("id")?,
        name: cells.get("name")?,
        maker: cells.get("maker")?,
        // A right that there is no more opens nothing.
        rights: words.split(' ').filter_map(Right::from_word).collect(),
        created: cells.time("created")?,
        expires: cells.time("expires")?,
        used: cells.maybe_time("used")?,
        revoked: cells.maybe_time("revoked")?,
    })
}
