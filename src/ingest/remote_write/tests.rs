//! Remote write against an encoder of its own, every kind of bad input, and noise.

mod bad_input;
mod encode;
mod model;
