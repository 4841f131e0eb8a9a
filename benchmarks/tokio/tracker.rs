// What tokio-util's TaskTracker is in later versions: a counter and a notification.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Default)]
pub struct Tracker {
    unfinished: AtomicUsize,
    changed: Notify,
}

/// Lives in a task's future; its end is the task's end.
pub struct Entry {
    tracker: Arc<Tracker>,
    _name: Option<String>,
}

impl Tracker {
    pub fn enter(self: &Arc<Self>, name: Option<String>) -> Entry {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        Entry { tracker: self.clone(), _name: name }
    }

    pub async fn wait(&self) {
        while self.unfinished.load(Ordering::Acquire) != 0 {
            self.changed.notified().await;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.tracker.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.tracker.changed.notify_one(); // kept for the one who waits later
        }
    }
}
