//! Which rows say something of restricted people (domain rule 20): of their calls and recordings, or under their numbers.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use crate::audit::{Row, Sealed};
use crate::ids::PhoneNumber;

use super::super::Store;
use super::super::error::{Doing as _, StoreError};
use super::super::many::{count_up, lots};

const DOING: &str = "looking for restricted calls";

/// `{}`: the ids or numbers that are asked about.
const CALLS: &str = "SELECT id FROM calls WHERE restricted_at IS NOT NULL AND id IN ({})";
const RECORDINGS: &str = "SELECT r.id FROM recordings r JOIN calls c ON c.id = r.call \
     WHERE c.restricted_at IS NOT NULL AND r.id IN ({})";
const NUMBERS: &str =
    "SELECT DISTINCT from_number FROM calls WHERE restricted_at IS NOT NULL AND from_number IN ({})";

impl Store {
    /// The numbers of those rows.
    pub(super) async fn of_restricted(
        &self,
        rows: impl IntoIterator<Item = &Row>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let rows: Vec<&Row> = rows.into_iter().collect();
        let all = |find: fn(&Row) -> Vec<&str>| -> BTreeSet<&str> {
            rows.iter().flat_map(|row| find(row)).collect()
        };
        let calls = self.among(CALLS, all(|row| call(row).into_iter().collect())).await?;
        let recordings = self.among(RECORDINGS, all(|row| recording(row).into_iter().collect())).await?;
        let numbers = self.among(NUMBERS, all(numbers)).await?;
        let restricted = |row: &&&Row| {
            call(row).is_some_and(|id| calls.contains(id))
                || recording(row).is_some_and(|id| recordings.contains(id))
                || self::numbers(row).into_iter().any(|number| numbers.contains(number))
        };
        Ok(rows.iter().filter(restricted).map(|row| row.seq).collect())
    }

    /// Whether somebody with this number is restricted.
    pub(super) async fn is_restricted(&self, number: &PhoneNumber) -> Result<bool, StoreError> {
        Ok(!self.among(NUMBERS, [number.as_e164()].into()).await?.is_empty())
    }

    async fn among(&self, select: &str, asked: BTreeSet<&str>) -> Result<BTreeSet<String>, StoreError> {
        let asked: Vec<&str> = asked.into_iter().collect();
        let mut found = BTreeSet::new();
        for lot in lots(&asked) {
            let select = select.replace("{}", &count_up(lot.len()));
            let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(select));
            for asked in lot {
                query = query.bind((*asked).to_owned());
            }
            found.extend(query.fetch_all(&self.read).await.doing(DOING)?);
        }
        Ok(found)
    }
}

/// The call a row is about, or whose leg or consent.
fn call(row: &Row) -> Option<&str> {
    ["call", "leg", "consent"]
        .contains(&row.what.kind.as_ref())
        .then(|| row.what.id.split('/').next().unwrap_or_default())
}

fn recording(row: &Row) -> Option<&str> {
    (row.what.kind == "recording").then_some(row.what.id.as_str())
}

/// The numbers a row tells, and what looks like one.
fn numbers(row: &Row) -> Vec<&str> {
    let values = [&row.about, &row.old, &row.new].into_iter().flatten();
    values.filter_map(Sealed::text).filter(|text| text.starts_with('+')).collect()
}
