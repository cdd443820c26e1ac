//! Compressed runs of samples of one series. Works on byte slices; knows no files.

pub mod xor;

pub use xor::{ChunkState, XorChunk};
