//! Turns the items of a scrape into bodies that are ready to be sent, on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

use crate::encode::{compress, put_series};
use crate::fleet::{Fleet, Item, Scrape};

/// One request.
#[derive(Debug, Default)]
pub struct Batch {
    pub body: Vec<u8>,
    pub samples: u64,
    /// What is inside; empty unless it was asked for.
    pub items: Vec<Item>,
}

/// All requests of one scrape.
#[derive(Debug, Default)]
pub struct Prepared {
    pub number: u32,
    pub new_series: u64,
    pub batches: Vec<Batch>,
}

impl Prepared {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.body.len() + size_of_val(batch.items.as_slice())).sum()
    }
}

/// Encodes and compresses a scrape in requests of so many samples.
pub fn prepare(fleet: &Fleet, scrape: &Scrape, batch_samples: usize, keep_items: bool) -> Result<Prepared> {
    let chunks: Vec<&[Item]> = scrape.items.chunks(batch_samples.max(1)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chunks.len().max(1));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(chunks.len()));
    let work = || -> Result<()> {
        while let Some(&chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let first = chunk.as_ptr() as usize;
            let batch = encode(fleet, chunk, keep_items)?;
            done.lock().map_err(|_| anyhow!("a preparing thread failed"))?.push((first, batch));
        }
        Ok(())
    };
    std::thread::scope(|scope| -> Result<()> {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            handle.join().map_err(|_| anyhow!("a preparing thread failed"))??;
        }
        Ok(())
    })?;
    let mut done = done.into_inner().map_err(|_| anyhow!("a preparing thread failed"))?;
    done.sort_unstable_by_key(|&(first, _)| first);
    let batches = done.into_iter().map(|(_, batch)| batch).collect();
    Ok(Prepared { number: scrape.number, new_series: scrape.new_series, batches })
}

fn encode(fleet: &Fleet, items: &[Item], keep_items: bool) -> Result<Batch> {
    let mut message = Vec::with_capacity(items.len() * 256);
    let mut labels = Vec::with_capacity(1024);
    for &item in items {
        labels.clear();
        fleet.put_labels(item, &mut labels);
        put_series(&mut message, &labels, &[fleet.sample(item)]);
    }
    let mut body = compress(&message)?;
    body.shrink_to_fit();
    let items_kept = if keep_items { items.to_vec() } else { Vec::new() };
    Ok(Batch { body, samples: items.len() as u64, items: items_kept })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::tests::read_body;
    use crate::fleet::Shape;

    #[test]
    fn bodies_hold_the_items_in_order() {
        let mut fleet = Fleet::new(Shape {
            series: 700,
            metrics: 300,
            labels: 10,
            scrapes: 1,
            interval_ms: 15_000,
            start_ms: 1_700_000_000_000,
            churn: 0.0,
            out_of_order: 0.0,
            seed: 3,
        });
        let scrape = fleet.next_scrape().unwrap();
        let prepared = prepare(&fleet, &scrape, 64, true).unwrap();
        assert_eq!(prepared.batches.len(), 11);
        assert_eq!(prepared.batches.iter().map(|batch| batch.samples).sum::<u64>(), 700);
        let series: Vec<_> = prepared.batches.iter().flat_map(|batch| read_body(&batch.body)).collect();
        for (item, (labels, samples)) in scrape.items.iter().zip(&series) {
            let (timestamp, value) = fleet.sample(*item);
            assert_eq!(samples.as_slice(), [(timestamp, value.to_bits())]);
            assert_eq!(labels.len(), 10);
            assert!(labels.is_sorted());
        }
        assert!(prepared.bytes() < 700 * 100, "{} bytes", prepared.bytes());
    }
}
