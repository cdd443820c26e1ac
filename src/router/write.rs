//! The way of a write: decoded on one shard's core, its series sent to their owners, their answers
//! summed up. Nothing is acknowledged before every owner has it in its log.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use shards::engine::{CallError, Reply};
use shards::model::{Metadata, SampleBatch};
use shards::shard::{AppendOutcome, RefuseReason as ShardReason, Shard, Writer};

use super::{Router, RouterError};
use crate::ingest::{
    DecodeError, Decoder, IngestCounters, IngestFigures, RefuseReason, WriteRequest, WriteSummary,
    canonicalise,
};

/// Why a write as a whole failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Router(#[from] RouterError),
}

/// What became of a batch, with the batch itself, which names the refused series.
type Appended = (shards::error::Result<AppendOutcome>, SampleBatch);

/// What a shard core keeps for decoding: buffers that are used again, and its counters.
#[derive(Default)]
struct CoreIngest {
    decoder: RefCell<Option<Decoder>>,
    counters: IngestCounters,
}

thread_local! {
    /// A core belongs to one engine for all its life.
    static INGEST: CoreIngest = CoreIngest::default();
}

impl Router {
    /// Decodes and stores the body of a remote-write request.
    pub async fn write_body(&self, body: Bytes) -> Result<WriteSummary, WriteError> {
        let router = self.clone();
        let reply = self
            .least_loaded()
            .write(move |writer| async move {
                let request = router.decode(&body)?;
                drop(body);
                Ok(router.store_from(&writer, request).await?)
            })
            .map_err(RouterError::from)?;
        reply.await.map_err(RouterError::from)?
    }

    /// Stores a request that was built on this core.
    pub async fn write_request(&self, request: WriteRequest) -> Result<WriteSummary, RouterError> {
        let router = self.clone();
        let work = move |writer| async move { router.store_from(&writer, request).await };
        self.least_loaded().write(work)?.await?
    }

    fn decode(&self, body: &[u8]) -> Result<WriteRequest, DecodeError> {
        INGEST.with(|core| {
            let mut decoder = core.decoder.borrow_mut();
            let make = || Decoder::new(self.hasher().clone(), self.shard_count(), self.limits);
            let request = decoder.get_or_insert_with(make).decode(body);
            core.counters.decoded(body.len(), &request);
            request
        })
    }

    /// What all shard cores have decoded.
    pub async fn ingest_figures(&self) -> IngestFigures {
        let ask = |_: Rc<Shard>| async {
            Ok((std::thread::current().id(), INGEST.with(|core| core.counters.figures())))
        };
        // Several shards may live on one core, which counts once.
        let by_core: HashMap<_, _> = self.ask_all(ask).await.unwrap_or_default().into_iter().collect();
        let mut total = IngestFigures::default();
        by_core.values().for_each(|figures| total.merge(figures));
        total
    }

    /// Runs on the core of `writer`.
    async fn store_from(&self, writer: &Writer, request: WriteRequest) -> Result<WriteSummary, RouterError> {
        let mut summary = request.refused;
        let described = self.send_metadata(request.metadata)?;
        let again = self.store_batches(writer, request.batches, &mut summary).await?;
        let again = self.canonical_batches(&again, &mut summary);
        for batch in self.store_batches(writer, again, &mut summary).await? {
            // Canonical by our own making; if the shard disagrees still, the labels are at fault.
            for series in batch.series() {
                let samples = series.timestamps_ms.len() as u64;
                summary.refuse(RefuseReason::InvalidLabels, series.labels, None, samples);
            }
        }
        for reply in described {
            reply.await??;
        }
        INGEST.with(|core| core.counters.finished(&summary));
        Ok(summary)
    }

