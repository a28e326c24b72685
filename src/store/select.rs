//! A SELECT that is put together of what is asked for, so that each list goes by the index that fits: conditions with
//! their values, what whoever asks may see, a page's place and order.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe};

use crate::ids::QueueId;
use crate::privacy::LastDigits;
use crate::time::Timestamp;

use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Order, Place};

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

/// Where a range begins or ends.
enum Edge {
    /// With the value's first or last row.
    Open,
    /// At a time.
    At(i64),
    /// Behind a row.
    Row(i64, Bound),
}

/// See the module. Table and column names are the code's, never a visitor's.
#[derive(Clone, Debug)]
pub(super) struct Select {
    text: String,
    values: Vec<Bound>,
    /// A column, and the values of it that are each read by themselves: its index goes on with the order of the list.
    branches: Option<(&'static str, Vec<String>)>,
    /// From when to before when, by a column.
    span: Option<(String, Option<i64>, Option<i64>)>,
    /// Few rows are left, so they are sorted; else they come in the order of an index.
    sorted: bool,
    /// Other conditions may have a better index than that of the branches.
    plain: bool,
}

impl Select {
    /// `head` ends before its conditions, as `SELECT c.* FROM calls c`.
    pub(super) fn new(head: &str) -> Self {
        Self::whole(&format!("{head} WHERE 1 = 1"))
    }

