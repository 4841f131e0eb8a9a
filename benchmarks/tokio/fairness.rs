// How many turns tasks that yield for ever have before one from outside has its first: the same as
// fairness.cpp.

use crate::{start_runtime, Facts};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{mpsc, Arc};

const YIELDING_TASKS: usize = 8;
const ARRIVALS: usize = 1000;

#[derive(Default)]
struct Turns {
    taken: AtomicU64,
    enough: AtomicBool,
}

pub fn fairness() -> Facts {
    let runtime = start_runtime();
    let turns = Arc::new(Turns::default());
    for _ in 0..YIELDING_TASKS {
        let turns = turns.clone();
        runtime.spawn(async move {
            while !turns.enough.load(Relaxed) {
                turns.taken.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }
    let mut waited: Vec<u64> = (0..ARRIVALS)
        .map(|_| {
            let (arrived, arrival) = mpsc::channel();
            let before = turns.taken.load(Relaxed);
            let seen = turns.clone();
            runtime.spawn(async move { arrived.send(seen.taken.load(Relaxed)) });
            arrival.recv().expect("arrived") - before
        })
        .collect();
    turns.enough.store(true, Relaxed);
    waited.sort_unstable();
    vec![
        ("turns_median", waited[ARRIVALS / 2] as f64),
        ("turns_99", waited[ARRIVALS * 99 / 100] as f64),
    ]
}
