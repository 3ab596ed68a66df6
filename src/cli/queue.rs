//! Octets between a thread that may wait and the driver, which must not: a bounded queue, and a bell that
//! ends the driver's wait for packets.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::error::Failure;

/// Readable from the moment it is rung until it is stilled.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<EventFd>);

impl Bell {
    pub(super) fn new() -> Result<Self, Failure> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = EventFd::from_value_and_flags(0, flags);
        bell.map(|bell| Self(Arc::new(bell))).map_err(|error| Failure::cannot("make a bell", &error.into()))
    }

    /// For whoever waits for it.
    pub(super) fn descriptor(&self) -> Result<OwnedFd, Failure> {
        let copy = self.0.as_fd().try_clone_to_owned();
        copy.map_err(|error| Failure::cannot("watch the bell", &error))
    }

    pub(super) fn ring(&self) {
        let _ = self.0.write(1); // it fails only where it has rung for ages
    }

    /// To be done before looking what it rang for: what comes later rings again.
    pub(super) fn still(&self) {
        let _ = self.0.read(); // it fails only where it has not rung
    }
}

/// No more octets than this wait, whatever one side does.
pub(super) const MOST: usize = 256 * 1024;

/// A queue of octets: one side of it is a thread, the other the driver.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Mutex<Shared>,
    changed: Condvar,
    bell: Bell,
}

#[derive(Debug, Default)]
struct Shared {
    octets: VecDeque<u8>,
    /// No more will be put.
    complete: bool,
    /// No more will be taken.
    abandoned: bool,
    /// Why the thread has ended before its time.
    error: Option<String>,
    /// The driver came in vain, and is to be woken.
    driver_waits: bool,
}

/// What the driver gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Octets(Vec<u8>),
    NothingYet,
    NoMore,
}

impl Queue {
    pub(super) fn new(bell: &Bell) -> Arc<Self> {
        Arc::new(Self { shared: Mutex::default(), changed: Condvar::new(), bell: bell.clone() })
    }

    /// Whoever panics here leaves nothing half done: each change is one step.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, guard: MutexGuard<'q, Shared>) -> MutexGuard<'q, Shared> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the driver, if it waits.
    fn wake(&self, shared: &mut Shared) {
        if std::mem::take(&mut shared.driver_waits) {
            self.bell.ring();
        }
    }

    /// The thread puts all of `octets`, as room is made for them; `false` once nobody takes any.
    pub(super) fn put(&self, mut octets: &[u8]) -> bool {
        let mut shared = self.lock();
        while !octets.is_empty() && !shared.abandoned {
            let room = MOST.saturating_sub(shared.octets.len()).min(octets.len());
            if room == 0 {
                shared = self.wait(shared);
                continue;
            }
            let (now, later) = octets.split_at(room);
            shared.octets.extend(now);
            octets = later;
            self.wake(&mut shared);
        }
        !shared.abandoned
    }

    /// The thread takes all there is, and waits for it; `None` at the end.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut shared = self.lock();
        while shared.octets.is_empty() && !shared.complete {
            shared = self.wait(shared);
        }
        let octets = Vec::from(std::mem::take(&mut shared.octets));
        self.wake(&mut shared);
        (!octets.is_empty()).then_some(octets)
    }

    /// The thread ends before its time: nothing more is put or taken.
    pub(super) fn fail(&self, error: String) {
        let mut shared = self.lock();
        (shared.complete, shared.abandoned) = (true, true);
        shared.octets.clear();
        shared.error = Some(error);
        shared.driver_waits = true; // it wants to know, whatever it does
        self.wake(&mut shared);
    }

    /// The driver puts as much of `octets` as there is room for; what nobody takes any more counts as put.
    pub(super) fn try_put(&self, octets: &[u8]) -> usize {
        let mut shared = self.lock();
        if shared.abandoned {
            return octets.len();
        }
        let room = MOST.saturating_sub(shared.octets.len()).min(octets.len());
        if shared.octets.is_empty() {
            self.changed.notify_all(); // only then does the thread wait: it takes all there is
        }
        shared.octets.extend(octets.get(..room).unwrap_or_default());
        shared.driver_waits = room < octets.len();
        room
    }

    /// The driver puts what is left at the end, room or not: it is no more than our window was.
    pub(super) fn put_rest(&self, octets: &[u8]) {
        let mut shared = self.lock();
        if !shared.abandoned {
            shared.octets.extend(octets);
        }
        self.changed.notify_all();
    }

    /// The driver takes up to `most` octets.
    pub(super) fn try_take(&self, most: usize) -> Taken {
        let mut shared = self.lock();
        let before = shared.octets.len();
        let len = before.min(most);
        if len > 0 {
            let octets = first(&shared.octets, len);
            shared.octets.drain(..len);
            // The thread waits only while there is no room at all. It is woken when there is much, once.
            if before > MOST / 2 && before - len <= MOST / 2 {
                self.changed.notify_all();
            }
            return Taken::Octets(octets);
        }
        if shared.complete && shared.octets.is_empty() {
            return Taken::NoMore;
        }
        shared.driver_waits = true;
        Taken::NothingYet
    }

    /// No more will be put.
    pub(super) fn complete(&self) {
        let mut shared = self.lock();
        shared.complete = true;
        self.changed.notify_all();
        self.wake(&mut shared);
    }

    /// No more will be taken.
    pub(super) fn abandon(&self) {
        let mut shared = self.lock();
        shared.abandoned = true;
        shared.octets.clear();
        self.changed.notify_all();
    }

    /// Why the thread has ended before its time.
    pub(super) fn error(&self) -> Option<String> {
        self.lock().error.clone()
    }
}

