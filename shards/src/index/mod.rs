//! From matchers to series: posting lists and their algebra.
//!
//! [`postings`] is one list in whatever form is smallest, [`memory`] the lists of the live series,
//! [`lookup`] the evaluation of matchers over any [`PostingsSource`]. Knows neither label storage
//! nor files.

pub mod block;
pub mod lookup;
pub mod memory;
pub mod postings;

pub use lookup::{PostingsSource, select};
pub use memory::MemoryIndex;
pub use postings::{Postings, PostingsView};

#[cfg(test)]
mod tests;
