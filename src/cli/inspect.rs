//! `tsdb inspect`: what is in a data directory, and whether it is whole, without a server.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use shards::inspect::{ShardSummary, Summary, inspect};
use shards::part::PartKind;

use crate::units::size_text;

#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(subcommand)]
    action: Option<Action>,

    /// Directory that holds the data; no server may have it open
    #[arg(long, env = "TSDB_DATA_DIR", default_value = "./data", value_name = "PATH", global = true)]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check every checksum and invariant; exit with 1 if something is wrong
    Verify,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let deeply = matches!(flags.action, Some(Action::Verify));
    let summary = inspect(&flags.data_dir, deeply)?;
    let findings = summary.shards.iter().flat_map(|shard| &shard.findings);
    let mut count = 0;
    for finding in findings {
        eprintln!("{finding}");
        count += 1;
    }
    print!("{}", if deeply { verdict(&summary) } else { listing(&summary) });
    if count > 0 {
        anyhow::bail!("{count} places of damage in {}", flags.data_dir.display());
    }
    Ok(())
}

fn verdict(summary: &Summary) -> String {
    let parts = || summary.shards.iter().flat_map(|shard| &shard.parts);
    let samples: u64 = parts().map(|part| part.meta.samples).sum();
    let log: u64 = summary.shards.iter().map(|shard| shard.log.samples).sum();
    format!(
        "{} shards, {} parts with {samples} samples, {log} samples in the log: checked\n",
        summary.shards.len(),
        parts().count()
    )
}

fn listing(summary: &Summary) -> String {
    let mut out = String::new();
    for shard in &summary.shards {
        shard_listing(&mut out, shard);
    }
    out
}

fn shard_listing(out: &mut String, shard: &ShardSummary) {
    let ShardSummary { series, log, .. } = shard;
    let _ = writeln!(out, "shard {}", shard.shard);
    let _ = writeln!(out, "  series table  {} series, {}", series.series, size_text(series.bytes));
    let _ = writeln!(
        out,
        "  log           {} segments and {} free, {}, {} frames, {} new series, {} samples, {} deletes",
        log.segments,
        log.free_segments,
        size_text(log.bytes),
        log.frames,
        log.series,
        log.samples,
        log.deletes
    );
    for part in &shard.parts {
        let meta = &part.meta;
        let kind = if meta.kind == PartKind::Run { "run  " } else { "block" };
        let per_sample = |bytes: u64| bytes as f64 / meta.samples.max(1) as f64;
        let _ = writeln!(
            out,
            "  {kind} {}  {:<7} {}..{}  {} series, {} chunks, {} samples, {} ({:.3} B a sample: values {:.3}, times {:.3})",
            meta.id,
            format!("{:?}", meta.window.level),
            meta.min_ms,
            meta.max_ms,
            meta.series,
            meta.chunks,
            meta.samples,
            size_text(part.bytes),
            per_sample(part.bytes),
            per_sample(part.value_bytes),
            per_sample(part.time_bytes)
        );
    }
}