/// A copy of the first `len` octets, in two pieces at most: an iterator would go one by one.
fn first(octets: &VecDeque<u8>, len: usize) -> Vec<u8> {
    let mut copy = Vec::with_capacity(len);
    let (front, back) = octets.as_slices();
    for part in [front, back] {
        let rest = len - copy.len();
        copy.extend_from_slice(part.get(..rest.min(part.len())).unwrap_or_default());
    }
    copy
}

/// Calls again what a signal for somebody else has interrupted.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(bell: &Bell) -> bool {
        bell.0.read().is_ok()
    }

    #[test]
    fn the_driver_takes_what_is_there_and_is_woken_for_the_rest() {
        let bell = Bell::new().unwrap();
        let queue = Queue::new(&bell);
        assert_eq!(queue.try_take(5), Taken::NothingYet);
        assert!(!rung(&bell));
        assert!(queue.put(b"hello"));
        assert!(rung(&bell), "it came in vain before");
        assert!(queue.put(b" there"));
        assert!(!rung(&bell), "it did not");
        assert_eq!(queue.try_take(7), Taken::Octets(b"hello t".to_vec()));
        assert_eq!(queue.try_take(7), Taken::Octets(b"here".to_vec()));
        assert_eq!(queue.try_take(7), Taken::NothingYet);
        queue.complete();
        assert!(rung(&bell), "the end is news, too");
        assert_eq!(queue.try_take(7), Taken::NoMore);
    }

    #[test]
    fn the_driver_puts_no_more_than_there_is_room_for() {
        let bell = Bell::new().unwrap();
        let queue = Queue::new(&bell);
        let octets = vec![7; MOST + 10];
        assert_eq!(queue.try_put(&octets), MOST);
        assert_eq!(queue.try_put(&octets), 0);
        assert!(!rung(&bell));
        assert_eq!(queue.take().unwrap().len(), MOST);
        assert!(rung(&bell), "there is room again");
        queue.put_rest(&octets);
        queue.complete();
        assert_eq!(queue.take().unwrap().len(), MOST + 10);
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn a_thread_waits_for_room_and_ends_when_nobody_takes() {
        let bell = Bell::new().unwrap();
        let queue = Queue::new(&bell);
        let thread = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.put(&vec![1; 4 * MOST]))
        };
        let mut taken = 0;
        while taken < 2 * MOST {
            if let Taken::Octets(octets) = queue.try_take(1000) {
                taken += octets.len();
            }
        }
        queue.abandon();
        assert!(!thread.join().unwrap());
    }

    #[test]
    fn a_thread_that_fails_wakes_the_driver_and_swallows_the_rest() {
        let bell = Bell::new().unwrap();
        let queue = Queue::new(&bell);
        assert_eq!(queue.try_put(b"abc"), 3);
        queue.fail("no space".into());
        assert!(rung(&bell));
        assert_eq!(queue.error().as_deref(), Some("no space"));
        assert_eq!(queue.try_put(&vec![0; 2 * MOST]), 2 * MOST);
        assert_eq!(queue.take(), None);
    }
}
