//! Statements for many rows at once: each statement costs a switch to the database's thread and back, which is dearer
//! than what it does with a row.

use std::sync::OnceLock;

use super::dialect::Dialect;

/// Rows of one statement at most.
const LOT: usize = 32;

/// Sizes of a lot that is filled up.
const FILLED: [usize; 4] = [1, 4, 16, LOT];

/// Texts of a statement by the size of its lot, from 1 to 32 in powers of two.
type Texts = [OnceLock<String>; SIZES];
const SIZES: usize = LOT.ilog2() as usize + 1;

/// A statement for many rows. Its texts are made once for each size of a lot, of which there are few, so that few are to
/// be prepared.
pub(super) struct Many {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    /// Whether each row has parentheses of its own.
    is_rows: bool,
    sqlite: Texts,
    postgres: Texts,
}

impl Many {
    /// `head ($1, $2), ($3, $4) tail`.
    pub(super) const fn rows(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self::new(head, columns, tail, true)
    }

    /// `head $1, $2 tail`: the items of an `IN (…)`.
    pub(super) const fn items(head: &'static str, tail: &'static str) -> Self {
        Self::new(head, 1, tail, false)
    }

    const fn new(head: &'static str, columns: usize, tail: &'static str, is_rows: bool) -> Self {
        let sqlite = [const { OnceLock::new() }; SIZES];
        Self { head, columns, tail, is_rows, sqlite, postgres: [const { OnceLock::new() }; SIZES] }
    }

    /// The text for a lot of [`lots`] or [`filled`].
    pub(super) fn text(&'static self, dialect: Dialect, rows: usize) -> &'static str {
        let texts = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        texts[rows.ilog2() as usize].get_or_init(|| self.write(dialect, rows))
    }

    fn write(&self, dialect: Dialect, rows: usize) -> String {
        let value = |n: usize| match dialect {
            // sqlx looks each numbered one up by its name, one after the other.
            Dialect::Sqlite => "?".to_owned(),
            Dialect::Postgres => format!("${n}"),
        };
        let row = |n: usize| {
            let first = n * self.columns + 1;
            let values: Vec<String> = (first..first + self.columns).map(value).collect();
            let values = values.join(", ");
            if self.is_rows { format!("({values})") } else { values }
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("{}{}{}", self.head, rows.join(", "), self.tail)
    }
}

/// Lots of 32, then 16, 8, 4, 2, 1.
pub(super) fn lots<T>(mut all: &[T]) -> impl Iterator<Item = &[T]> {
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

/// Lots of at most 32, and how many rows their statement is for: what is behind the lot's end is NULL, where that
/// changes and finds nothing.
pub(super) fn filled<T>(all: &[T]) -> impl Iterator<Item = (&[T], usize)> {
    let size = |lot: &[T]| FILLED.into_iter().find(|size| *size >= lot.len()).unwrap_or(LOT);
    all.chunks(LOT).map(move |lot| (lot, size(lot)))
}

/// The rows of a filled lot.
pub(super) fn rows_of<T>((lot, size): (&[T], usize)) -> impl Iterator<Item = Option<&T>> {
    (0..size).map(|n| lot.get(n))
}

/// `$1, $2, $3`.
pub(super) fn count_up(placeholders: usize) -> String {
    (1..=placeholders).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_each_database_takes() {
        static ROWS: Many = Many::rows("VALUES ", 2, " DONE");
        static ITEMS: Many = Many::items("IN (", ")");
        assert_eq!(ROWS.text(Dialect::Postgres, 2), "VALUES ($1, $2), ($3, $4) DONE");
        assert_eq!(ROWS.text(Dialect::Sqlite, 2), "VALUES (?, ?), (?, ?) DONE");
        assert_eq!(ITEMS.text(Dialect::Postgres, 4), "IN ($1, $2, $3, $4)");
        assert_eq!(ITEMS.text(Dialect::Sqlite, 1), "IN (?)");
        assert_eq!(ROWS.text(Dialect::Sqlite, 32).matches('?').count(), 64);
    }

    #[test]
    fn every_row_is_in_one_lot_whose_text_there_is() {
        for count in 0..100 {
            let all: Vec<usize> = (0..count).collect();
            assert_eq!(lots(&all).flatten().copied().collect::<Vec<_>>(), all);
            assert!(lots(&all).all(|lot| lot.len().is_power_of_two() && lot.len() <= LOT));
            assert_eq!(filled(&all).flat_map(rows_of).flatten().copied().collect::<Vec<_>>(), all);
            assert!(filled(&all).all(|(lot, size)| size.is_power_of_two() && lot.len() <= size));
        }
        assert_eq!(filled(&[(); 17]).map(|(_, size)| size).collect::<Vec<_>>(), [32]);
        assert_eq!(rows_of((&[7, 8, 9], 4)).collect::<Vec<_>>(), [Some(&7), Some(&8), Some(&9), None]);
    }
}
