//! Opening a shard: parts, deletes and the series table, then the log on top of them.
//!
//! Nothing that is damaged keeps a shard from opening: it is put aside or skipped, logged and
//! counted.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

use hashbrown::HashMap;
use hashbrown::HashSet;

use super::flush::{METADATA_FILE, METADATA_MAGIC};
use super::metrics::ShardCounters;
use super::parts::{self, Part, PartSet, part_set};
use super::turn::Turns;
use super::view::Readers;
use super::{Shard, ShardOptions, State, write};
use crate::clock::Clock;
use crate::codec::Cursor;
use crate::codec::crc::crc32c;
use crate::error::{Error, Result};
use crate::io::{Cache, Disk, Workers, dirs};
use crate::memtable::Memtable;
use crate::model::{Delete, KeyHasher, Metadata};
use crate::part::PartKind;
use crate::registry::Registry;
use crate::registry::file::SeriesFile;
use crate::tombstone;
use crate::wal::record::next_record;
use crate::wal::{Record, Wal};

impl Shard {
    /// Opens the shard of a directory, making it where there is none.
    pub async fn open(disk: Disk, workers: Workers, clock: Clock, options: ShardOptions) -> Result<Self> {
        let cache = Cache::new(options.cache_bytes);
        let counters = ShardCounters::default();
        let parts = open_parts(&disk, &cache, &options, &counters).await?;
        let (last_delete, deletes) = read_deletes(&disk, &options.directory)?;
        let mut registry = Registry::new();
        let mut lost_series = 0;
        let series_directory = options.directory.join(dirs::SERIES_DIRECTORY);
        let mut loader = registry.load();
        let opened = SeriesFile::open(&disk, &series_directory, options.shard, |entry| {
            if loader.add(entry, options.hasher.key(entry.labels)).is_err() {
                lost_series += 1;
            }
        });
        let (series_file, series_report) = opened.await?;
        loader.finish(&disk).await;
        counters.damage_found.set(series_report.frames_bad + series_report.files_damaged);
        let sequences = parts.iter().map(|part| part.meta.sequences.max);
        let sequence =
            sequences.chain(deletes.iter().map(|delete| delete.sequence)).max().map_or(1, |last| last + 1);
        let frontier_ms = parts.iter().map(|part| part.meta.max_ms).max().unwrap_or(i64::MIN);
        let mut state = State {
            registry,
            memtable: Memtable::new(),
            sequence,
            active_since_ms: None,
            frozen: None,
            unsaved: Vec::new(),
            metadata: read_metadata(&disk, &options.directory)?,
            metadata_saved: true,
            parts,
            frontier_ms,
            deletes: Rc::new(deletes),
            last_delete,
            deletes_saved: true,
            readers: Readers::default(),
            idle: None,
            scratch: write::Scratch::default(),
        };
        let mut replay = Replay { hasher: &options.hasher, state: &mut state, lost_samples: 0, lost_series };
        let wal_directory = options.directory.join(dirs::WAL_DIRECTORY);
        let mut apply = |record: Record<'_>| replay.apply(record);
        let opened = Wal::open(disk.clone(), &wal_directory, options.shard, options.wal.clone(), &mut apply);
        let (wal, report) = opened.await?;
        if replay.lost_samples > 0 || replay.lost_series > 0 {
            tracing::error!(
                shard = options.shard.0,
                samples = replay.lost_samples,
                series = replay.lost_series,
                "log records refer to series that are damaged or missing; they were skipped"
            );
        }
        if let Some((_, last_ms)) = state.memtable.bounds() {
            state.frontier_ms = state.frontier_ms.max(last_ms);
            state.active_since_ms = Some(clock.now_ms());
        }
        tracing::info!(
            shard = options.shard.0,
            parts = state.parts.len(),
            series = state.registry.len(),
            samples = state.memtable.samples(),
            segments = report.segments,
            frames = report.frames,
            bytes = report.bytes,
            "opened"
        );
        counters.checkpoint_bytes.set(series_file.bytes());
        Ok(Self {
            retention: Cell::new(options.retention),
            options,
            clock,
            disk,
            workers,
            cache,
            state: RefCell::new(state),
            wal,
            series_file,
            replay: report,
            counters,
            flushing: Turns::default(),
            merging: Turns::default(),
            closing: Cell::new(false),
            disk_full: Cell::new(false),
        })
    }
}

