//! What the server says about itself: logs, counters and their text.
//!
//! There is no registry of metrics. Each module counts its own work in a plain struct of
//! [`counters`] beside its code and turns it into lines of an [`Exposition`]; whoever scrapes, asks
//! the cores one after the other and adds up. Names read `tsdb_<module>_<what>_<unit>[_total]`.

pub mod counters;
pub mod exposition;
pub mod log;
pub mod process;

pub use counters::{Counter, Histogram, HistogramFigures, LATENCY_BOUNDS_SECONDS};
pub use exposition::{Exposition, Family};
pub use log::LogFormat;
