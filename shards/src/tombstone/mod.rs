//! Deletes that are not yet carried out on every part: by matchers and range of time.
//!
//! A delete concerns what was written before it: the parts whose sequences are at most its own.
//! Readers apply it until a flush or a merge has carried it out; then the part says so by
//! [`crate::part::PartMeta::deletes_applied`]. When no part is left that it concerns, it is dropped.

mod file;

pub use self::file::{DELETES_FILE, decode, encode};

use crate::model::{Delete, Labels, TimeRange};
use crate::part::PartMeta;

/// Deletes of one shard that may be pending.
pub const DELETES_MAX: usize = 10_000;

/// Whether a part still holds what was deleted.
#[must_use]
pub const fn concerns(delete: &Delete, part: &PartMeta) -> bool {
    delete.sequence >= part.sequences.max && delete.id > part.deletes_applied && part.overlaps(delete.range)
}

/// Ranges of a series that the deletes took away, out of those deletes that `concerns` names.
pub fn ranges_of(
    deletes: &[Delete],
    labels: &[u8],
    concerns: impl Fn(&Delete) -> bool,
    out: &mut Vec<TimeRange>,
) {
    out.clear();
    let mut decoded = None;
    for delete in deletes.iter().filter(|delete| concerns(delete)) {
        let labels = decoded.get_or_insert_with(|| Labels::from_canonical_trusted(labels));
        if delete.matches(labels) {
            out.push(delete.range);
        }
    }
}
