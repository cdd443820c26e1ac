//! Matchers and listings over an index.

use roaring::RoaringBitmap;

use super::PageSource;
use super::dictionary::Dictionary;
use super::format::NameEntry;
use super::reader::BlockIndex;
use crate::codec::Cursor;
use crate::error::Result;
use crate::model::label::next_label;
use crate::model::regex::Shape;
use crate::model::{MatchOp, Matcher};

/// A selection this many times smaller than the number of values is tested series by series.
const TEST_SERIES_RATIO: u64 = 16;

/// Series that a matcher takes.
enum Taken {
    /// These.
    Only(RoaringBitmap),
    /// All but these.
    AllBut(RoaringBitmap),
}

impl<S: PageSource> BlockIndex<S> {
    fn name(&self, name: &str) -> Option<&NameEntry> {
        self.names
            .binary_search_by(|entry| entry.name.as_str().cmp(name))
            .ok()
            .and_then(|at| self.names.get(at))
    }

    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.series_count());
        all
    }

    /// Ordinals of the series that satisfy every matcher; all series without any matcher.
    pub async fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap> {
        let mut set: Option<RoaringBitmap> = None;
        let mut order: Vec<&Matcher> = matchers.iter().collect();
        order.sort_by_key(|matcher| (is_pattern(matcher), matcher.matches_empty()));
        for matcher in order {
            if set.as_ref().is_some_and(RoaringBitmap::is_empty) {
                break;
            }
            let values = self.name(matcher.name()).map_or(0, |name| name.values);
            if is_pattern(matcher)
                && let Some(small) = set.as_ref().filter(|set| set.len() * TEST_SERIES_RATIO < values)
            {
                set = Some(self.test(small, matcher).await?);
                continue;
            }
            let before = set.take();
            set = Some(match self.taken(matcher).await? {
                Taken::Only(only) => match before {
                    Some(before) => before & only,
                    None => only,
                },
                Taken::AllBut(but) => before.unwrap_or_else(|| self.all()) - but,
            });
        }
        Ok(set.unwrap_or_else(|| self.all()))
    }

    /// Those of the series that a matcher takes, by their labels.
    async fn test(&self, set: &RoaringBitmap, matcher: &Matcher) -> Result<RoaringBitmap> {
        let mut kept = RoaringBitmap::new();
        self.for_each(set, &mut |ordinal, labels, _| {
            let mut cursor = Cursor::new(labels);
            let mut value = "";
            while let Some((name, found)) = next_label(&mut cursor) {
                if name == matcher.name() {
                    value = found;
                    break;
                }
            }
            if matcher.matches(value) {
                kept.insert(ordinal);
            }
            Ok(())
        })
        .await?;
        Ok(kept)
    }

    async fn taken(&self, matcher: &Matcher) -> Result<Taken> {
        let negative = matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex);
        let Some(entry) = self.name(matcher.name()) else {
            let none = RoaringBitmap::new();
            return Ok(if matcher.matches_empty() { Taken::AllBut(none) } else { Taken::Only(none) });
        };
        Ok(match matcher.shape() {
            Shape::AnyValue if negative => Taken::Only(RoaringBitmap::new()),
            Shape::AnyValue => Taken::AllBut(RoaringBitmap::new()),
            Shape::NotEmpty if negative => Taken::AllBut(self.list(entry.place).await?),
            Shape::NotEmpty => Taken::Only(self.list(entry.place).await?),
            Shape::OneOf(values) => {
                let mut listed = RoaringBitmap::new();
                for value in values.iter().filter(|value| !value.is_empty()) {
                    if let Some(place) = self.find(entry, value).await? {
                        listed |= self.list(place).await?;
                    }
                }
                match (negative, matcher.matches_empty()) {
                    (false, false) => Taken::Only(listed),
                    (true, true) => Taken::AllBut(listed),
                    (false, true) => Taken::AllBut(self.list(entry.place).await? - listed),
                    (true, false) => Taken::Only(self.list(entry.place).await? - listed),
                }
            }
            Shape::Prefix(prefix) => {
                let listed = self.union(entry, prefix, &|value| value.starts_with(prefix.as_str())).await?;
                match (negative, matcher.matches_empty()) {
                    (false, _) => Taken::Only(listed),
                    (true, _) => Taken::AllBut(listed),
                }
            }
            _ if matcher.matches_empty() => {
                Taken::AllBut(self.union(entry, "", &|value| !matcher.matches(value)).await?)
            }
            _ => Taken::Only(self.union(entry, "", &|value| matcher.matches(value)).await?),
        })
    }

    /// Place of the series with a value.
    async fn find(&self, entry: &NameEntry, value: &str) -> Result<Option<u64>> {
        let behind = entry.dictionaries.partition_point(|dictionary| dictionary.first.as_str() <= value);
        let Some(dictionary) = behind.checked_sub(1).and_then(|at| entry.dictionaries.get(at)) else {
            return Ok(None);
        };
        let bytes = self.piece(dictionary.offset, dictionary.len).await?;
        let map = Dictionary::read(&bytes)
            .ok_or_else(|| self.corrupt(dictionary.offset, "a dictionary is damaged"))?;
        Ok(map.get(value))
    }

    /// Hands over the values of a name from `from` on, with their places, until `put` returns false.
    async fn values_from(
        &self,
        entry: &NameEntry,
        from: &str,
        put: &mut dyn FnMut(&str, u64) -> bool,
    ) -> Result<()> {
        let first = entry.dictionaries.partition_point(|dictionary| dictionary.first.as_str() <= from);
        let mut more = true;
        for dictionary in entry.dictionaries.iter().skip(first.saturating_sub(1)) {
            let bytes = self.piece(dictionary.offset, dictionary.len).await?;
            let damaged = || self.corrupt(dictionary.offset, "a dictionary is damaged");
            let map = Dictionary::read(&bytes).ok_or_else(damaged)?;
            map.for_each(from, &mut |value, place| {
                more = put(value, place);
                more
            })
            .ok_or_else(damaged)?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Series with a value that is wanted; values are tried from `prefix` on as long as they have it.
    async fn union(
        &self,
        entry: &NameEntry,
        prefix: &str,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<RoaringBitmap> {
        let mut places = Vec::new();
        self.values_from(entry, prefix, &mut |value, place| {
            if wanted(value) {
                places.push(place);
            }
            value.starts_with(prefix)
        })
        .await?;
        let mut union = RoaringBitmap::new();
        let mut single = Vec::new();
        for place in places {
            if place & 1 == 1 {
                single.push(u32::try_from(place >> 1).unwrap_or(u32::MAX));
            } else {
                union |= self.list(place).await?;
            }
        }
        single.retain(|ordinal| *ordinal < self.series_count());
        single.sort_unstable();
        union |= crate::index::postings::bitmap_of_sorted(single);
        Ok(union)
    }

    /// Label names, sorted; of the given series only if `within` is given.
    pub async fn label_names(&self, within: Option<&RoaringBitmap>) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in &self.names {
            let wanted = match within {
                None => true,
                Some(within) => !self.list(entry.place).await?.is_disjoint(within),
            };
            if wanted {
                names.push(entry.name.clone());
            }
        }
        Ok(names)
    }

    /// Values of one label, sorted; of the given series only if `within` is given.
    pub async fn label_values(&self, name: &str, within: Option<&RoaringBitmap>) -> Result<Vec<String>> {
        let Some(entry) = self.name(name) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        self.values_from(entry, "", &mut |value, place| {
            found.push((value.to_owned(), place));
            true
        })
        .await?;
        let mut values = Vec::with_capacity(found.len());
        for (value, place) in found {
            let wanted = match within {
                None => true,
                Some(within) if place & 1 == 1 => {
                    u32::try_from(place >> 1).is_ok_and(|ordinal| within.contains(ordinal))
                }
                Some(within) => !self.list(place).await?.is_disjoint(within),
            };
            if wanted {
                values.push(value);
            }
        }
        Ok(values)
    }
}

/// Whether values have to be tried.
fn is_pattern(matcher: &Matcher) -> bool {
    matches!(matcher.shape(), Shape::Prefix(_) | Shape::Suffix(_) | Shape::Contains(_) | Shape::Pattern)
}
