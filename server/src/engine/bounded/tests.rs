use std::time::Duration;

use proptest::prelude::*;

use super::{Bounded, Bounds, Key, OnHeap, entry_bytes};

const HOUR: Duration = Duration::from_secs(3600);

impl OnHeap for usize {
    fn heap_bytes(&self) -> usize {
        200
    }
}

fn key(number: u64) -> Key {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn cache(max_entries: usize, max_bytes: usize) -> Bounded<usize> {
    Bounded::new(Bounds {
        max_entries,
        max_bytes,
    })
}

#[test]
fn an_entry_is_found_until_its_time_is_over() {
    let cache = cache(10, 1 << 20);
    cache.put(key(1), 1, HOUR);
    cache.put(key(2), 2, Duration::from_nanos(1));
    assert_eq!(cache.get(&key(1)), Some(1));
    assert!(cache.get(&key(2)).is_none());
    assert!(cache.get(&key(3)).is_none());
}

#[test]
fn a_used_entry_survives_a_scan_of_unrepeated_requests() {
    let cache = cache(10, 1 << 20);
    cache.put(key(0), 0, HOUR);
    for number in 1..100 {
        assert!(cache.get(&key(0)).is_some(), "lost before {number}");
        cache.put(key(number), 1, HOUR);
    }
}

#[test]
fn a_value_larger_than_the_map_is_not_stored() {
    let cache = cache(10, 8);
    cache.put(key(1), 1, HOUR);
    assert!(cache.is_empty());
    assert_eq!(cache.bytes(), 0);
}

#[test]
fn no_entries_means_nothing_is_held() {
    let cache = cache(0, 1 << 20);
    cache.put(key(1), 1, HOUR);
    assert!(cache.is_empty());
}

#[test]
fn clearing_gives_every_byte_back() {
    let cache = cache(10, 1 << 20);
    (0..10).for_each(|number| cache.put(key(number), 1, HOUR));
    cache.clear();
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn concurrent_writers_of_the_same_keys_leave_the_books_right() {
    let cache = cache(50, 1 << 20);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let cache = &cache;
            scope.spawn(move || {
                for number in 0..5_000u64 {
                    cache.put(key((number * 7 + thread) % 100), 1, HOUR);
                    cache.get(&key(number % 100));
                }
            });
        }
    });
    assert!(cache.len() <= 50);
    assert_eq!(cache.bytes(), cache.len() * entry_bytes(&1));
}

proptest! {
    #[test]
    fn the_bounds_hold_and_bytes_are_the_sum_of_what_is_held(
        operations in prop::collection::vec((0u64..40, any::<bool>()), 0..400),
        max_entries in 1usize..30,
        kilobytes in 1usize..16,
    ) {
        let cache = cache(max_entries, kilobytes << 10);
        for (number, write) in operations {
            if write {
                cache.put(key(number), number as usize, HOUR);
            } else if let Some(found) = cache.get(&key(number)) {
                prop_assert_eq!(found, number as usize);
            }
            prop_assert!(cache.len() <= max_entries);
            prop_assert!(cache.bytes() <= kilobytes << 10);
            prop_assert_eq!(cache.bytes(), cache.len() * entry_bytes(&0));
        }
    }
}
