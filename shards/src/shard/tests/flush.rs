//! When the memtable is flushed.

use futures_lite::future::{block_on, poll_once};

use super::world::{EPOCH, HOUR, World};

#[test]
fn who_waited_for_a_flush_does_not_flush_again() {
    let world = World::new(1);
    let shard = &world.shard;
    world.append(&[(1, EPOCH, 1)]).unwrap();
    world.clock.set(world.clock.get() + 2 * HOUR);
    assert!(shard.wants_flush());
    let turn = block_on(shard.flushing.take());
    let (mut one, mut other) = (Box::pin(shard.tend_memory()), Box::pin(shard.tend_memory()));
    assert!(block_on(poll_once(&mut one)).is_none());
    assert!(block_on(poll_once(&mut other)).is_none());
    drop(turn);
    block_on(one).unwrap();
    assert_eq!(shard.state.borrow().memtable.samples(), 0);
    world.append(&[(1, EPOCH + 1, 2)]).unwrap();
    block_on(other).unwrap();
    assert_eq!(shard.state.borrow().memtable.samples(), 1);
    assert_eq!(shard.counters.flushes.get(), 1);
}
