//! From label matchers to series: posting lists and their algebra.

pub mod lookup;
pub mod postings;

pub use lookup::{PostingsSource, lookup};
pub use postings::Postings;
