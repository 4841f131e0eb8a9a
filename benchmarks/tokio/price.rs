// The price of being cancellable, and of an Arc: what price_bench and sharing_bench measure of C++.

use crate::{start_runtime, Facts};
use std::sync::{Arc, Barrier};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const LOOKS: u32 = 10_000_000;
const STEPPING_TASKS: u32 = 64;
const STEPS: u32 = 10_000;
const USES: u32 = 1_000_000;
const ROUNDS: usize = 7;

pub fn price() -> Facts {
    vec![
        ("is_cancelled_ns", median(look)),
        ("step_ns", median(|| steps(false, 0))),
        ("step_raced_ns", median(|| steps(true, 0))),
        ("step_raced_10000_others_ns", median(|| steps(true, 10_000))),
    ]
}

pub fn sharing() -> Facts {
    vec![
        ("arc_1_ns", median(|| uses(1))),
        ("arc_2_ns", median(|| uses(2))),
        ("arc_4_ns", median(|| uses(4))),
        ("arc_8_ns", median(|| uses(8))),
    ]
}

/// Hides a value from the optimiser; std::hint::black_box came with Rust 1.66.
fn black_box<T>(value: T) -> T {
    // SAFETY: the value is read once more and its original is forgotten: one owner, as before.
    unsafe {
        let seen = std::ptr::read_volatile(&value);
        std::mem::forget(value);
        seen
    }
}

fn median(measure: impl Fn() -> f64) -> f64 {
    let mut values: Vec<f64> = (0..ROUNDS).map(|_| measure()).collect();
    values.sort_by(f64::total_cmp);
    values[ROUNDS / 2]
}

fn look() -> f64 {
    let token = CancellationToken::new();
    let begun = Instant::now();
    for _ in 0..LOOKS {
        black_box(black_box(&token).is_cancelled());
    }
    begun.elapsed().as_nanos() as f64 / f64::from(LOOKS)
}

/// 64 tasks that yield, on two threads; nanoseconds of wall time for each yield.
fn steps(raced: bool, others: u32) -> f64 {
    let runtime = start_runtime();
    let token = CancellationToken::new();
    for _ in 0..others {
        let token = token.clone();
        runtime.spawn(async move { token.cancelled().await });
    }
    let begun = Instant::now();
    let tasks: Vec<_> = (0..STEPPING_TASKS)
        .map(|_| {
            let token = token.clone();
            runtime.spawn(async move {
                for _ in 0..STEPS {
                    if raced {
                        tokio::select! {
                            _ = token.cancelled() => break,
                            _ = tokio::task::yield_now() => {}
                        }
                    } else {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).expect("all steps taken");
    }
    let took = begun.elapsed().as_nanos() as f64;
    token.cancel();
    took / f64::from(STEPPING_TASKS * STEPS)
}

/// Clone and drop of one Arc by that many threads; nanoseconds for each, as a thread sees it.
fn uses(threads: usize) -> f64 {
    let shared = Arc::new(0);
    let together = Arc::new(Barrier::new(threads));
    let users: Vec<_> = (0..threads)
        .map(|_| {
            let (shared, together) = (shared.clone(), together.clone());
            std::thread::spawn(move || {
                together.wait();
                let begun = Instant::now();
                for _ in 0..USES {
                    black_box(Arc::clone(black_box(&shared)));
                }
                begun.elapsed().as_nanos() as f64
            })
        })
        .collect();
    let all: f64 = users.into_iter().map(|user| user.join().expect("a time")).sum();
    all / threads as f64 / f64::from(USES)
}
