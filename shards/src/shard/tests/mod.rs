//! The whole shard on a simulated disk: against a naive model, through power cuts, with damage, and
//! with writes that come before it is open. And when it flushes.

mod crash;
mod damage;
mod flush;
mod intake;
mod model;
mod needs;
mod world;
