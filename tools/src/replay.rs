//! Sends a recording to a server as if many targets had been scraped: remote write, a post per
//! scrape, in order of time.
//!
//! The recorded interval is stretched: a scrape `k` recorded intervals after the first comes `k`
//! intervals after it, and is as early or late as it was. Each copy has an `instance` of its own and
//! is shifted by a different share of the interval; all its samples of a scrape are late by the
//! same few milliseconds, drawn anew for each scrape.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::acklog::{AckWriter, Acked};
use crate::client::{Client, Url};
use crate::encode::{compress, put_series};
use crate::exposition::{LabelPairs, encode_labels, read_series};
use crate::procstat::ProcStat;
use crate::recording::{Recording, Scrape};
use crate::rng::{below, mix};

const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// How a recording is sent.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    pub url: Url,
    pub copies: u32,
    /// Milliseconds between scrapes, as recorded and as sent.
    pub recorded_ms: i64,
    pub interval_ms: i64,
    /// Milliseconds by which scrapes come late at most.
    pub jitter_ms: u32,
    /// Time of the last sample, jitter apart.
    pub end_ms: i64,
    pub seed: u64,
    pub timeout: Duration,
    pub pid: Option<u32>,
    pub ack_log: Option<PathBuf>,
}

/// What was sent, and what it cost.
#[derive(Debug, Clone, Default)]
pub struct ReplayReport {
    pub series: usize,
    pub samples: u64,
    pub posts: u64,
    pub body_bytes: u64,
    pub first_ms: i64,
    pub last_ms: i64,
    pub seconds: f64,
    /// Of the server.
    pub cpu_seconds: Option<f64>,
}

/// Sends all of it.
pub fn run(recording: &Recording, options: &ReplayOptions) -> Result<ReplayReport> {
    let scrapes = recording.scrapes();
    let times = Times::new(&scrapes, options)?;
    let per_copy = u32::try_from(recording.series.len()).context("too many series")?;
    per_copy.checked_mul(options.copies).context("too many copies")?;
    let labels = labels(recording, options.copies)?;
    let mut ack_log = options.ack_log.as_deref().map(AckWriter::create).transpose()?;
    let mut client = Client::new(options.url.clone(), options.timeout);
    let cpu = || options.pid.map(|pid| ProcStat::read(pid).map(|stat| stat.cpu_seconds())).transpose();
    let mut report = ReplayReport { series: labels.iter().map(Vec::len).sum(), ..ReplayReport::default() };
    let (begun, cpu_before) = (Instant::now(), cpu()?);
    let mut shown = begun;
    let mut message = Vec::new();
    let mut acked = Vec::new();
    for (at_ms, copy, scrape) in Order::new(&times, options.copies) {
        let (Some(Scrape { samples, .. }), Some(labels)) = (scrapes.get(scrape), labels.get(copy as usize))
        else {
            continue;
        };
        message.clear();
        acked.clear();
        for &(place, value) in samples {
            let Some(labels) = labels.get(place) else { continue };
            put_series(&mut message, labels, &[(at_ms, value)]);
            let series = copy * per_copy + place as u32;
            acked.push(Acked { series, timestamp_ms: at_ms, bits: value.to_bits() });
        }
        let body = compress(&message)?;
        client.insist(&body).with_context(|| format!("scrape {scrape} of copy {copy}"))?;
        if let Some(ack_log) = &mut ack_log {
            let place = |position: usize| samples.get(position).and_then(|(place, _)| labels.get(*place));
            ack_log.append(&acked, |position| place(position).cloned().unwrap_or_default())?;
        }
        if report.posts == 0 {
            report.first_ms = at_ms;
        }
        report.last_ms = at_ms;
        report.posts += 1;
        report.samples += samples.len() as u64;
        report.body_bytes += body.len() as u64;
        if shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            eprintln!(
                "{} of {} posts, {} samples",
                report.posts,
                scrapes.len() * options.copies as usize,
                report.samples
            );
        }
    }
    report.seconds = begun.elapsed().as_secs_f64();
    report.cpu_seconds = cpu()?.zip(cpu_before).map(|(after, before)| after - before);
    Ok(report)
}

/// Encoded labels by copy, then by place of the series.
fn labels(recording: &Recording, copies: u32) -> Result<Vec<Vec<Vec<u8>>>> {
    let series: Vec<LabelPairs> =
        recording.series.iter().map(|series| read_series(&series.text)).collect::<Result<_>>()?;
    let of_copy = |copy| series.iter().map(|labels| encode_labels(&of_instance(labels, copy))).collect();
    Ok((0..copies).map(of_copy).collect())
}

