//! `tsdb inspect verify`: is what lies on the disk whole?

use std::path::Path;
use std::process::{Command, Output};

use super::server::binary;

pub(crate) fn verify(data_dir: &Path) -> Output {
    Command::new(binary()).args(["inspect", "verify", "--data-dir"]).arg(data_dir).output().unwrap()
}

/// There is no damage.
#[track_caller]
pub(crate) fn expect_whole(data_dir: &Path) {
    let output = verify(data_dir);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
