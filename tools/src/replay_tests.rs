//! Times of a replay, and what a server receives.

use std::collections::BTreeMap;

use super::*;
use crate::acklog::AckList;
use crate::encode::STALE_NAN_BITS;
use crate::encode::tests::read_body;
use crate::fake::serve;
use crate::recording::RecordedSeries;

const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

fn options(url: Url) -> ReplayOptions {
    ReplayOptions {
        url,
        copies: 3,
        recorded_ms: 1000,
        interval_ms: 15_000,
        jitter_ms: 4,
        end_ms: 1_700_000_000_000,
        seed: 1,
        timeout: Duration::from_secs(10),
        pid: None,
        ack_log: None,
    }
}

fn scrapes(times: &[i64]) -> Vec<Scrape> {
    times.iter().map(|&at_ms| Scrape { at_ms, samples: Vec::new() }).collect()
}

fn nowhere() -> Url {
    Url::parse("http://127.0.0.1:1/").unwrap()
}

#[test]
fn the_interval_is_stretched_and_deviations_stay() {
    let stretched: Vec<_> = [500, 1503, 1996, 2499, 3000, 3001, 62_500]
        .map(|at_ms| stretch(at_ms, 500, 1000, 15_000).unwrap())
        .into();
    assert_eq!(stretched, [0, 15_003, 15_496, 29_999, 44_500, 44_501, 930_000]);
    assert_eq!(stretch(i64::MAX, -1, 1000, 15_000), None);
    assert_eq!(stretch(i64::MAX, 0, 1000, 15_000), None);
}

#[test]
fn the_last_copy_ends_at_the_end_and_copies_are_shifted() {
    let options = ReplayOptions { jitter_ms: 0, ..options(nowhere()) };
    let times = Times::new(&scrapes(&[7000, 8001, 9000]), &options).unwrap();
    let end = options.end_ms;
    let of_copy = |copy| (0..4).filter_map(|scrape| times.of(copy, scrape)).collect::<Vec<_>>();
    assert_eq!(of_copy(2), [end - 30_000, end - 14_999, end]);
    assert_eq!(of_copy(0), [end - 40_000, end - 24_999, end - 10_000]);
    assert_eq!(of_copy(1), [end - 35_000, end - 19_999, end - 5000]);
}

#[test]
fn scrapes_come_in_order_of_time_with_jitter_of_their_own() {
    let options = options(nowhere());
    let recorded: Vec<i64> = (0..200).map(|scrape| scrape * 1000).collect();
    let times = Times::new(&scrapes(&recorded), &options).unwrap();
    let order: Vec<_> = Order::new(&times, options.copies).collect();
    assert_eq!(order.len(), 600);
    assert!(order.is_sorted());
    let mut late = BTreeMap::new();
    for (at_ms, copy, scrape) in order {
        let exact = options.end_ms - (199 - scrape as i64) * 15_000 - 5000 * (2 - i64::from(copy));
        *late.entry(at_ms - exact).or_insert(0) += 1;
    }
    assert_eq!(late.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(late.values().all(|count| *count > 60), "{late:?}");
}

#[test]
fn times_of_a_copy_ascend_however_close_scrapes_were() {
    let options = ReplayOptions { copies: 1, ..options(nowhere()) };
    let recorded: Vec<i64> = (0..100).collect();
    let times = Times::new(&scrapes(&recorded), &options).unwrap();
    let order: Vec<i64> = Order::new(&times, 1).map(|(at_ms, ..)| at_ms).collect();
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
}

#[test]
fn times_out_of_range_are_errors() {
    let far = scrapes(&[i64::MIN, i64::MAX]);
    assert!(Times::new(&far, &options(nowhere())).is_err());
    let nothing = ReplayOptions { recorded_ms: 0, ..options(nowhere()) };
    assert!(Times::new(&scrapes(&[1]), &nothing).is_err());
}

#[test]
fn a_server_receives_every_copy_bit_by_bit() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let odd = f64::from_bits(0x7ff4_0000_0000_0007);
    let series = |text: &str, samples: &[(i64, f64)]| RecordedSeries {
        text: text.to_owned(),
        samples: samples.to_vec(),
    };
    let recording = Recording {
        series: vec![
            series(r#"a{instance="x",job="j"}"#, &[(1000, 1.0), (2000, odd)]),
            series(r#"b{empty=""}"#, &[(2000, stale)]),
        ],
    };
    let (url, bodies) = serve(1, &[DONE]);
    let dir = tempfile::tempdir().unwrap();
    let acks = dir.path().join("acks");
    let options = ReplayOptions { ack_log: Some(acks.clone()), ..options(url) };
    let report = run(&recording, &options).unwrap();
    assert_eq!((report.series, report.samples, report.posts), (6, 9, 6));

    let bodies = bodies.lock().unwrap();
    let mut found: BTreeMap<_, Vec<(i64, u64)>> = BTreeMap::new();
    let mut before = i64::MIN;
    for body in bodies.iter() {
        let received = read_body(body);
        let at_ms = received[0].1[0].0;
        assert!(at_ms > before);
        before = at_ms;
        for (labels, samples) in received {
            // All series of a scrape have its time.
            assert_eq!(samples[0].0, at_ms);
            let text: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            found.entry(text.join(",")).or_default().extend(samples);
        }
    }
    let values: Vec<(&str, Vec<u64>)> = found
        .iter()
        .map(|(labels, samples)| (labels.as_str(), samples.iter().map(|(_, bits)| *bits).collect()))
        .collect();
    let of_a = vec![1.0_f64.to_bits(), odd.to_bits()];
    assert_eq!(
        values,
        [
            ("__name__=a,instance=x-0,job=j", of_a.clone()),
            ("__name__=a,instance=x-1,job=j", of_a.clone()),
            ("__name__=a,instance=x-2,job=j", of_a),
            ("__name__=b,instance=copy-0", vec![STALE_NAN_BITS]),
            ("__name__=b,instance=copy-1", vec![STALE_NAN_BITS]),
            ("__name__=b,instance=copy-2", vec![STALE_NAN_BITS]),
        ]
    );
    let list = AckList::read(&acks).unwrap();
    let mut acked: Vec<_> = list.samples.iter().map(|sample| (sample.timestamp_ms, sample.bits)).collect();
    let mut sent: Vec<_> = found.into_values().flatten().collect();
    acked.sort_unstable();
    sent.sort_unstable();
    assert_eq!((acked, list.labels.len()), (sent, 6));
}

#[test]
fn a_refused_scrape_ends_the_replay() {
    let (url, _) = serve(1, &["HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad"]);
    let series = vec![RecordedSeries { text: "a".to_owned(), samples: vec![(0, 1.0)] }];
    let error = run(&Recording { series }, &options(url)).unwrap_err();
    assert_eq!(format!("{error:#}"), "scrape 0 of copy 0: status 400: bad");
}
