//! What the tests of the whole server share: starting it, talking to it, making write requests,
//! remembering what was acknowledged.
//!
//! Every test binary includes this module and uses its own part of it.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod command;
pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod remote_write;
pub(crate) mod server;
pub(crate) mod variable;
pub(crate) mod verify;
pub(crate) mod volume;
pub(crate) mod wait;
pub(crate) mod writers;
