//! Writes a history to a server: remote write at full speed, in order of time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::client::{Client, Url};
use crate::encode::{compress, put_series};
use crate::history::{HistoryShape, Host};

const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// How a history is sent.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    pub url: Url,
    pub connections: usize,
    /// Scrapes of one host in one request.
    pub scrapes: u64,
    /// Hosts in one request.
    pub hosts: usize,
    pub timeout: Duration,
}

/// Writes all of it; returns the number of samples. Each connection has hosts of its own, and all
/// connections write the same time span before any goes on to the next.
pub fn run(shape: &HistoryShape, options: &BackfillOptions) -> Result<u64> {
    let mut hosts: Vec<Host> = (0..shape.hosts()).map(|number| Host::new(shape, number)).collect();
    let share = hosts.len().div_ceil(options.connections.max(1)).max(1);
    let mut clients: Vec<Client> =
        hosts.chunks(share).map(|_| Client::new(options.url.clone(), options.timeout)).collect();
    let sent = AtomicU64::new(0);
    let mut shown = Instant::now();
    let span = options.scrapes.max(1);
    for first in (0..shape.scrapes()).step_by(span as usize) {
        let scrapes = first..(first + span).min(shape.scrapes());
        std::thread::scope(|scope| -> Result<()> {
            let handles: Vec<_> = hosts
                .chunks_mut(share)
                .zip(&mut clients)
                .map(|(hosts, client)| {
                    let (scrapes, sent) = (scrapes.clone(), &sent);
                    scope.spawn(move || -> Result<()> {
                        for hosts in hosts.chunks_mut(options.hosts.max(1)) {
                            let (body, samples) = body(shape, hosts, scrapes.clone())?;
                            client.insist(&body)?;
                            sent.fetch_add(samples, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                })
                .collect();
            for handle in handles {
                handle.join().map_err(|_| anyhow!("a sending thread failed"))??;
            }
            Ok(())
        })?;
        if shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            eprintln!(
                "{} of {} scrapes, {} samples",
                scrapes.end,
                shape.scrapes(),
                sent.load(Ordering::Relaxed)
            );
        }
    }
    Ok(sent.into_inner())
}

fn body(shape: &HistoryShape, hosts: &mut [Host], scrapes: std::ops::Range<u64>) -> Result<(Vec<u8>, u64)> {
    let mut message = Vec::new();
    let mut samples = 0;
    for host in hosts {
        let mut columns = vec![Vec::new(); host.labels().len()];
        for scrape in scrapes.clone() {
            host.scrape(shape, scrape, |at, time_ms, value| {
                if let Some(column) = columns.get_mut(at) {
                    column.push((time_ms, value));
                }
            });
        }
        for (labels, column) in host.labels().iter().zip(&columns) {
            put_series(&mut message, labels, column);
            samples += column.len() as u64;
        }
    }
    Ok((compress(&message)?, samples))
}
