//! A history of CPU counters, as `node_cpu_seconds_total` has them: how the seconds of each host are
//! spent, by mode, over days.
//!
//! Values are hundredths of seconds, as the kernel counts them. In each interval the modes share
//! out the time that passed, by a load that has days, hours and noise. One host in ten restarts
//! once, which sets its counters back.

use crate::encode::put_label;
use crate::rng::{below, mix, unit};

const MODES: [(&str, f64); 8] = [
    ("idle", 0.0),
    ("iowait", 0.03),
    ("irq", 0.002),
    ("nice", 0.0),
    ("softirq", 0.02),
    ("steal", 0.004),
    ("system", 0.2),
    ("user", 0.7),
];

/// What is in a history.
#[derive(Debug, Clone)]
pub struct HistoryShape {
    pub metric: String,
    pub series: u32,
    /// Time of the first scrape; that of the last one is less than `end_ms`.
    pub start_ms: i64,
    pub end_ms: i64,
    pub interval_ms: i64,
    /// Scrapes come up to so much late.
    pub jitter_ms: i64,
    pub seed: u64,
}

impl HistoryShape {
    #[must_use]
    pub fn scrapes(&self) -> u64 {
        let span = (self.end_ms - self.start_ms).max(0) as u64;
        span.div_ceil(self.interval_ms.max(1) as u64)
    }

    #[must_use]
    pub const fn hosts(&self) -> u32 {
        self.series.div_ceil(MODES.len() as u32)
    }
}

/// One host on its way through time: its series and their counters.
#[derive(Debug, Clone)]
pub struct Host {
    seed: u64,
    offset_ms: i64,
    restart: Option<u64>,
    /// Hundredths of seconds.
    counters: Vec<u64>,
    labels: Vec<Vec<u8>>,
}

impl Host {
    #[must_use]
    pub fn new(shape: &HistoryShape, number: u32) -> Self {
        let seed = mix(shape.seed, u64::from(number));
        let series = (shape.series - number * MODES.len() as u32).min(MODES.len() as u32);
        let instance = format!("10.{}.{}.{}:9100", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff);
        let labels = |(mode, _): &(&str, f64)| {
            let mut out = Vec::new();
            put_label(&mut out, "__name__", &shape.metric);
            put_label(&mut out, "cpu", "0");
            put_label(&mut out, "instance", &instance);
            put_label(&mut out, "job", "node");
            put_label(&mut out, "mode", mode);
            out
        };
        Self {
            seed,
            offset_ms: below(mix(seed, 1), (shape.interval_ms - shape.jitter_ms).max(1) as u64) as i64,
            restart: (number % 10 == 3).then(|| below(mix(seed, 2), shape.scrapes())),
            counters: (0..u64::from(series)).map(|at| below(mix(seed, 3 + at), 100_000_000)).collect(),
            labels: MODES.iter().take(series as usize).map(labels).collect(),
        }
    }

    /// Encoded labels of each series.
    #[must_use]
    pub fn labels(&self) -> &[Vec<u8>] {
        &self.labels
    }

    /// Time and values, in the order of the series, of the next scrape; scrapes come in turn.
    pub fn scrape(&mut self, shape: &HistoryShape, scrape: u64, mut value: impl FnMut(usize, i64, f64)) {
        let late = below(mix(self.seed ^ 0x7ea, scrape), shape.jitter_ms.max(0) as u64 + 1) as i64;
        let time_ms = shape.start_ms + scrape as i64 * shape.interval_ms + self.offset_ms + late;
        if self.restart == Some(scrape) {
            self.counters.fill(0);
        }
        let mut left = shape.interval_ms as u64 / 10;
        let busy = self.load(time_ms, scrape) * left as f64;
        for (at, (counter, (_, share))) in self.counters.iter_mut().zip(&MODES).enumerate().skip(1) {
            let noise = unit(mix(self.seed ^ at as u64, scrape)) + unit(mix(self.seed, scrape ^ at as u64));
            let spent = ((busy * share * noise).round() as u64).min(left);
            *counter += spent;
            left -= spent;
        }
        // What is left is idle; time is lost and found between the modes.
        if let Some(idle) = self.counters.first_mut() {
            *idle += left.saturating_sub(below(mix(self.seed ^ 0x1d1e, scrape), 3));
        }
        for (at, counter) in self.counters.iter().enumerate() {
            value(at, time_ms, *counter as f64 / 100.0);
        }
    }

    /// Share of the time that the host works.
    fn load(&self, time_ms: i64, scrape: u64) -> f64 {
        let day = (time_ms as f64 / 86_400_000.0 + unit(self.seed) * 0.2).fract() * std::f64::consts::TAU;
        let hour = unit(mix(self.seed ^ 0x40, scrape / 240));
        let burst = if below(mix(self.seed ^ 0xb5, scrape / 8), 20) == 0 { 0.4 } else { 0.0 };
        (0.15 - 0.1 * day.cos() + 0.2 * hour + burst).clamp(0.01, 0.95)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> HistoryShape {
        HistoryShape {
            metric: "m".to_owned(),
            series: 78,
            start_ms: 1_700_000_000_000,
            end_ms: 1_700_000_000_000 + 3_600_000,
            interval_ms: 15_000,
            jitter_ms: 3,
            seed: 1,
        }
    }

    #[test]
    fn counters_grow_by_the_time_that_passes_and_fall_at_restarts_only() {
        let shape = shape();
        assert_eq!((shape.scrapes(), shape.hosts()), (240, 10));
        let mut falls = 0;
        for number in 0..shape.hosts() {
            let mut host = Host::new(&shape, number);
            assert_eq!(host.labels().len(), if number == 9 { 6 } else { 8 });
            let mut before: Option<(i64, f64)> = None;
            for scrape in 0..shape.scrapes() {
                let (mut time, mut sum) = (0, 0.0);
                host.scrape(&shape, scrape, |_, time_ms, value| {
                    time = time_ms;
                    sum += value;
                });
                if let Some((before_ms, before_sum)) = before {
                    assert!((14_997..=15_003).contains(&(time - before_ms)));
                    if sum < before_sum {
                        falls += 1;
                    } else {
                        assert!(sum - before_sum < 15.01, "{}", sum - before_sum);
                    }
                }
                before = Some((time, sum));
                assert!(time < shape.end_ms);
            }
        }
        assert!(falls <= 1, "{falls}");
    }
}
