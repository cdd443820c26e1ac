//! Memory in pages with 32-bit handles: what the registry and the memtable keep per series without
//! an allocation of its own for each.
//!
//! A page never moves, so growth copies nothing and holds no second copy meanwhile.

pub mod pages;
pub mod slices;

pub use pages::Pages;
pub use slices::SliceArena;
