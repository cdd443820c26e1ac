//! The whole shard on a simulated disk: against a naive model, through power cuts, and with damage.

mod crash;
mod damage;
mod model;
mod needs;
mod world;
