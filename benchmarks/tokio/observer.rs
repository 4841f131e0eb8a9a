// What the tasks tell about themselves: observer.hpp in Rust, and as cheap.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

const SAMPLED: usize = 64;

#[repr(align(64))]
#[derive(Default)]
struct Line<T>(T); // a cache line of its own

pub struct Observer {
    tasks: usize,
    origin: Instant,
    all_parked: (Mutex<bool>, Condvar),
    parked: Line<AtomicUsize>,
    someone_resumed: Line<AtomicBool>,
    first_resumed: AtomicU64, // nanoseconds since the origin
    last_resumed: Line<AtomicU64>,
}

impl Observer {
    pub fn new(tasks: usize) -> Self {
        Observer {
            tasks,
            origin: Instant::now(),
            all_parked: Default::default(),
            parked: Default::default(),
            someone_resumed: Default::default(),
            first_resumed: Default::default(),
            last_resumed: Default::default(),
        }
    }

    pub fn parked(&self) {
        if self.parked.0.fetch_add(1, Relaxed) + 1 == self.tasks {
            *self.all_parked.0.lock().unwrap() = true;
            self.all_parked.1.notify_one();
        }
    }

    pub fn resumed(&self, index: usize) {
        if !self.someone_resumed.0.load(Relaxed) && !self.someone_resumed.0.swap(true, Relaxed) {
            self.first_resumed.store(self.now(), Relaxed);
        }
        if index % SAMPLED == 0 {
            self.last_resumed.0.store(self.now(), Relaxed);
        }
    }

    pub fn wait_until_all_are_parked(&self) {
        let guard = self.all_parked.0.lock().unwrap();
        drop(self.all_parked.1.wait_while(guard, |all| !*all).unwrap());
    }

    pub fn first_resumed_since(&self, told: Instant) -> Duration {
        self.since(told, self.first_resumed.load(Relaxed))
    }

    pub fn last_resumed_since(&self, told: Instant) -> Duration {
        self.since(told, self.last_resumed.0.load(Relaxed))
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    fn since(&self, told: Instant, nanoseconds: u64) -> Duration {
        (self.origin + Duration::from_nanos(nanoseconds)).saturating_duration_since(told)
    }
}
