// tokio_bench · the works of task_bench on tokio; the same command line, the same line of JSON
// Run       tokio_bench work=park program=tokio tasks=100000 wait=token spawn=inside token=child
// Works     park, finish, restart, fairness as in task_bench.cpp; price and sharing, which Google Benchmark
//           has for C++
// Programs  tokio          tracked by a counter, each task with a name of its own
//           tokio-unnamed  the same without names
//           tokio-joinset  tracked by a JoinSet, without names, spawned outside, never with a sleep
// Debian 12's tokio-util has no TaskTracker: tracker.rs is what there is in one.

mod fairness;
mod observer;
mod price;
mod tracker;
mod work;

use observer::Observer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracker::Tracker;
use work::{Wait, Work};

/// All that the spawning of a task needs.
#[derive(Clone)]
struct Session {
    work: Arc<Work>,
    handle: Handle,
    observer: Arc<Observer>,
    tracker: Arc<Tracker>,
    token: CancellationToken,
}

impl Session {
    fn token(&self) -> CancellationToken {
        if self.work.child_tokens { self.token.child_token() } else { self.token.clone() }
    }

    // Each future is written where it is spawned: one within another would hold everything twice.
    fn spawn(&self, index: usize) {
        let name = if self.work.named { Some(format!("task-{index}")) } else { None };
        let entry = self.tracker.enter(name);
        match self.work.wait {
            Wait::None => drop(self.handle.spawn(async move { drop(entry) })),
            Wait::Token => {
                let (observer, token) = (self.observer.clone(), self.token());
                drop(self.handle.spawn(async move {
                    let _entry = entry;
                    observer.parked();
                    token.cancelled().await;
                    observer.resumed(index);
                }))
            }
            Wait::Sleep => {
                let (observer, token) = (self.observer.clone(), self.token());
                drop(self.handle.spawn(async move {
                    let _entry = entry;
                    observer.parked();
                    tokio::select! {
                        _ = token.cancelled() => {}
                        _ = tokio::time::sleep(Duration::from_secs(3600)) => {}
                    }
                    observer.resumed(index);
                }))
            }
        }
    }

    fn spawn_into(&self, set: &mut JoinSet<()>, index: usize) {
        if self.work.wait == Wait::None {
            set.spawn_on(async {}, &self.handle);
        } else {
            let (observer, token) = (self.observer.clone(), self.token());
            let waiting = async move {
                observer.parked();
                token.cancelled().await;
                observer.resumed(index);
            };
            set.spawn_on(waiting, &self.handle);
        }
    }
}

fn start_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(work::THREADS)
        .enable_time()
        .build()
        .expect("a runtime")
}

/// A program under measurement: a runtime with its session, and a JoinSet for those who want one.
struct Program {
    session: Session,
    join_set: JoinSet<()>,
    runtime: Runtime,
}

impl Program {
    fn new(work: &Arc<Work>, observer: &Arc<Observer>) -> Self {
        let runtime = start_runtime();
        let session = Session {
            work: work.clone(),
            handle: runtime.handle().clone(),
            observer: observer.clone(),
            tracker: Arc::new(Tracker::default()),
            token: CancellationToken::new(),
        };
        Program { session, join_set: JoinSet::new(), runtime }
    }

    fn spawn_all(&mut self) {
        let work = self.session.work.clone();
        if work.joinset {
            for index in 0..work.tasks {
                self.session.spawn_into(&mut self.join_set, index);
            }
        } else if work.inside {
            let half = work.tasks / 2;
            let spawners: Vec<_> = [0..half, half..work.tasks]
                .into_iter()
                .map(|range| {
                    let session = self.session.clone();
                    self.runtime.spawn(async move { range.for_each(|index| session.spawn(index)) })
                })
                .collect();
            for spawner in spawners {
                self.runtime.block_on(spawner).expect("all spawned");
            }
        } else {
            (0..work.tasks).for_each(|index| self.session.spawn(index));
        }
    }

    fn wait(&mut self) {
        if self.session.work.joinset {
            let set = &mut self.join_set;
            self.runtime.block_on(async { while set.join_next().await.is_some() {} });
        } else {
            self.runtime.block_on(self.session.tracker.wait());
        }
    }
}

fn each(time: Duration, work: &Work) -> f64 {
    time.as_nanos() as f64 / work.tasks as f64
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).expect("pages") * 4096.0
}

type Facts = Vec<(&'static str, f64)>;

fn park(work: &Arc<Work>) -> Facts {
    let observer = Arc::new(Observer::new(work.tasks));
    let mut program = Program::new(work, &observer);
    let bytes_before = resident_bytes();

    let begun = Instant::now();
    program.spawn_all();
    let spawned = begun.elapsed();
    observer.wait_until_all_are_parked();
    let parked = begun.elapsed();
    let bytes = resident_bytes() - bytes_before;

    let told = Instant::now();
    program.session.token.cancel();
    let returned = told.elapsed();
    program.wait();
    let ended = told.elapsed();
    vec![
        ("spawn_ns", each(parked, work)),
        ("spawn_call_ns", each(spawned, work)),
        ("bytes", bytes / work.tasks as f64),
        ("cancel_call_ms", returned.as_secs_f64() * 1e3),
        ("cancel_ns", each(ended, work)),
        ("first_resumed_us", observer.first_resumed_since(told).as_secs_f64() * 1e6),
        ("last_resumed_us", observer.last_resumed_since(told).as_secs_f64() * 1e6),
    ]
}

fn finish(work: &Arc<Work>) -> Facts {
    let observer = Arc::new(Observer::new(work.tasks));
    let mut program = Program::new(work, &observer);
    let begun = Instant::now();
    program.spawn_all();
    program.wait();
    vec![("finish_ns", each(begun.elapsed(), work))]
}

fn restart(work: &Arc<Work>) -> Facts {
    let mut took: Vec<f64> = (0..work::RESTARTS)
        .map(|_| {
            let observer = Arc::new(Observer::new(work.tasks));
            let begun = Instant::now();
            let mut program = Program::new(work, &observer);
            program.spawn_all();
            observer.wait_until_all_are_parked();
            program.session.token.cancel();
            program.wait();
            drop(program);
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    took.sort_by(f64::total_cmp);
    vec![("restart_us", took[took.len() / 2])]
}

fn main() {
    let work = match Work::read(std::env::args().skip(1)) {
        Ok(work) => Arc::new(work),
        Err(message) => {
            eprintln!("tokio_bench: {message}");
            std::process::exit(2);
        }
    };
    let facts = match work.work.as_str() {
        "park" => park(&work),
        "finish" => finish(&work),
        "restart" => restart(&work),
        "fairness" => fairness::fairness(),
        "price" => price::price(),
        _ => price::sharing(),
    };
    let facts: String = facts.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
    println!("{{{}{facts}}}", work.as_json());
}
