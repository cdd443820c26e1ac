//! From matchers to the set of series that satisfy all of them.
//!
//! A missing label counts as the empty value. So a matcher that takes the empty value takes every
//! series without the label, and is applied by subtracting the series whose value it does not
//! take; any other is applied by intersecting with the series whose value it takes.
//!
//! Cheap conditions come first: lists that are known by value, smallest first, then subtractions,
//! then patterns that have to be tried. A pattern is tried on the distinct values of its label, or,
//! where fewer series than values are left, on the values of these series.

use roaring::RoaringBitmap;

use crate::model::matcher::{MatchOp, Matcher};
use crate::model::regex::Shape;

use super::postings::{PostingsView, bitmap_of_sorted, union};

/// Where posting lists come from. Names and values are never empty.
pub trait PostingsSource {
    /// All series.
    fn all(&self) -> PostingsView<'_>;

    /// Series that have the label, whatever its value.
    fn with_name(&self, name: &str) -> PostingsView<'_>;

    /// Series whose label has this value.
    fn with_value(&self, name: &str, value: &str) -> PostingsView<'_>;

    /// Distinct values of a label.
    fn value_count(&self, name: &str) -> usize;

    /// Calls `visit` with every distinct value of a label and its series, in any order.
    fn for_each_value<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a str, PostingsView<'a>));

    /// Value that a series has for a label; empty if it does not have it.
    fn value_of(&self, series: u32, name: &str) -> &str;
}

/// A matcher whose posting lists are known without trying values.
enum Listed<'a> {
    /// Series of these lists.
    Any(Vec<PostingsView<'a>>),
    /// Series of none of these lists.
    NoneOf(Vec<PostingsView<'a>>),
    /// Series of these lists, and those without the label.
    AnyOrMissing(Vec<PostingsView<'a>>, PostingsView<'a>),
    /// Series with the label that are in none of these lists.
    PresentBut(Vec<PostingsView<'a>>, PostingsView<'a>),
    /// No series at all.
    Nothing,
}

impl Listed<'_> {
    /// How many series it leaves at most; those that only subtract come last.
    fn estimate(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Any(views) => views.iter().map(PostingsView::len).sum(),
            Self::PresentBut(_, present) => present.len(),
            Self::NoneOf(_) => u64::MAX - 1,
            Self::AnyOrMissing(..) => u64::MAX,
        }
    }
}

/// Set of series under construction; `None` stands for all.
struct Selection<'a, S> {
    source: &'a S,
    set: Option<RoaringBitmap>,
}

/// Numbers of the series that satisfy every matcher; all series if there is no matcher.
#[must_use]
pub fn select<S: PostingsSource>(source: &S, matchers: &[Matcher]) -> RoaringBitmap {
    let mut listed = Vec::new();
    let mut tried = Vec::new();
    for matcher in matchers {
        match list(source, matcher) {
            Some(condition) => listed.push(condition),
            None => tried.push(matcher),
        }
    }
    listed.sort_by_cached_key(Listed::estimate);
    tried.sort_by_cached_key(|matcher| source.value_count(matcher.name()));
    let mut selection = Selection { source, set: None };
    for condition in listed {
        if selection.is_empty() {
            return RoaringBitmap::new();
        }
        selection.apply(condition);
    }
    for matcher in tried {
        if selection.is_empty() {
            return RoaringBitmap::new();
        }
        selection.try_pattern(matcher);
    }
    selection.set.unwrap_or_else(|| source.all().to_bitmap())
}

/// The posting lists of a matcher, unless values have to be tried.
fn list<'a, S: PostingsSource>(source: &'a S, matcher: &Matcher) -> Option<Listed<'a>> {
    let name = matcher.name();
    let of_values = |values: &[String]| -> Vec<PostingsView<'a>> {
        let filled = values.iter().filter(|value| !value.is_empty());
        filled.map(|value| source.with_value(name, value)).collect()
    };
    let views = match matcher.shape() {
        Shape::AnyValue if is_negative(matcher) => return Some(Listed::Nothing),
        // Takes every series: nothing to subtract.
        Shape::AnyValue => return Some(Listed::NoneOf(Vec::new())),
        Shape::NotEmpty if is_negative(matcher) => {
            return Some(Listed::NoneOf(vec![source.with_name(name)]));
        }
        Shape::NotEmpty => return Some(Listed::PresentBut(Vec::new(), source.with_name(name))),
        Shape::OneOf(values) => of_values(values),
        Shape::Prefix(_) | Shape::Suffix(_) | Shape::Contains(_) | Shape::Pattern => return None,
    };
    Some(match (is_negative(matcher), matcher.matches_empty()) {
        (false, false) => Listed::Any(views),
        (false, true) => Listed::AnyOrMissing(views, source.with_name(name)),
        (true, true) => Listed::NoneOf(views),
        (true, false) => Listed::PresentBut(views, source.with_name(name)),
    })
}

fn is_negative(matcher: &Matcher) -> bool {
    matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex)
}

impl<S: PostingsSource> Selection<'_, S> {
    fn is_empty(&self) -> bool {
        self.set.as_ref().is_some_and(RoaringBitmap::is_empty)
    }

    fn intersect(&mut self, views: &[PostingsView<'_>]) {
        match (&mut self.set, views) {
            (None, views) => self.set = Some(union(views)),
            (Some(set), [view]) => view.intersect_with(set),
            (Some(set), views) => *set &= union(views),
        }
    }

    fn subtract(&mut self, views: &[PostingsView<'_>]) {
        if views.iter().all(PostingsView::is_empty) {
            return;
        }
        let set = self.set.get_or_insert_with(|| self.source.all().to_bitmap());
        match views {
            [view] => view.subtract_from(set),
            views => *set -= union(views),
        }
    }

    fn apply(&mut self, condition: Listed<'_>) {
        match condition {
            Listed::Nothing => self.set = Some(RoaringBitmap::new()),
            Listed::Any(views) => self.intersect(&views),
            Listed::NoneOf(views) => self.subtract(&views),
            Listed::PresentBut(views, present) => {
                self.intersect(&[present]);
                self.subtract(&views);
            }
            Listed::AnyOrMissing(views, present) => {
                let set = self.set.get_or_insert_with(|| self.source.all().to_bitmap());
                let chosen = &union(&views) & &*set;
                present.subtract_from(set);
                *set |= chosen;
            }
        }
    }

    fn try_pattern(&mut self, matcher: &Matcher) {
        let name = matcher.name();
        let values = self.source.value_count(name);
        if let Some(set) = &mut self.set
            && set.len() < values as u64
        {
            let source = self.source;
            let kept = set.iter().filter(|series| matcher.matches(source.value_of(*series, name)));
            *set = bitmap_of_sorted(kept);
            return;
        }
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        self.source.for_each_value(name, &mut |value, series| {
            if matcher.matches(value) { taken.push(series) } else { refused.push(series) }
        });
        if matcher.matches_empty() {
            self.subtract(&refused);
        } else if taken.len() <= refused.len() {
            self.intersect(&taken);
        } else {
            self.intersect(&[self.source.with_name(name)]);
            self.subtract(&refused);
        }
    }
}
