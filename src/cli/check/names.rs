//! Names to addresses while the check runs: a few threads ask the resolver, which may take its time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::error::Failure;
use crate::cli::queue::Bell;
use crate::net::names::{self, Family};
use crate::net::privileges;

/// What the resolver said of one name: its addresses, or why there are none.
pub(super) type Answer = Result<Arc<[SocketAddr]>, String>;

/// Resolves names in the order in which they will be needed.
pub(super) struct Names {
    answers: Receiver<(usize, Answer)>,
    known: HashMap<String, State>,
    by_number: Vec<String>,
}

enum State {
    Asked,
    Answered(Answer),
}

/// What is known of a name.
pub(super) enum Known {
    NotYet,
    Answer(Answer),
}

impl Names {
    /// Starts as many threads as may be worth it; all bells ring for each answer.
    pub(super) fn resolve(names: Vec<String>, family: Family, bells: &Arc<[Bell]>) -> Result<Self, Failure> {
        const MOST_THREADS: usize = 16; // they wait, nearly all the time
        let (answer, answers) = channel();
        let queue: Arc<[String]> = names.clone().into();
        let next = Arc::new(AtomicUsize::new(0));
        for _ in 0..names.len().min(MOST_THREADS) {
            let (answer, bells) = (answer.clone(), Arc::clone(bells));
            let (queue, next) = (Arc::clone(&queue), Arc::clone(&next));
            let work = move || {
                while let Some((number, name)) = take(&queue, &next) {
                    const ANY_PORT: u16 = 0;
                    let found = names::resolve(name, ANY_PORT, family);
                    let found = found.map(Arc::from).map_err(|error| error.to_string());
                    if answer.send((number, found)).is_err() {
                        return; // nobody wants to know any more
                    }
                    bells.iter().for_each(Bell::ring);
                }
            };
            privileges::thread("resolver", work)
                .map_err(|error| Failure::cannot("start a resolver", &error))?;
        }
        let known = names.iter().map(|name| (name.clone(), State::Asked)).collect();
        Ok(Self { answers, known, by_number: names })
    }

    /// What is known of `name` by now.
    pub(super) fn look_up(&mut self, name: &str) -> Known {
        while let Ok((number, answer)) = self.answers.try_recv() {
            if let Some(state) = self.by_number.get(number).and_then(|name| self.known.get_mut(name)) {
                *state = State::Answered(answer);
            }
        }
        match self.known.get(name) {
            Some(State::Answered(answer)) => Known::Answer(answer.clone()),
            Some(State::Asked) => Known::NotYet,
            None => Known::Answer(Err("was not asked for".to_owned())),
        }
    }
}

fn take<'q>(queue: &'q [String], next: &AtomicUsize) -> Option<(usize, &'q String)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    queue.get(number).map(|name| (number, name))
}

/// The names of several threads' dispatchers are the same.
pub(super) type Shared = Arc<Mutex<Names>>;

/// Asks, whoever else does.
pub(super) fn look_up(names: &Shared, name: &str) -> Known {
    names.lock().unwrap_or_else(PoisonError::into_inner).look_up(name)
}
