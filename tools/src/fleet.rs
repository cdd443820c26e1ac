//! The fleet of scrape targets and what every scrape of it yields.
//!
//! Targets are replaced over time (churn): the old one ends with stale markers, its successor has
//! another pod and address, so all its series are new. Some samples come late (out of order): they
//! keep their timestamp and travel with one of the next scrapes.

use crate::encode::{STALE_NAN_BITS, put_label};
use crate::rng::{below, mix, unit};
use crate::series::{Template, target_label_name, templates};
use crate::values::value;

/// How the fleet looks and changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Series at any one time.
    pub series: u32,
    /// Series of one target.
    pub metrics: u32,
    /// Labels of a series, its name included.
    pub labels: usize,
    pub scrapes: u32,
    pub interval_ms: i64,
    /// Timestamp of the first scrape.
    pub start_ms: i64,
    /// Share of the targets replaced at each scrape.
    pub churn: f64,
    /// Share of the samples that arrive 1 to 3 scrapes late.
    pub out_of_order: f64,
    pub seed: u64,
}

/// One host, or pod, that is scraped.
#[derive(Debug)]
pub struct Target {
    seed: u64,
    labels: Vec<Vec<u8>>,
    born: u32,
    offset_ms: i64,
    series: u32,
}

/// One sample to send: which series of which target, of which scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub target: u32,
    pub template: u32,
    pub scrape: u32,
    /// The marker that ends the series, in place of a value.
    pub stale: bool,
}

/// All targets there have ever been, and which are alive.
#[derive(Debug)]
pub struct Fleet {
    shape: Shape,
    templates: Vec<Template>,
    targets: Vec<Target>,
    live: Vec<u32>,
    late: Vec<(u32, Item)>,
    next_scrape: u32,
    to_replace: f64,
    replaced: u64,
}

/// What one scrape sends.
#[derive(Debug, Default)]
pub struct Scrape {
    pub number: u32,
    pub items: Vec<Item>,
    pub new_series: u64,
}