    /// A SELECT that has all its conditions.
    pub(super) fn whole(text: &str) -> Self {
        let text = text.to_owned();
        Self { text, values: Vec::new(), branches: None, span: None, sorted: false, plain: false }
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
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
        self.span = Some((column.to_owned(), micros(since), micros(until)));
        self
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

    /// Which index is best is for the database to say: what else is asked for may leave few rows.
    pub(super) fn plain(&mut self) -> &mut Self {
        self.plain = true;
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
            (Some(of), _) if sight.sees(of) && self.sorted => self.and(&format!("{queue} = {{}}"), of),
            (Some(of), _) if sight.sees(of) => {
                self.branches = Some((queue, vec![of.0.clone()]));
                self
            }
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

    /// One of some values, each read by itself, beside a queue: for an index that begins with both.
    pub(super) fn each(&mut self, column: &'static str, values: Vec<String>) -> &mut Self {
        self.settle_branches();
        self.branches = Some((column, values));
        self.plain()
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
        let way = place.order.word();
        let [(at, outer_at), (id, outer_id)] = by;
        let after = place.after.as_ref().map(|cursor| (cursor.at, id_of(cursor, id_is_number)));
        let limit = self.bind(i64::from(place.limit) + 1);
        let Some((column, values)) = self.branches.take() else {
            self.spanned();
            self.behind([at, id], after, place.order);
            // The sign keeps a database from going by the index of the order.
            let sign = if self.sorted { "+" } else { "" };
            self.text.push_str(&format!(" ORDER BY {sign}{at} {way}, {id} {way} LIMIT {limit}"));
            return self;
        };
        let head = std::mem::take(&mut self.text);
        let mut each = Vec::new();
        for value in values {
            self.text.clone_from(&head);
            let order = if self.plain {
                self.and(&format!("{column} = {{}}"), value);
                self.spanned();
                self.behind([at, id], after.clone(), place.order);
                format!("{at} {way}, {id} {way}")
            } else {
                self.led([column, at, id], &value, after.clone(), place.order);
                format!("{column} {way}, {at} {way}, {id} {way}")
            };
            each.push(format!("{} ORDER BY {order} LIMIT {limit}", self.text));
        }
        if let [one] = each.as_slice() {
            self.text.clone_from(one);
            return self;
        }
        let each: Vec<String> =
            each.into_iter().enumerate().map(|(n, one)| format!("SELECT * FROM ({one}) q{n}")).collect();
        self.text = format!(
            "SELECT * FROM ({}) a ORDER BY {outer_at} {way}, {outer_id} {way} LIMIT {limit}",
            each.join(" UNION ALL ")
        );
        self
    }

    /// Behind the last row of the page before.
    fn behind(&mut self, [at, id]: [&str; 2], after: Option<(i64, Bound)>, order: Order) {
        if let Some((from, to)) = after {
            let (from, to) = (self.bind(from), self.bind(to));
            self.only(&format!("({at}, {id}) {} ({from}, {to})", order.after()));
        }
    }

    /// The rows of one value of a column by the index of column, time and id, as one range whose ends name all three. A
    /// database that is told "this value, in the order of time" may go by the index of time alone instead, and through
    /// years in which there is none.
    fn led(&mut self, [column, at, id]: [&str; 3], value: &str, after: Option<(i64, Bound)>, order: Order) {
        let (since, until) = self.span.as_ref().map_or((None, None), |(_, since, until)| (*since, *until));
        let edge = |at: Option<i64>| at.map_or(Edge::Open, Edge::At);
        // The nearer one of the span's edge and the last row of the page before.
        let (lower, upper) = match (order, after) {
            (Order::Latest, Some((at, id))) if until.is_none_or(|until| at < until) => {
                (edge(since), Edge::Row(at, id))
            }
            (Order::Oldest, Some((at, id))) if since.is_none_or(|since| at >= since) => {
                (Edge::Row(at, id), edge(until))
            }
            (Order::Latest | Order::Oldest, _) => (edge(since), edge(until)),
        };
        for (edge, [open, from, behind]) in [(lower, [">=", ">=", ">"]), (upper, ["<=", "<", "<"])] {
            let place = self.bind(value);
            let condition = match edge {
                Edge::Open => format!("{column} {open} {place}"),
                Edge::At(is) => format!("({column}, {at}) {from} ({place}, {})", self.bind(is)),
                Edge::Row(is, row) => {
                    let (is, row) = (self.bind(is), self.bind(row));
                    format!("({column}, {at}, {id}) {behind} ({place}, {is}, {row})")
                }
            };
            self.only(&condition);
        }
    }

    /// The span as conditions of its column.
    fn spanned(&mut self) {
        if let Some((column, since, until)) = self.span.clone() {
            self.when(&format!("{column} >= {{}}"), since).when(&format!("{column} < {{}}"), until);
        }
    }

    /// The values of the branches as one condition.
    fn settle_branches(&mut self) {
        if let Some((column, values)) = self.branches.take() {
            match <[String; 1]>::try_from(values) {
                Ok([one]) => self.and(&format!("{column} = {{}}"), one),
                Err(values) => self.one_of(column, values),
            };
        }
    }

    /// What stands behind the conditions: groups, an order.
    pub(super) fn end(mut self, end: &str) -> Self {
        self.spanned();
        self.settle_branches();
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

fn id_of(cursor: &Cursor, is_number: bool) -> Bound {
    match (is_number, cursor.id.parse::<i64>()) {
        (true, id) => Bound::Number(id.unwrap_or_default()),
        (false, _) => Bound::Text(cursor.id.clone()),
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
        for condition in ["c.first_queue >= $", "c.first_queue <= $", "c.restricted_at IS NULL"] {
            assert_eq!(text.matches(condition).count(), 2, "{condition}: {text}");
        }
        assert!(text.ends_with(") a ORDER BY arrived_at DESC, id DESC LIMIT $1"), "{text}");
        let nothing = Sight { queues: Some(BTreeSet::new()), restricted: true };
        let mut select = Select::new("SELECT c.* FROM calls c");
        select.seen(("c.first_queue", "c.restricted_at"), Some(&"a".into()), &nothing);
        assert!(select.text.ends_with("1 = 0"));
    }

    #[test]
    fn a_queue_is_one_range_whose_ends_are_the_nearer_ones() {
        let (since, until) = (Some(Timestamp::from_micros(10)), Some(Timestamp::from_micros(20)));
        let text = |since, until, after: Option<i64>, order| {
            let mut select = Select::new("SELECT c.* FROM calls c");
            select.between("c.at", since, until).seen(("c.q", ""), Some(&"a".into()), &Sight::whole());
            let after = after.map(|at| Cursor { at, id: "x".to_owned() });
            let text =
                select.page([("c.at", "at"), ("c.id", "id")], &Place { after, limit: 1, order }, false).text;
            text.split_once("1 = 1 AND ").expect("conditions").1.to_owned()
        };
        let latest = "ORDER BY c.q DESC, c.at DESC, c.id DESC LIMIT $1";
        assert_eq!(text(None, None, None, Order::Latest), format!("c.q >= $2 AND c.q <= $3 {latest}"));
        let both = format!("(c.q, c.at) >= ($2, $3) AND (c.q, c.at) < ($4, $5) {latest}");
        assert_eq!(text(since, until, None, Order::Latest), both);
        assert_eq!(text(since, until, Some(20), Order::Latest), both, "a cursor outside the span");
        let behind = format!("(c.q, c.at) >= ($2, $3) AND (c.q, c.at, c.id) < ($4, $5, $6) {latest}");
        assert_eq!(text(since, until, Some(19), Order::Latest), behind);
        let oldest = "ORDER BY c.q ASC, c.at ASC, c.id ASC LIMIT $1";
        let behind = format!("(c.q, c.at, c.id) > ($2, $3, $4) AND (c.q, c.at) < ($5, $6) {oldest}");
        assert_eq!(text(since, until, Some(10), Order::Oldest), behind);
        let both = format!("(c.q, c.at) >= ($2, $3) AND (c.q, c.at) < ($4, $5) {oldest}");
        assert_eq!(text(since, until, Some(9), Order::Oldest), both);
    }
}
