//! The search for a person by words of what is attached to calls. It reads the index of words and times, and no call.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::store::Store;
use crate::store::error::{Doing as _, StoreError};

use super::search::{limit, marks};

/// Words that begin alike and are looked for; of more the search is to be narrowed.
const MOST_WORDS: usize = 500;

impl Store {
    /// Calls with words in each of these ranges, the latest first. The rarest word leads, and no more of its calls in the span
    /// than `most` are looked at: then there may be more.
    pub(in crate::store) async fn calls_by_words(
        &self,
        words: &[(String, String)],
        (since, until): (i64, i64),
        most: i64,
    ) -> Result<(Vec<AnyRow>, bool), StoreError> {
        let mut led: Option<(i64, usize, Vec<String>)> = None;
        let mut cut = false;
        for (place, range) in words.iter().enumerate() {
            let (known, more) = self.known_words(range).await?;
            cut |= more;
            if known.is_empty() {
                return Ok((Vec::new(), cut));
            }
            let select = format!(
                "SELECT COUNT(*) FROM (SELECT 1 AS one FROM call_words WHERE word IN ({}) AND at >= $1 AND at < $2 \
                 LIMIT $3) AS counted",
                marks(known.len(), 4)
            );
            let count = sqlx::query_scalar(AssertSqlSafe(select)).bind(since).bind(until).bind(most + 1);
            let count = known.iter().fold(count, |count, word| count.bind(word.clone()));
            let count: i64 = count.fetch_one(&self.read).await.doing("looking for a person")?;
            if led.as_ref().is_none_or(|(fewest, ..)| count < *fewest) {
                led = Some((count, place, known));
            }
        }
        let Some((count, place, known)) = led else { return Ok((Vec::new(), cut)) };
        let others: Vec<&(String, String)> =
            words.iter().enumerate().filter(|(n, _)| *n != place).map(|(_, range)| range).collect();
        let first = known.len() + 5;
        let more = (0..others.len()).map(|n| {
            let (from, to) = (first + n * 2, first + n * 2 + 1);
            format!(" AND EXISTS (SELECT 1 FROM call_words x WHERE x.call = w.call AND x.word >= ${from} AND x.word < ${to})")
        });
        let more: Vec<String> = more.collect();
        let select = format!(
            "SELECT DISTINCT w.call AS id, w.at FROM (SELECT call, at FROM call_words WHERE word IN ({}) AND at >= $1 \
             AND at < $2 LIMIT $4) w WHERE 1 = 1{} ORDER BY w.at DESC LIMIT $3",
            marks(known.len(), 5),
            more.concat()
        );
        let mut select = sqlx::query(AssertSqlSafe(select)).bind(since).bind(until).bind(limit()).bind(most);
        for word in known {
            select = select.bind(word);
        }
        for (from, to) in others {
            select = select.bind(from.clone()).bind(to.clone());
        }
        Ok((select.fetch_all(&self.read).await.doing("looking for a person")?, cut || count > most))
    }

    /// The words of attached data in a range, each once, by leaps from one to the next; and whether there are more.
    async fn known_words(&self, (from, to): &(String, String)) -> Result<(Vec<String>, bool), StoreError> {
        const SELECT: &str = "WITH RECURSIVE found (word) AS (\
             SELECT MIN(word) FROM call_words WHERE word >= $1 AND word < $2 UNION ALL \
             SELECT (SELECT MIN(x.word) FROM call_words x WHERE x.word > found.word AND x.word < $2) FROM found \
             WHERE found.word IS NOT NULL) SELECT word FROM found WHERE word IS NOT NULL LIMIT $3";
        let select = sqlx::query_scalar(SELECT).bind(from.clone()).bind(to.clone());
        let mut words: Vec<String> =
            select.bind(MOST_WORDS as i64 + 1).fetch_all(&self.read).await.doing("looking for a person")?;
        let more = words.len() > MOST_WORDS;
        words.truncate(MOST_WORDS);
        Ok((words, more))
    }
}