impl Fleet {
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let metrics = shape.metrics.clamp(1, shape.series.max(1));
        let mut fleet = Self {
            templates: templates(metrics as usize, shape.labels),
            targets: Vec::new(),
            live: Vec::new(),
            late: Vec::new(),
            next_scrape: 0,
            to_replace: 0.0,
            replaced: 0,
            shape,
        };
        let mut left = fleet.shape.series;
        while left > 0 {
            let series = left.min(metrics);
            let target = fleet.add_target(fleet.live.len() as u64, 0, series);
            fleet.live.push(target);
            left -= series;
        }
        fleet
    }

    /// How many series a target has at most: the factor of [`Self::series_id`].
    #[must_use]
    pub fn series_id(&self, item: Item) -> u64 {
        u64::from(item.target) * self.templates.len() as u64 + u64::from(item.template)
    }

    /// The next scrape, or `None` after the last.
    pub fn next_scrape(&mut self) -> Option<Scrape> {
        let number = self.next_scrape;
        if number >= self.shape.scrapes {
            return None;
        }
        self.next_scrape += 1;
        let mut scrape = Scrape { number, ..Scrape::default() };
        self.deliver_late(&mut scrape);
        if number > 0 {
            self.replace_some(&mut scrape);
        }
        for &target in &self.live {
            let Some(of) = self.targets.get(target as usize) else { continue };
            if of.born == number {
                scrape.new_series += u64::from(of.series);
            }
            for template in 0..of.series {
                let item = Item { target, template, scrape: number, stale: false };
                match self.delay(item) {
                    0 => scrape.items.push(item),
                    delay => self.late.push((number + delay, item)),
                }
            }
        }
        Some(scrape)
    }

    /// Appends the labels of the series that a sample belongs to.
    pub fn put_labels(&self, item: Item, out: &mut Vec<u8>) {
        let target = self.targets.get(item.target as usize);
        let template = self.templates.get(item.template as usize);
        if let (Some(target), Some(template)) = (target, template) {
            template.put_labels(out, &target.labels);
        }
    }

    /// Timestamp and value of a sample.
    #[must_use]
    pub fn sample(&self, item: Item) -> (i64, f64) {
        let target = self.targets.get(item.target as usize);
        let template = self.templates.get(item.template as usize);
        let (Some(target), Some(template)) = (target, template) else { return (0, 0.0) };
        let jitter = below(mix(target.seed, u64::from(item.scrape)), 4) as i64;
        let at = self.shape.start_ms + i64::from(item.scrape) * self.shape.interval_ms;
        let timestamp = at + target.offset_ms + jitter.min(self.shape.interval_ms - 1);
        if item.stale {
            return (timestamp, f64::from_bits(STALE_NAN_BITS));
        }
        let seed = mix(target.seed, template.group);
        (timestamp, value(template.kind, seed, item.scrape - target.born))
    }

    /// Scrapes by which a sample comes late. Nothing is late in the last scrape, so all arrive.
    fn delay(&self, item: Item) -> u32 {
        if self.shape.out_of_order <= 0.0 {
            return 0;
        }
        let key = (self.series_id(item) << 20) ^ u64::from(item.scrape);
        let drawn = mix(self.shape.seed ^ 0x1a7e, key);
        if unit(drawn) >= self.shape.out_of_order {
            return 0;
        }
        let wanted = 1 + below(mix(drawn, 1), 3) as u32;
        wanted.min(self.shape.scrapes - 1 - item.scrape)
    }

    fn deliver_late(&mut self, scrape: &mut Scrape) {
        let number = scrape.number;
        self.late.retain(|&(due, item)| {
            if due == number {
                scrape.items.push(item);
            }
            due != number
        });
    }

    fn replace_some(&mut self, scrape: &mut Scrape) {
        self.to_replace += self.shape.churn * self.live.len() as f64;
        while self.to_replace >= 1.0 {
            self.to_replace -= 1.0;
            let place = below(self.replaced, self.live.len() as u64) as usize;
            self.replaced += 1;
            let Some(&old) = self.live.get(place) else { return };
            let Some(series) = self.targets.get(old as usize).map(|target| target.series) else { return };
            let ended = |template| Item { target: old, template, scrape: scrape.number, stale: true };
            scrape.items.extend((0..series).map(ended));
            let host = (self.shape.series as u64 + self.replaced) << 8;
            let new = self.add_target(host, scrape.number, series);
            if let Some(slot) = self.live.get_mut(place) {
                *slot = new;
            }
        }
    }

    fn add_target(&mut self, host: u64, born: u32, series: u32) -> u32 {
        let seed = mix(self.shape.seed, host);
        let labels = (0..self.shape.labels)
            .map(|position| {
                let name = target_label_name(position);
                let mut bytes = Vec::new();
                put_label(&mut bytes, &name, &target_label_value(&name, host, seed));
                bytes
            })
            .collect();
        let offset_ms = below(seed, (self.shape.interval_ms - 4).max(1) as u64) as i64;
        self.targets.push(Target { seed, labels, born, offset_ms, series });
        self.targets.len() as u32 - 1
    }
}

const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "ap-south-1"];
const SERVICES: [&str; 12] = [
    "checkout", "cart", "catalog", "payments", "search", "users", "orders", "gateway", "billing", "mail",
    "images", "reports",
];

