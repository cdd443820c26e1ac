//! `tsdb start`.

use clap::Args;

use crate::config::StartFlags;
use crate::{server, telemetry};

#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(flatten)]
    start: StartFlags,
}

pub(super) fn run(flags: Flags) -> anyhow::Result<()> {
    let config = flags.start.check()?;
    telemetry::log::init(config.log_format, &config.log_level)?;
    telemetry::log::abort_on_panic();
    server::run(config)
}
