//! Labels and series of all shards, brought together.

use std::collections::BTreeSet;
use std::rc::Rc;

use shards::model::{Labels, Matcher, TimeRange};
use shards::shard::Shard;

use super::{Router, RouterError};

impl Router {
    /// Names of the labels of the series that satisfy one of the selectors (none: of all series)
    /// and have samples in the range.
    pub async fn label_names(
        &self,
        selectors: Vec<Vec<Matcher>>,
        range: TimeRange,
    ) -> Result<BTreeSet<String>, RouterError> {
        let lists =
            self.ask_all(move |shard| async move { shard.label_names(&selectors, range).await }).await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Values of one label, likewise.
    pub async fn label_values(
        &self,
        name: String,
        selectors: Vec<Vec<Matcher>>,
        range: TimeRange,
    ) -> Result<BTreeSet<String>, RouterError> {
        let lists = self
            .ask_all(move |shard| async move { shard.label_values(&name, &selectors, range).await })
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The series themselves, likewise, sorted; each shard gives at most `limit`.
    pub async fn series(
        &self,
        selectors: Vec<Vec<Matcher>>,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Labels>, RouterError> {
        let lists =
            self.ask_all(move |shard| async move { shard.series(&selectors, range, limit).await }).await?;
        let mut series: Vec<Labels> = lists.into_iter().flatten().collect();
        series.sort_unstable();
        Ok(series)
    }

    /// The answers of all shards to one question, in shard order.
    pub(super) async fn ask_all<T, F, Fut>(&self, question: F) -> Result<Vec<T>, RouterError>
    where
        T: Send + 'static,
        F: FnOnce(Rc<Shard>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = shards::error::Result<T>> + 'static,
    {
        let mut replies = Vec::with_capacity(self.shards.len());
        for handle in self.shards.iter() {
            replies.push(handle.call(question.clone())?);
        }
        let mut answers = Vec::with_capacity(replies.len());
        for reply in replies {
            answers.push(reply.await??);
        }
        Ok(answers)
    }
}
