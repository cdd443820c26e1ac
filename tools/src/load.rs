//! Sends the load and measures it.
//!
//! Bodies are prepared ahead of the clock, as many scrapes at once as the memory budget takes; the
//! server is idle while more are prepared. All requests of one scrape are answered before the next
//! scrape begins.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::acklog::{AckWriter, Acked};
use crate::client::{Client, Response, Url, is_temporary};
use crate::fleet::{Fleet, Shape};
use crate::prepare::{Batch, Prepared, prepare};
use crate::procstat::ProcStat;
use crate::report::{Figures, Posts, Report};

/// How long a server may ask to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How the load is sent.
#[derive(Debug, Clone)]
pub struct Options {
    pub url: Url,
    pub connections: usize,
    /// Samples of a request.
    pub batch: usize,
    /// Samples a second; `None` is as fast as the server answers.
    pub rate: Option<f64>,
    /// Bytes of bodies prepared ahead.
    pub prepare_bytes: usize,
    pub pid: Option<u32>,
    pub retries: u32,
    pub timeout: Duration,
    /// Pause after the last scrape whose CPU is reported apart.
    pub settle: Duration,
    pub ack_log: Option<PathBuf>,
}

/// Runs the whole load.
pub fn run(shape: Shape, options: &Options) -> Result<Report> {
    let scrapes = shape.scrapes;
    let mut fleet = Fleet::new(shape);
    let ack_log = options.ack_log.as_deref().map(AckWriter::create).transpose()?.map(Mutex::new);
    let connect = |_| Client::new(options.url.clone(), options.timeout);
    let mut clients: Vec<Client> = (0..options.connections.max(1)).map(connect).collect();
    let mut report = Report::default();
    let mut ready = VecDeque::new();
    let stat = || options.pid.map(ProcStat::read).transpose();
    let mut pace = Pace { rate: options.rate, begun: None, planned: 0 };
    let mut progress = Progress { shown: Instant::now(), scrapes };

    prepare_ahead(&mut fleet, &mut ready, options)?;
    let mut before = stat()?;
    while let Some(prepared) = ready.pop_front() {
        let own = ProcStat::read(std::process::id())?;
        let begun = Instant::now();
        let sending =
            Sending { fleet: &fleet, prepared: &prepared, options, ack_log: ack_log.as_ref(), pace: &pace };
        let posts = sending.send(&mut clients, &mut progress)?;
        let seconds = begun.elapsed().as_secs_f64();
        report.own_cpu_seconds += ProcStat::read(std::process::id())?.cpu_seconds() - own.cpu_seconds();
        pace.planned += prepared.batches.iter().map(|batch| batch.samples).sum::<u64>();
        pace.begun.get_or_insert(begun);
        let new_series = prepared.new_series;
        drop(prepared);
        if ready.is_empty() {
            prepare_ahead(&mut fleet, &mut ready, options)?;
        }
        let after = stat()?;
        let cpu_seconds = before.zip(after).map(|(before, after)| after.cpu_seconds() - before.cpu_seconds());
        report.scrapes.push(Figures { new_series, seconds, posts, cpu_seconds, memory: after });
        before = after;
    }
    if !options.settle.is_zero() {
        std::thread::sleep(options.settle);
        let after = stat()?;
        report.settle_cpu_seconds =
            before.zip(after).map(|(before, after)| after.cpu_seconds() - before.cpu_seconds());
    }
    Ok(report)
}

fn prepare_ahead(fleet: &mut Fleet, ready: &mut VecDeque<Prepared>, options: &Options) -> Result<()> {
    let mut bytes = 0;
    let mut largest = 0;
    while bytes + largest <= options.prepare_bytes {
        let Some(scrape) = fleet.next_scrape() else { break };
        let prepared = prepare(fleet, &scrape, options.batch, options.ack_log.is_some())?;
        largest = largest.max(prepared.bytes());
        bytes += prepared.bytes();
        ready.push_back(prepared);
    }
    Ok(())
}

/// When requests are due.
struct Pace {
    rate: Option<f64>,
    begun: Option<Instant>,
    /// Samples of earlier scrapes.
    planned: u64,
}

struct Progress {
    shown: Instant,
    scrapes: u32,
}

/// The sending of one scrape.
struct Sending<'a> {
    fleet: &'a Fleet,
    prepared: &'a Prepared,
    options: &'a Options,
    ack_log: Option<&'a Mutex<AckWriter>>,
    pace: &'a Pace,
}

