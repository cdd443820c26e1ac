//! Why an evaluation failed.

/// Error of an evaluation, with the text that Prometheus gives where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The query itself is at fault: duplicate series, impossible matching, bad parameter.
    #[error("{0}")]
    Execution(String),
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    #[error("query timed out in expression evaluation")]
    Timeout,
    #[error("query was canceled in expression evaluation")]
    Canceled,
    #[error("{0} is not supported yet")]
    Unsupported(String),
    /// A shard cannot take the fragment now; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// Storage could not deliver the samples.
    #[error("{0}")]
    Storage(String),
}

impl EvalError {
    pub(crate) fn execution(text: impl Into<String>) -> Self {
        Self::Execution(text.into())
    }

    pub(crate) fn same_labelset() -> Self {
        Self::execution("vector cannot contain metrics with the same labelset")
    }
}
