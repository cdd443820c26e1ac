//! io_uring switched off for the whole machine: the server says so and what to do.
//!
//! A binary of its own, because the switch would break servers that other tests start; cargo runs
//! test binaries one after another. Needs root; the switch is restored whatever happens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

use std::fs;

use common::program::{Program, free_address};
use common::server::{Server, binary, temp_dir};

const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
const OFF: &str = "2";

/// Restores the switch when it goes.
struct Switch(String);

impl Switch {
    fn turn_off() -> Option<Self> {
        let before = fs::read_to_string(SWITCH).ok()?;
        fs::write(SWITCH, OFF).ok()?;
        Some(Self(before))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(error) = fs::write(SWITCH, &self.0) {
            eprintln!("{SWITCH} could not be restored to {:?}: {error}", self.0.trim());
        }
    }
}

#[test]
fn blocked_io_uring_is_explained() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let listen = free_address().to_string();
    let mut program = {
        let Some(_switch) = Switch::turn_off() else {
            eprintln!("SKIPPED: {SWITCH} cannot be written; it needs root and Linux 6.6");
            return;
        };
        let arguments = ["start", "--listen", &listen, "--data-dir", data_dir.to_str().unwrap()];
        let mut program = Program::start(&binary(), &arguments, &dir.path().join("output")).unwrap();
        program.wait();
        program
    };
    let (status, text) = (program.wait(), program.printed());
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}: {text}");
    assert!(text.contains("io_uring") && text.contains("io_uring_disabled"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    Server::start(&data_dir, &[]).stop();
}
