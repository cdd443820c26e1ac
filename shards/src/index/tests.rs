//! Posting lists against sets.

use std::collections::BTreeSet;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::postings::{Postings, union};

/// Few and dense, or many and wide, so that each form of a list comes up.
fn numbers() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        proptest::collection::vec(0u32..5, 0..4),
        proptest::collection::vec(0u32..400, 0..400),
        proptest::collection::vec(0u32..300_000, 0..300),
    ]
}

fn postings(numbers: &[u32]) -> Postings {
    let mut postings = Postings::default();
    for number in numbers {
        postings.insert(*number);
    }
    postings
}

proptest! {
    #[test]
    fn a_list_equals_a_set(inserted in numbers(), removed in numbers()) {
        let mut list = Postings::default();
        let mut set = BTreeSet::new();
        for number in inserted {
            prop_assert_eq!(list.insert(number), set.insert(number));
        }
        for number in removed {
            prop_assert_eq!(list.remove(number), set.remove(&number));
        }
        prop_assert_eq!(list.is_empty(), set.is_empty());
        prop_assert_eq!(list.view().len(), set.len() as u64);
        prop_assert_eq!(list.view().to_bitmap().iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn algebra_equals_that_of_sets(left in numbers(), right in numbers()) {
        let (list, other) = (postings(&left), postings(&right));
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = (left.into_iter().collect(), right.into_iter().collect());
        let bitmap: RoaringBitmap = right.iter().copied().collect();
        prop_assert_eq!(list.view().intersects(&bitmap), !left.is_disjoint(&right));
        let mut set = bitmap.clone();
        list.view().intersect_with(&mut set);
        prop_assert!(set.iter().eq(left.intersection(&right).copied()));
        let mut set = bitmap;
        list.view().subtract_from(&mut set);
        prop_assert!(set.iter().eq(right.difference(&left).copied()));
        let both = union(&[list.view(), other.view(), list.view()]);
        prop_assert!(both.iter().eq(left.union(&right).copied()));
    }
}
