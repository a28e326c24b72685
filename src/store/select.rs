//! A SELECT that is put together of what is asked for, so that each list goes by the index that fits: conditions with
//! their values, what whoever asks may see, a page's place and order.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe};

use crate::ids::QueueId;
use crate::privacy::LastDigits;
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::page::Place;

/// Queues that are each read by their own index range; with more of them the list is read whole and filtered.
const BRANCHES: usize = 64;

/// Which people's data whoever asks may see. The default: of all queues, and none that is restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Calls whose first queue is one of these; `None`: of all.
    pub queues: Option<BTreeSet<QueueId>>,
    /// Restricted ones too (domain rule 20): for who has the right `dpo`.
    pub restricted: bool,
}

impl Sight {
    /// Everything there is: for Sayso itself, never for a visitor.
    #[must_use]
    pub const fn whole() -> Self {
        Self { queues: None, restricted: true }
    }

    /// Whether what belongs to this queue is seen.
    #[must_use]
    pub fn sees(&self, queue: &QueueId) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.contains(queue))
    }

    /// Whether a call of this first queue is seen.
    #[must_use]
    pub fn sees_call(&self, first_queue: &QueueId, restricted: bool) -> bool {
        self.sees(first_queue) && (self.restricted || !restricted)
    }
}

/// A value of a condition.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Number(i64),
    Text(String),
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Bound {
    fn from(at: Timestamp) -> Self {
        Self::Number(at.as_micros())
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&QueueId> for Bound {
    fn from(queue: &QueueId) -> Self {
        Self::Text(queue.0.clone())
    }
}

/// See the module. Table and column names are the code's, never a visitor's.
#[derive(Clone, Debug)]
pub(super) struct Select {
    text: String,
    values: Vec<Bound>,
    /// A column, and the values of it that are each read by themselves.
    branches: Option<(&'static str, Vec<String>)>,
    /// Few rows are left, so they are sorted; else they come in the order of an index.
    sorted: bool,
}

impl Select {
    /// `head` ends before its conditions, as `SELECT c.* FROM calls c`.
    pub(super) fn new(head: &str) -> Self {
        Self { text: format!("{head} WHERE 1 = 1"), values: Vec::new(), branches: None, sorted: false }
    }

    /// With values that `head` has places for, from `$1` on.
    pub(super) fn with(head: &str, values: Vec<String>) -> Self {
        Self { values: values.into_iter().map(Bound::from).collect(), ..Self::new(head) }
    }

    /// A condition without a value.
    pub(super) fn only(&mut self, condition: &str) -> &mut Self {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self
    }

    /// A condition with a value for its `{}`; a value that is used twice has two.
    pub(super) fn and(&mut self, condition: &str, value: impl Into<Bound>) -> &mut Self {
        let place = self.bind(value);
        self.only(&condition.replace("{}", &place))
    }

    /// A condition, if there is a value.
    pub(super) fn when(&mut self, condition: &str, value: Option<impl Into<Bound>>) -> &mut Self {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// From one moment to before another.
    pub(super) fn between(
        &mut self,
        column: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> &mut Self {
        self.when(&format!("{column} >= {{}}"), since).when(&format!("{column} < {{}}"), until)
    }

    /// A number's last digits, by the index of `column`, a `from_reversed`.
    pub(super) fn digits(&mut self, column: &str, digits: Option<&LastDigits>) -> &mut Self {
        let Some((from, to)) = digits.map(LastDigits::range) else { return self };
        self.sort();
        self.and(&format!("{column} >= {{}}"), from).and(&format!("{column} < {{}}"), to)
    }

    /// Rows are few: they are found by their conditions and then sorted. Without it a database may go through all of a
    /// table in the right order until it has found enough.
    pub(super) fn sort(&mut self) -> &mut Self {
        self.sorted = true;
        self
    }

    /// A queue, and what whoever asks may see: `queue` is the column of the call's first queue, `restricted` that of
    /// `restricted_at`.
    pub(super) fn seen(
        &mut self,
        (queue, restricted): (&'static str, &str),
        of: Option<&QueueId>,
        sight: &Sight,
    ) -> &mut Self {
        if !sight.restricted {
            self.only(&format!("{restricted} IS NULL"));
        }
        let all = sight.queues.as_ref();
        match (of, all) {
            (None, None) => self,
            (Some(of), _) if sight.sees(of) => self.and(&format!("{queue} = {{}}"), of),
            (Some(_), _) => self.only("1 = 0"),
            (None, Some(queues)) if queues.is_empty() => self.only("1 = 0"),
            (None, Some(queues)) => {
                let names = queues.iter().map(|queue| queue.0.clone()).collect();
                if queues.len() <= BRANCHES && !self.sorted {
                    self.branches = Some((queue, names));
                    self
                } else {
                    self.one_of(queue, names)
                }
            }
        }
    }

    /// One of some values.
    pub(super) fn one_of(&mut self, column: &str, values: Vec<String>) -> &mut Self {
        let places: Vec<String> = values.into_iter().map(|value| self.bind(value)).collect();
        self.only(&format!("{column} IN ({})", places.join(", ")))
    }

    /// The place in the text of a value, for whatever is not a condition.
    pub(super) fn bind(&mut self, value: impl Into<Bound>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Makes it a page's, and one row more. `by`: what the list is ordered by first, a time, and what tells rows of one
    /// time apart, each as a column of the table and as it is called in the answer. An id that is a number is bound as one.
    pub(super) fn page(mut self, by: [(&str, &str); 2], place: &Place, id_is_number: bool) -> Self {
        let (after, way) = (place.order.after(), place.order.word());
        let [(at, outer_at), (id, outer_id)] = by;
        if let Some(cursor) = &place.after {
            let from = self.bind(cursor.at);
            let to = match (id_is_number, cursor.id.parse::<i64>()) {
                (true, id) => self.bind(id.unwrap_or_default()),
                (false, _) => self.bind(cursor.id.clone()),
            };
            self.only(&format!("({at}, {id}) {after} ({from}, {to})"));
        }
        let limit = self.bind(i64::from(place.limit) + 1);
        // The sign keeps a database from going by the index of the order.
        let sign = if self.sorted { "+" } else { "" };
        match self.branches.take() {
            None => {
                let order = format!(" ORDER BY {sign}{at} {way}, {id} {way} LIMIT {limit}");
                self.text.push_str(&order);
            }
            Some((column, values)) => {
                let each: Vec<String> = values
                    .into_iter()
                    .enumerate()
                    .map(|(n, value)| {
                        let value = self.bind(value);
                        format!(
                            "SELECT * FROM ({} AND {column} = {value} ORDER BY {at} {way}, {id} {way} \
                             LIMIT {limit}) q{n}",
                            self.text
                        )
                    })
                    .collect();
                self.text = format!(
                    "SELECT * FROM ({}) a ORDER BY {outer_at} {way}, {outer_id} {way} LIMIT {limit}",
                    each.join(" UNION ALL ")
                );
            }
        }
        self
    }

    /// What stands behind the conditions: groups, an order.
    pub(super) fn end(mut self, end: &str) -> Self {
        if let Some((column, values)) = self.branches.take() {
            self.one_of(column, values);
        }
        self.text.push_str(end);
        self
    }

    /// Its rows.
    pub(super) async fn rows(self, pool: &AnyPool, doing: &'static str) -> Result<Vec<AnyRow>, StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                Bound::Number(number) => query.bind(number),
                Bound::Text(text) => query.bind(text),
            };
        }
        query.fetch_all(pool).await.doing(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_limited_to_queues_reads_each_by_its_index() {
        let sight = Sight { queues: Some(["a".into(), "b".into()].into()), restricted: false };
        let mut select = Select::new("SELECT c.* FROM calls c");
        select.seen(("c.first_queue", "c.restricted_at"), None, &sight);
        let by = [("c.arrived_at", "arrived_at"), ("c.id", "id")];
        let text = select.page(by, &Place::first(50), false).text;
        assert_eq!(text.matches("c.first_queue = $").count(), 2);
        assert_eq!(text.matches("c.restricted_at IS NULL").count(), 2);
        assert!(text.ends_with(") a ORDER BY arrived_at DESC, id DESC LIMIT $1"), "{text}");
        let nothing = Sight { queues: Some(BTreeSet::new()), restricted: true };
        let mut select = Select::new("SELECT c.* FROM calls c");
        select.seen(("c.first_queue", "c.restricted_at"), Some(&"a".into()), &nothing);
        assert!(select.text.ends_with("1 = 0"));
    }
}
