//! The I/O thread for all stores that do not block, started when it is first needed.
//!
//! In: a future. Out: its result, on a second thread, which may wait for a lock of the host's language while the I/O goes on.
//! A forked process starts its own threads. Must not start a thread for each call.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use arc_swap::ArcSwapOption;
use tokio::runtime::{Builder, Runtime};

type Errand = Box<dyn FnOnce() + Send>;

/// The two threads of a process.
struct Running {
    process: u32,
    runtime: Runtime,
    errands: Sender<Errand>,
}

/// Not behind a lock: a forked child might inherit it locked by a thread that it does not have.
static RUNNING: ArcSwapOption<Running> = ArcSwapOption::const_empty();

/// Runs `work`, then `then` with its result, or with `None` if it panicked. Returns immediately.
///
/// # Errors
/// The system could not start a thread.
pub fn spawn_io<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    then: impl FnOnce(Option<T>) + Send + 'static,
) -> io::Result<()> {
    let running = running()?;
    let (errands, work) = (running.errands.clone(), running.runtime.spawn(work));
    running.runtime.spawn(async move {
        let done = work.await.ok();
        // An error would mean that the process is ending.
        let _ = errands.send(Box::new(move || then(done)));
    });
    Ok(())
}

fn running() -> io::Result<Arc<Running>> {
    let process = std::process::id();
    let before = RUNNING.load_full();
    if let Some(running) = before.as_ref().filter(|running| running.process == process) {
        return Ok(running.clone());
    }
    let made = Arc::new(Running::new(process)?);
    let found = RUNNING.compare_and_swap(&before, Some(made.clone()));
    if same(found.as_ref(), before.as_ref()) {
        // The parent's, if any. Its threads do not exist here, so it can be neither used nor dropped.
        std::mem::forget(before);
        return Ok(made);
    }
    // Another thread was quicker.
    Ok(found.clone().unwrap_or(made))
}

fn same(one: Option<&Arc<Running>>, other: Option<&Arc<Running>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}

impl Running {
    fn new(process: u32) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("callgate-io").enable_all().build()?;
        let (errands, received) = channel::<Errand>();
        std::thread::Builder::new().name("callgate-done".to_owned()).spawn(move || {
            for errand in received {
                // A failure in one job does not concern the next.
                let _ = catch_unwind(AssertUnwindSafe(errand));
            }
        })?;
        Ok(Self { process, runtime, errands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_comes_back_on_another_thread() {
        let (sender, receiver) = channel();
        for number in 0..3 {
            let sender = sender.clone();
            let then = move |done| sender.send((done, std::thread::current().id())).unwrap();
            let work = async move {
                assert!(number != 1, "this work panics");
                number
            };
            spawn_io(work, then).unwrap();
        }
        let mut done: Vec<_> = receiver.iter().take(3).collect();
        done.sort_by_key(|(number, _)| *number);
        assert_eq!(done.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [None, Some(0), Some(2)]);
        assert!(
            done.iter().all(|(_, thread)| *thread == done[0].1 && *thread != std::thread::current().id())
        );
    }
}
