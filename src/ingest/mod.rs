//! Bytes of a write request to staged batches: pure functions, no I/O and no executor.
//!
//! Every input format ends in the same [`WriteRequest`]: samples grouped by owner shard, each series
//! named by the hash of its label bytes. Labels are only measured here, not understood: whether they
//! are canonical is checked by the owner shard when it sees a series for the first time, and what it
//! refuses comes back through [`canonicalise`].
//!
//! What cannot be stored is a value ([`WriteSummary`]), not an error: it never costs the rest of its
//! request. A [`DecodeError`] means that the request as a whole cannot be read.

pub mod limits;
pub mod error;
pub mod refusal;
mod wire;
pub mod canonical;
pub mod batch;
mod body;
pub mod remote_write;
pub mod text;
pub mod counters;

pub use batch::{BatchBuilder, WriteRequest};
pub use canonical::{LabelFault, canonicalise};
pub use counters::{IngestCounters, IngestFigures};
pub use error::{DecodeError, TextError};
pub use limits::DecodeLimits;
pub use refusal::{RefuseReason, Refused, WriteSummary};
pub use remote_write::Decoder;
