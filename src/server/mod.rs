//! Placeholder doc.

pub mod probe;

/// Runs the server.
pub fn run(config: crate::config::Config) -> anyhow::Result<()> {
    probe::check(&config)?;
    anyhow::bail!("not yet")
}