fn target_label_value(name: &str, host: u64, seed: u64) -> String {
    let region = REGIONS[(mix(host >> 4, 1) % 4) as usize];
    let service = SERVICES[(mix(seed, 2) % 12) as usize];
    let env = ["prod", "prod", "prod", "staging", "dev"][(mix(host >> 4, 3) % 5) as usize];
    let digits = mix(seed, 4);
    match name {
        "instance" => {
            format!("10.{}.{}.{}:9100", (host >> 16) & 0xff, (host >> 8) & 0xff, host & 0xff)
        }
        "cluster" => format!("{env}-{region}-{}", mix(host >> 4, 5) % 3),
        "region" | "datacenter" => region.to_owned(),
        "zone" => format!("{region}{}", ["a", "b", "c"][(mix(seed, 6) % 3) as usize]),
        "env" => env.to_owned(),
        "namespace" => format!("{service}-{env}"),
        "pod" => format!("{service}-{:08x}-{:05x}", mix(host >> 3, 7) as u32, digits & 0xf_ffff),
        "node" => format!("ip-10-{}-{}.{region}.compute.internal", (host >> 3) & 0xff, digits % 250),
        "service" => service.to_owned(),
        "team" => format!("team-{}", mix(seed, 8) % 9),
        "version" => format!("v2.{}.{}", mix(host >> 5, 9) % 20, mix(host >> 5, 10) % 10),
        "rack" => format!("r{:02}", mix(host >> 3, 11) % 40),
        "arch" => "x86_64".to_owned(),
        "os" => "linux".to_owned(),
        "kernel" => format!("6.1.0-{}-amd64", 10 + mix(host >> 5, 12) % 20),
        "tier" => format!("tier-{}", mix(host >> 4, 13) % 3),
        _ => format!("{service}-{}", mix(seed, name.len() as u64 + 14) % 50),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::encode::read_labels;

    fn shape() -> Shape {
        Shape {
            series: 1000,
            metrics: 150,
            labels: 10,
            scrapes: 12,
            interval_ms: 15_000,
            start_ms: 1_700_000_000_000,
            churn: 0.0,
            out_of_order: 0.0,
            seed: 1,
        }
    }

    fn all_items(mut fleet: Fleet) -> (Fleet, Vec<Scrape>) {
        let scrapes = std::iter::from_fn(|| fleet.next_scrape()).collect();
        (fleet, scrapes)
    }

    #[test]
    fn every_scrape_has_every_series_once() {
        let (fleet, scrapes) = all_items(Fleet::new(shape()));
        assert_eq!(scrapes.len(), 12);
        assert_eq!(scrapes.iter().map(|scrape| scrape.new_series).sum::<u64>(), 1000);
        for scrape in &scrapes {
            let labels: BTreeSet<_> = scrape
                .items
                .iter()
                .map(|&item| {
                    let mut out = Vec::new();
                    fleet.put_labels(item, &mut out);
                    read_labels(&out).unwrap()
                })
                .collect();
            assert_eq!(labels.len(), 1000);
        }
    }

    #[test]
    fn late_samples_all_arrive_and_only_once() {
        let (fleet, scrapes) = all_items(Fleet::new(Shape { out_of_order: 0.2, ..shape() }));
        let mut seen = BTreeMap::new();
        let mut late = 0;
        for scrape in &scrapes {
            for &item in &scrape.items {
                assert_eq!(seen.insert((fleet.series_id(item), item.scrape), ()), None);
                late += u32::from(item.scrape < scrape.number);
            }
        }
        assert_eq!(seen.len(), 12_000);
        assert!((1500..2500).contains(&late), "{late}");
    }

    #[test]
    fn replaced_targets_end_with_stale_markers_and_bring_new_series() {
        let (fleet, scrapes) = all_items(Fleet::new(Shape { churn: 0.25, ..shape() }));
        let stale: usize = scrapes.iter().flat_map(|scrape| &scrape.items).filter(|item| item.stale).count();
        let new: u64 = scrapes.iter().map(|scrape| scrape.new_series).sum();
        assert!(stale > 1000);
        assert!(new > 2000);
        let ids: BTreeSet<_> =
            scrapes.iter().flat_map(|scrape| &scrape.items).map(|&item| fleet.series_id(item)).collect();
        assert_eq!(ids.len() as u64, new);
        let mut labels = BTreeSet::new();
        for &id in &ids {
            let item =
                Item { target: (id / 150) as u32, template: (id % 150) as u32, scrape: 11, stale: true };
            let mut out = Vec::new();
            fleet.put_labels(item, &mut out);
            labels.insert(out);
        }
        assert_eq!(labels.len(), ids.len());
    }

    #[test]
    fn timestamps_of_a_series_advance_by_the_interval() {
        let (fleet, _) = all_items(Fleet::new(shape()));
        for target in 0..6 {
            let at = |scrape| fleet.sample(Item { target, template: 3, scrape, stale: false }).0;
            for scrape in 1..12 {
                let step = at(scrape) - at(scrape - 1);
                assert!((14_997..=15_003).contains(&step), "{step}");
            }
            assert!(at(11) < shape().start_ms + 12 * 15_000);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_load() {
        let wanted = Shape { churn: 0.1, out_of_order: 0.1, ..shape() };
        let (one, first) = all_items(Fleet::new(wanted.clone()));
        let (two, second) = all_items(Fleet::new(wanted));
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(a.items, b.items);
            for &item in &a.items {
                let ((at, value), (other_at, other)) = (one.sample(item), two.sample(item));
                assert_eq!((at, value.to_bits()), (other_at, other.to_bits()));
            }
        }
    }
}
