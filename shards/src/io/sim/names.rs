//! Names of the simulated disk: what is seen now and what a power cut leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One change of a directory.
pub(super) enum NameChange {
    Make { path: PathBuf, inode: usize },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Make { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename { from, to } => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                    return;
                }
                // A directory: what is in it moves with it.
                let inside: Vec<_> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in inside {
                    if let (Ok(below), Some(inode)) = (path.strip_prefix(from), names.get(&path).copied()) {
                        names.insert(to.join(below), inode);
                    }
                    names.remove(&path);
                }
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        let (Self::Make { path, .. } | Self::Rename { from: path, .. } | Self::Remove { path }) = self;
        path.parent() == Some(directory)
    }
}

/// Directories as they are seen, and as they are on the disk.
#[derive(Default)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    /// Changes that are seen but not yet durable, oldest first.
    pending: Vec<NameChange>,
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<usize> {
        self.seen.get(path).copied()
    }

    pub(super) fn inodes(&self) -> impl Iterator<Item = usize> {
        self.seen.values().copied()
    }

    pub(super) fn list(&self, directory: &Path) -> Vec<String> {
        let below = self.seen.keys().filter_map(|path| path.strip_prefix(directory).ok());
        let mut names: Vec<String> =
            below.filter_map(|path| Some(path.iter().next()?.to_str()?.to_owned())).collect();
        names.dedup();
        names
    }

    /// Whether there is a file or a directory of this name.
    pub(super) fn exists(&self, path: &Path) -> bool {
        self.seen.range(path.to_path_buf()..).next().is_some_and(|(first, _)| first.starts_with(path))
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.seen.keys().cloned().collect()
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        for change in self.pending.extract_if(.., |change| change.is_in(directory)) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn sync_parent_of(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.sync(parent);
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Keeps the oldest `kept` of the pending changes: a journal commits in order.
    pub(super) fn lose_power(&mut self, kept: usize) {
        for change in self.pending.drain(..).take(kept) {
            change.apply(&mut self.durable);
        }
        self.seen.clone_from(&self.durable);
    }
}