/// The labels with the `instance` of a copy. An empty label is none, so it is not sent.
fn of_instance(labels: &LabelPairs, copy: u32) -> LabelPairs {
    let mut labels = labels.clone();
    labels.retain(|(_, value)| !value.is_empty());
    match labels.iter_mut().find(|(name, _)| name == "instance") {
        Some((_, value)) => *value = format!("{value}-{copy}"),
        None => labels.push(("instance".to_owned(), format!("copy-{copy}"))),
    }
    labels.sort();
    labels
}

/// When each scrape of each copy is.
struct Times {
    /// Of each scrape of the copy that is not shifted.
    unshifted: Vec<i64>,
    interval_ms: i64,
    copies: u32,
    jitter_ms: u32,
    seed: u64,
}

impl Times {
    fn new(scrapes: &[Scrape], options: &ReplayOptions) -> Result<Self> {
        let &ReplayOptions { recorded_ms, interval_ms, copies, jitter_ms, end_ms, seed, .. } = options;
        if recorded_ms <= 0 || interval_ms <= 0 {
            bail!("intervals must be longer than 0 ms");
        }
        let mut times = Self { unshifted: Vec::new(), interval_ms, copies, jitter_ms, seed };
        let Some(first) = scrapes.first() else { return Ok(times) };
        for Scrape { at_ms, .. } in scrapes {
            let stretched = stretch(*at_ms, first.at_ms, recorded_ms, interval_ms);
            times.unshifted.push(stretched.with_context(|| format!("time {at_ms} is out of range"))?);
        }
        let length_ms = times.unshifted.last().copied().unwrap_or_default();
        let base_ms = end_ms.checked_sub(length_ms.saturating_add(times.shift(copies.saturating_sub(1))));
        let base_ms = base_ms.context("the recording is too long")?;
        for time in &mut times.unshifted {
            *time = time.saturating_add(base_ms);
        }
        Ok(times)
    }

    /// By how much the copy comes later than the first one.
    fn shift(&self, copy: u32) -> i64 {
        self.interval_ms.saturating_mul(i64::from(copy)) / i64::from(self.copies.max(1))
    }

    fn of(&self, copy: u32, scrape: usize) -> Option<i64> {
        let draw = mix(mix(self.seed, u64::from(copy)), scrape as u64);
        let late = below(draw, u64::from(self.jitter_ms) + 1) as i64;
        Some(self.unshifted.get(scrape)?.saturating_add(self.shift(copy)).saturating_add(late))
    }
}

/// Milliseconds after the first scrape, with the interval stretched and the deviation from it kept.
fn stretch(at_ms: i64, first_ms: i64, recorded_ms: i64, interval_ms: i64) -> Option<i64> {
    let passed = at_ms.checked_sub(first_ms)?;
    let number = passed.checked_add(recorded_ms / 2)?.div_euclid(recorded_ms);
    number.checked_mul(interval_ms)?.checked_add(passed - number * recorded_ms)
}

/// Time, copy and scrape of all scrapes of all copies, in order of time; the times of a copy ascend.
struct Order<'a> {
    times: &'a Times,
    next: BinaryHeap<Reverse<(i64, u32, usize)>>,
}

impl<'a> Order<'a> {
    fn new(times: &'a Times, copies: u32) -> Self {
        let first = |copy| Some(Reverse((times.of(copy, 0)?, copy, 0)));
        Self { times, next: (0..copies).filter_map(first).collect() }
    }
}

impl Iterator for Order<'_> {
    type Item = (i64, u32, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((at_ms, copy, scrape)) = self.next.pop()?;
        if let Some(next_ms) = self.times.of(copy, scrape + 1) {
            self.next.push(Reverse((next_ms.max(at_ms.saturating_add(1)), copy, scrape + 1)));
        }
        Some((at_ms, copy, scrape))
    }
}

impl ReplayReport {
    #[must_use]
    pub fn text(&self) -> String {
        let millions = self.samples as f64 / 1e6;
        let mut text = format!(
            "{} series, {} samples from {} to {} ms, {} posts of {:.1} bytes a sample, {:.1} s\n",
            self.series,
            self.samples,
            self.first_ms,
            self.last_ms,
            self.posts,
            self.body_bytes as f64 / self.samples.max(1) as f64,
            self.seconds
        );
        if let Some(cpu) = self.cpu_seconds {
            text += &format!("server: {cpu:.2} s of CPU, {:.3} s a million samples\n", cpu / millions);
        }
        text
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