    /// Sends batches to their owners and waits for all of them. Gives the series that the owners
    /// did not accept as they are.
    async fn store_batches(
        &self,
        here: &Writer,
        batches: Vec<SampleBatch>,
        summary: &mut WriteSummary,
    ) -> Result<Vec<SampleBatch>, RouterError> {
        let mut own = None;
        let mut sent: Vec<Result<Reply<Appended>, CallError>> = Vec::new();
        for (handle, batch) in self.shards.iter().zip(batches) {
            if batch.is_empty() {
                continue;
            }
            if handle.shard() == here.id() {
                own = Some(batch);
                continue;
            }
            sent.push(handle.write(move |writer| async move {
                let outcome = writer.append(&batch).await;
                (outcome, batch)
            }));
        }
        let mut unacceptable = Vec::new();
        let mut failure = None;
        let mut take_in = |(outcome, batch): Appended| match outcome {
            Ok(outcome) => {
                add(summary, &outcome, &batch);
                if !outcome.unacceptable.is_empty() {
                    unacceptable.push(batch.subset(&outcome.unacceptable));
                }
            }
            Err(error) => failure = Some(RouterError::from(error)),
        };
        if let Some(batch) = own {
            let outcome = here.append(&batch).await;
            take_in((outcome, batch));
        }
        let mut unsent = None;
        for reply in sent {
            match reply {
                Ok(reply) => take_in(reply.await?),
                Err(error) => unsent = Some(error),
            }
        }
        // What the other shards stored stays stored; the client sends all of it again.
        match (failure, unsent) {
            (Some(error), _) => Err(error),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Ok(unacceptable),
        }
    }

    /// Brings the labels of these series into canonical form and finds their owners anew.
    fn canonical_batches(&self, batches: &[SampleBatch], summary: &mut WriteSummary) -> Vec<SampleBatch> {
        let mut label_bytes = Vec::new();
        let mut canonical = vec![SampleBatch::default(); self.shards.len()];
        for series in batches.iter().flat_map(SampleBatch::series) {
            let labels = match canonicalise(series.labels) {
                Ok(labels) => labels,
                Err(fault) => {
                    summary.refuse_labels(&fault, series.labels, series.timestamps_ms.len() as u64);
                    continue;
                }
            };
            let start = label_bytes.len();
            label_bytes.extend_from_slice(&labels);
            let key = self.hasher().key(&labels);
            let range = (u32::try_from(start), u32::try_from(label_bytes.len()));
            if let ((Ok(start), Ok(end)), Some(batch)) =
                (range, canonical.get_mut(key.shard(self.shard_count()).index()))
            {
                batch.push_series(key, start, end);
                batch.extend_samples(series.timestamps_ms, series.values);
            }
        }
        let label_bytes = Bytes::from(label_bytes);
        for batch in &mut canonical {
            batch.set_label_bytes(label_bytes.clone());
        }
        canonical
    }

    /// Sends metadata to the shards that keep it, by metric name.
    fn send_metadata(
        &self,
        metadata: Vec<Metadata>,
    ) -> Result<Vec<Reply<shards::error::Result<()>>>, RouterError> {
        let mut by_shard = vec![Vec::new(); self.shards.len()];
        for one in metadata {
            let owner = self.hasher().key(one.metric.as_bytes()).shard(self.shard_count());
            if let Some(list) = by_shard.get_mut(owner.index()) {
                list.push(one);
            }
        }
        let sent = self.shards.iter().zip(by_shard).filter(|(_, list)| !list.is_empty());
        let calls = sent
            .map(|(handle, list)| handle.write(|writer| async move { writer.append_metadata(list).await }));
        Ok(calls.collect::<Result<_, CallError>>()?)
    }
}

/// Adds what a shard did with a batch.
fn add(summary: &mut WriteSummary, outcome: &AppendOutcome, batch: &SampleBatch) {
    summary.store(outcome.stored);
    for reason in ShardReason::ALL {
        let told: Vec<_> = outcome.refusals.iter().filter(|refusal| refusal.reason == reason).collect();
        let mut counted = 0;
        for refusal in told {
            let samples = match refusal.timestamp_ms {
                Some(_) => 1,
                None => {
                    batch.nth_series(refusal.series).map_or(0, |series| series.timestamps_ms.len() as u64)
                }
            };
            let labels = batch.nth_series(refusal.series).map_or(&[][..], |series| series.labels);
            summary.refuse(reason_of(reason), labels, refusal.timestamp_ms, samples);
            counted += samples;
        }
        summary.count(reason_of(reason), outcome.refused(reason).saturating_sub(counted));
    }
}

const fn reason_of(reason: ShardReason) -> RefuseReason {
    match reason {
        ShardReason::TooOld => RefuseReason::TooOld,
        ShardReason::TooFarInFuture => RefuseReason::TooFarInFuture,
        ShardReason::SeriesLimit => RefuseReason::SeriesLimit,
    }
}
