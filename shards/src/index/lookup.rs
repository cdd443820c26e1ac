//! Matchers to series, the cheapest first.
//!
//! A matcher that does not match the empty value selects: the union of the posting lists of the
//! values it matches. One that does match it takes away: the union of the lists of the values it
//! does not match, because a series without the label satisfies it.

use roaring::RoaringBitmap;

use super::postings::Postings;
use crate::model::{MatchOp, Matcher};

/// Where posting lists come from.
pub trait PostingsSource {
    /// All series.
    fn all(&self) -> RoaringBitmap;

    /// The series with this value of the label.
    fn postings(&self, name: &str, value: &str) -> Option<&Postings>;

    /// Hands over every value of a label with its series.
    fn for_each_value(&self, name: &str, visit: &mut dyn FnMut(&str, &Postings));
}

/// The series that satisfy all matchers; all series where there is none.
pub fn lookup(source: &impl PostingsSource, matchers: &[Matcher]) -> RoaringBitmap {
    let (selecting, subtracting): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| !matcher.matches_empty());
    let mut exact = Vec::new();
    let mut scanning = Vec::new();
    for matcher in selecting {
        match matcher.op() {
            MatchOp::Equal => match source.postings(matcher.name(), matcher.value()) {
                Some(postings) => exact.push(postings),
                None => return RoaringBitmap::new(),
            },
            _ => scanning.push(matcher),
        }
    }
    exact.sort_by_key(|postings| postings.len());
    let mut chosen: Option<RoaringBitmap> = None;
    for postings in exact {
        match &mut chosen {
            None => {
                let mut set = RoaringBitmap::new();
                postings.add_to(&mut set);
                chosen = Some(set);
            }
            Some(set) => postings.intersect(set),
        }
    }
    for matcher in scanning {
        let union = union_of(source, matcher, true);
        match &mut chosen {
            None => chosen = Some(union),
            Some(set) => *set &= union,
        }
    }
    let mut chosen = chosen.unwrap_or_else(|| source.all());
    for matcher in subtracting {
        if chosen.is_empty() {
            break;
        }
        match matcher.op() {
            MatchOp::NotEqual => {
                if let Some(postings) = source.postings(matcher.name(), matcher.value()) {
                    postings.subtract_from(&mut chosen);
                }
            }
            _ => chosen -= union_of(source, matcher, false),
        }
    }
    chosen
}

/// Union of the lists of those values for which the matcher says `wanted`.
fn union_of(source: &impl PostingsSource, matcher: &Matcher, wanted: bool) -> RoaringBitmap {
    let mut union = RoaringBitmap::new();
    // A finite set of values needs no look at the others.
    if let (Some(literals), true) = (matcher.literals(), wanted == (matcher.op() == MatchOp::Regex)) {
        for value in literals {
            if let Some(postings) = source.postings(matcher.name(), value) {
                postings.add_to(&mut union);
            }
        }
        return union;
    }
    source.for_each_value(matcher.name(), &mut |value, postings| {
        if matcher.matches(value) == wanted {
            postings.add_to(&mut union);
        }
    });
    union
}
