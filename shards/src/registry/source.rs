//! The registry as a source of posting lists.

use crate::index::{PostingsSource, PostingsView};

use super::Registry;

impl PostingsSource for Registry {
    fn all(&self) -> PostingsView<'_> {
        PostingsView::Bitmap(self.index.all())
    }

    fn with_name(&self, name: &str) -> PostingsView<'_> {
        self.pairs.lookup_name(name).map_or(PostingsView::Empty, |name| self.index.of_name(name))
    }

    fn with_value(&self, name: &str, value: &str) -> PostingsView<'_> {
        self.pairs.lookup(name, value).map_or(PostingsView::Empty, |pair| self.index.of_pair(pair))
    }

    fn value_count(&self, name: &str) -> usize {
        self.pairs.lookup_name(name).map_or(0, |name| self.pairs.of_name(name).len())
    }

    fn for_each_value<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a str, PostingsView<'a>)) {
        let Some(name) = self.pairs.lookup_name(name) else { return };
        for pair in self.pairs.of_name(name) {
            visit(self.pairs.value(*pair), self.index.of_pair(*pair));
        }
    }

    fn value_of(&self, series: u32, name: &str) -> &str {
        let Some(name) = self.pairs.lookup_name(name) else { return "" };
        let pair = self.pairs_of(series).iter().find(|pair| self.pairs.name_of(**pair) == name);
        pair.map_or("", |pair| self.pairs.value(*pair))
    }
}