/// Opens the parts of a shard, ends what a crash has interrupted, puts aside what is damaged.
async fn open_parts(
    disk: &Disk,
    cache: &Cache,
    options: &ShardOptions,
    counters: &ShardCounters,
) -> Result<PartSet> {
    disk.create_directory(&options.directory)?;
    let found = parts::find(disk, &options.directory)?;
    for (path, kind) in &found.leftovers {
        tracing::info!(path = %path.display(), "what an interrupted flush or merge has left is deleted");
        match kind {
            PartKind::Run => disk.remove(path)?,
            PartKind::Block => disk.remove_directory(path)?,
        }
    }
    for name in disk.list(&options.directory)? {
        if name.ends_with(dirs::TEMPORARY_SUFFIX) {
            disk.remove(&options.directory.join(name))?;
        }
    }
    counters.parts_quarantined.set(found.quarantined);
    let mut opened = Vec::new();
    for (id, kind) in found.parts {
        match Part::open(disk, cache, &options.directory, id, kind).await {
            Ok(part) => opened.push(Rc::new(part)),
            Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. } | Error::Corrupt { .. })
                if is_remainder(disk, &options.directory, id, kind)? =>
            {
                // A block whose deletion was interrupted.
                disk.remove_directory(&parts::path_of(&options.directory, id, kind))?;
            }
            Err(error @ (Error::Corrupt { .. } | Error::Io { kind: std::io::ErrorKind::NotFound, .. })) => {
                tracing::error!(shard = options.shard.0, %error, "a part is damaged; it is put aside, the rest is served");
                parts::quarantine(disk, &parts::path_of(&options.directory, id, kind))?;
                counters.parts_quarantined.set(counters.parts_quarantined.get() + 1);
            }
            Err(error) => return Err(error),
        }
    }
    // A merge whose inputs were not all deleted.
    let parents: HashSet<_> = opened.iter().flat_map(|part| part.meta.parents.iter().copied()).collect();
    for part in opened.extract_if(.., |part| parents.contains(&part.meta.id)) {
        part.discard(disk)?;
    }
    for name in [dirs::RUNS_DIRECTORY, dirs::BLOCKS_DIRECTORY] {
        disk.sync_directory(&options.directory.join(name))?;
    }
    Ok(part_set(opened))
}

/// Whether a block's directory has no meta any more: its deletion had begun.
fn is_remainder(disk: &Disk, directory: &Path, id: crate::part::PartId, kind: PartKind) -> Result<bool> {
    if kind == PartKind::Run {
        return Ok(false);
    }
    let names = disk.list(&parts::path_of(directory, id, kind))?;
    Ok(!names.iter().any(|name| name == crate::block::META_FILE))
}

fn read_deletes(disk: &Disk, directory: &Path) -> Result<(u64, Vec<Delete>)> {
    let path = directory.join(tombstone::DELETES_FILE);
    let read = disk.read_small(&path, 64 << 20).and_then(|bytes| match bytes {
        Some(bytes) => tombstone::decode(&path, &bytes),
        None => Ok((0, Vec::new())),
    });
    match read {
        Err(error @ Error::Corrupt { .. }) => {
            tracing::error!(%error, "pending deletes are lost: what they took away may be seen again");
            parts::quarantine(disk, &path)?;
            Ok((0, Vec::new()))
        }
        read => read,
    }
}

fn read_metadata(disk: &Disk, directory: &Path) -> Result<HashMap<String, Metadata>> {
    let path = directory.join(METADATA_FILE);
    let mut metadata = HashMap::new();
    let Some(bytes) = disk.read_small(&path, 1 << 30)? else { return Ok(metadata) };
    let records = bytes.strip_prefix(METADATA_MAGIC.as_slice()).and_then(|rest| rest.split_at_checked(4));
    let records = records.filter(|(crc, records)| *crc == crc32c(records).to_le_bytes());
    let Some((_, records)) = records else {
        tracing::error!(path = %path.display(), "the metadata of metric families is damaged; it is put aside");
        parts::quarantine(disk, &path)?;
        return Ok(metadata);
    };
    let mut cursor = Cursor::new(records);
    while let Ok(Some(record)) = next_record(&mut cursor) {
        if let Record::Metadata(one) = record {
            metadata.insert(one.metric.clone(), one);
        }
    }
    Ok(metadata)
}

/// Applies the records of the log.
struct Replay<'a> {
    hasher: &'a KeyHasher,
    state: &'a mut State,
    lost_samples: u64,
    lost_series: u64,
}

impl Replay<'_> {
    fn apply(&mut self, record: Record<'_>) {
        match record {
            Record::Series { series, labels } => {
                let key = self.hasher.key(labels);
                if self.state.registry.replace_at(series, key, labels).is_err() {
                    self.lost_series += 1;
                }
            }
            Record::Samples(samples) => {
                let State { registry, memtable, scratch, .. } = &mut *self.state;
                self.lost_samples +=
                    scratch.refill(samples, |series| registry.contains(series).then_some(series));
                scratch.store(memtable);
            }
            Record::Metadata(metadata) => {
                self.state.metadata.insert(metadata.metric.clone(), metadata);
                self.state.metadata_saved = false;
            }
            Record::Delete(delete) => {
                if delete.id > self.state.last_delete
                    || self.state.deletes.iter().any(|one| one.id == delete.id)
                {
                    self.state.replay_delete(delete);
                } else {
                    // Carried out on all parts by now; the samples before it in the log are not.
                    let known = self.state.deletes.clone();
                    self.state.replay_delete(delete);
                    self.state.deletes = known;
                }
            }
            // Nothing takes these in yet.
            Record::Extras { .. } => self.lost_samples += 1,
            Record::Unknown { .. } => {}
        }
    }
}

impl State {
    /// A delete that may be in the list of deletes already.
    fn replay_delete(&mut self, delete: Delete) {
        Rc::make_mut(&mut self.deletes).retain(|one| one.id != delete.id);
        // What is written from now on is not meant, whatever is left of the generations of then.
        self.sequence = self.sequence.max(delete.sequence.saturating_add(1));
        self.apply_delete(delete);
    }
}