impl Sending<'_> {
    fn send(&self, clients: &mut [Client], progress: &mut Progress) -> Result<Posts> {
        let next = AtomicUsize::new(0);
        let sent = AtomicU64::new(0);
        let begun = Instant::now();
        let dues = self.dues(begun);
        let (done, finished) = mpsc::channel();
        let mut all = Posts::default();
        std::thread::scope(|scope| -> Result<()> {
            let running = clients.len();
            for client in clients {
                let (done, next, sent, dues) = (done.clone(), &next, &sent, &dues);
                scope.spawn(move || {
                    let mut posts = Posts::default();
                    let mut outcome = Ok(());
                    while outcome.is_ok() {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(batch) = self.prepared.batches.get(index) else { break };
                        if let Some(due) = dues.get(index) {
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                        outcome = self.post(client, batch, &mut posts);
                        sent.fetch_add(batch.samples, Ordering::Relaxed);
                    }
                    // The receiver lives until all threads have ended.
                    let _ = done.send((posts, outcome));
                });
            }
            let mut left = running;
            while left > 0 {
                match finished.recv_timeout(PROGRESS_EVERY) {
                    Ok((posts, outcome)) => {
                        left -= 1;
                        all.append(posts);
                        outcome?;
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => {
                        return Err(anyhow!("a sending thread failed"));
                    }
                }
                progress.show(self.prepared, sent.load(Ordering::Relaxed), begun);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// When each request may leave; empty at full speed.
    fn dues(&self, now: Instant) -> Vec<Instant> {
        let Some(rate) = self.pace.rate else { return Vec::new() };
        let begun = self.pace.begun.unwrap_or(now);
        let mut planned = self.pace.planned;
        let due = |batch: &Batch| {
            let due = begun + Duration::from_secs_f64(planned as f64 / rate);
            planned += batch.samples;
            due
        };
        self.prepared.batches.iter().map(due).collect()
    }

    /// Posts one request until it is accepted, refused for good or out of retries.
    fn post(&self, client: &mut Client, batch: &Batch, posts: &mut Posts) -> Result<()> {
        let mut backoff = BACKOFF_FIRST;
        posts.requests += 1;
        posts.body_bytes += batch.body.len() as u64;
        for attempt in 0.. {
            let begun = Instant::now();
            let (status, wait, text) = match client.post_write(&batch.body) {
                Ok(Response { status: 200..300, .. }) => {
                    posts.latencies.push(begun.elapsed());
                    posts.samples += batch.samples;
                    return self.acknowledge(batch);
                }
                Ok(Response { status, retry_after, body }) => {
                    let text = String::from_utf8_lossy(&body).trim().to_owned();
                    (status, retry_after.map(Duration::from_secs), format!("status {status}: {text}"))
                }
                Err(error) => (0, None, format!("{error:#}")),
            };
            posts.first_error.get_or_insert(text);
            let may_pass = status == 0 || is_temporary(status);
            if !may_pass || attempt == self.options.retries {
                *posts.failed.entry(status).or_default() += 1;
                return Ok(());
            }
            posts.retries += 1;
            std::thread::sleep(wait.unwrap_or(backoff).min(RETRY_AFTER_MAX));
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        Ok(())
    }

    fn acknowledge(&self, batch: &Batch) -> Result<()> {
        let Some(ack_log) = self.ack_log else { return Ok(()) };
        let acked = |&item| {
            let (timestamp_ms, value) = self.fleet.sample(item);
            Acked { series: self.fleet.series_id(item) as u32, timestamp_ms, bits: value.to_bits() }
        };
        let samples: Vec<Acked> = batch.items.iter().map(acked).collect();
        let labels = |position: usize| {
            let mut out = Vec::new();
            if let Some(&item) = batch.items.get(position) {
                self.fleet.put_labels(item, &mut out);
            }
            out
        };
        ack_log.lock().map_err(|_| anyhow!("a sending thread failed"))?.append(&samples, labels)
    }
}

impl Progress {
    fn show(&mut self, prepared: &Prepared, sent: u64, begun: Instant) {
        if self.shown.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.shown = Instant::now();
        let per_second = sent as f64 / begun.elapsed().as_secs_f64();
        let samples: u64 = prepared.batches.iter().map(|batch| batch.samples).sum();
        eprintln!(
            "scrape {} of {}: {sent} of {samples} samples, {per_second:.0} a second",
            prepared.number + 1,
            self.scrapes
        );
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
