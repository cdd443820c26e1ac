//! Flipped bits in every kind of file: the shard opens, and never answers with what was not written.

use futures_lite::future::block_on;

use super::world::{EPOCH, HOUR, Samples, World, equal};
use crate::error::Error;
use crate::model::{SampleColumns, TimeRange};

fn filled() -> (World, Samples) {
    let world = World::new(5);
    let mut model = Samples::new();
    let mut scrape = |world: &World, minute: i64| {
        let time = EPOCH + minute * 60_000;
        let samples: Vec<_> =
            (0..10u32).map(|n| (n, time, (minute as f64 * f64::from(n)).to_bits())).collect();
        world.append(&samples).unwrap();
        for (series, time, bits) in samples {
            model.entry(series).or_default().insert(time, bits);
        }
    };
    for minute in 0..10 {
        scrape(&world, minute);
    }
    block_on(world.shard.compact()).unwrap();
    for minute in 130..140 {
        scrape(&world, minute);
    }
    block_on(world.shard.flush()).unwrap();
    block_on(world.shard.delete(&[vec![equal("id", "99")]], TimeRange::new(0, HOUR))).unwrap();
    block_on(world.shard.flush()).unwrap();
    for minute in 140..145 {
        scrape(&world, minute);
    }
    (world, model)
}

#[test]
fn a_flipped_bit_never_gives_a_wrong_value() {
    let (world, model) = filled();
    let paths = world.disk.paths();
    for kind in ["chunks", "index", "meta.json", ".run", ".tbl", ".wal", "deletes"] {
        assert!(paths.iter().any(|path| path.to_string_lossy().ends_with(kind)), "no {kind} in {paths:?}");
    }
    for path in paths {
        let len = world.disk.file_len(&path).unwrap();
        // Every bit of small files, and a good part of large ones.
        let step = (len * 8 / 1200).max(1);
        for bit in (0..len * 8).step_by(step) {
            let copy = world.disk.copy(1);
            copy.flip_bit(&path, bit);
            let opened =
                World::try_on(copy).unwrap_or_else(|error| panic!("{}: bit {bit}: {error}", path.display()));
            let mut cursor = opened.shard.select(&[], TimeRange::ALL);
            let mut columns = SampleColumns::default();
            while let Some(labels) = block_on(cursor.next(&mut columns)).unwrap() {
                let number: u32 = labels.get("id").unwrap().parse().unwrap();
                let known = &model[&number];
                for (time, value) in columns.timestamps_ms.iter().zip(&columns.values) {
                    assert_eq!(known.get(time), Some(&value.to_bits()), "{}: bit {bit}", path.display());
                }
            }
            // Merging goes around it, or leaves it alone, and so does what is read then.
            match block_on(opened.shard.compact()) {
                Ok(()) | Err(Error::Corrupt { .. }) => {}
                Err(error) => panic!("{}: bit {bit}: {error}", path.display()),
            }
            for (number, samples) in opened.read(&[], TimeRange::ALL) {
                for (time, bits) in samples {
                    assert_eq!(model[&number].get(&time), Some(&bits), "{}: bit {bit}", path.display());
                }
            }
        }
    }
}
