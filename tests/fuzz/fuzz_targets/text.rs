//! The text exposition format: no panic, and what is staged has canonical labels.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shards::model::{KeyHasher, Labels};
use tsdb::ingest::BatchBuilder;
use tsdb::ingest::text::{TextOptions, decode};

fuzz_target!(|text: &[u8]| {
    let mut builder = BatchBuilder::new(KeyHasher::new(1), 2);
    let options = TextOptions { timestamp_ms: 1, extra_labels: &[("job", "fuzz")] };
    if let Err(error) = decode(text, options, &mut builder) {
        assert!(error.line >= 1);
        assert!(error.to_string().len() < 1024);
        return;
    }
    let request = builder.finish();
    for series in request.batches.iter().flat_map(|batch| batch.series()) {
        let labels = Labels::from_canonical(series.labels).expect("staged labels are canonical");
        assert!(labels.metric_name().is_some());
        assert_eq!(labels.get("job"), Some("fuzz"));
    }
});
