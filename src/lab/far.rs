//! The far host: a thread that lives in a network namespace of its own.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::namespace::unshare_network;

type Job = Box<dyn FnOnce() + Send>;

/// Runs what it is given, one thing after the other, inside its namespace.
#[derive(Debug)]
pub struct FarHost {
    jobs: Option<Sender<Job>>,
    namespace: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl FarHost {
    /// Starts the thread and moves it out.
    pub fn start() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (ready, is_ready) = channel();
        let live = move || {
            let moved = unshare_network().and_then(|()| File::open("/proc/thread-self/ns/net"));
            let stay = moved.is_ok();
            let _ = ready.send(moved);
            if stay {
                for job in queue {
                    job();
                }
            }
        };
        let thread = std::thread::Builder::new().name("far host".into()).spawn(live)?;
        let namespace = is_ready.recv().map_err(io::Error::other)??.into();
        Ok(Self { jobs: Some(jobs), namespace, thread: Some(thread) })
    }

    /// Its namespace.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Runs `work` over there and waits for it.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (result, is_done) = channel();
        let job: Job = Box::new(move || {
            let _ = result.send(work());
        });
        let gone = || io::Error::other("the far host is gone");
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        is_done.recv().map_err(|_| gone())?
    }
}

impl Drop for FarHost {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
