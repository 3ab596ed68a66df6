//! Breadth first through every world that a scenario can reach: the first law broken is broken in the fewest events.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use tcpshake::time::Clock;

use crate::fairness::{Fair, fair, longest_run};
use crate::machine::Machine;
use crate::scenario::Scenario;
use crate::seen::{Seen, key};
use crate::tale::Tale;
use crate::world::{Event, World};

/// What a search came to that broke no law.
pub struct Figures {
    name: String,
    worlds: usize,
    transitions: u64,
    depth: usize,
    longest_run: u32,
    took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, worlds, transitions, depth, longest_run, took } = self;
        write!(f, "{name}: {worlds} states, {transitions} transitions, depth {depth}, ")?;
        write!(f, "CLOSED after at most {longest_run} fair steps, {:.1} s", took.as_secs_f64())
    }
}

struct Search<'s, M> {
    scenario: &'s Scenario,
    seen: Seen,
    /// By number: where fairness leads.
    fair: Vec<u32>,
    transitions: u64,
    machine: PhantomData<M>,
}

/// Looks at every world; panics with the way to the first that breaks a law.
pub fn explore<M: Machine>(scenario: &Scenario) -> Figures {
    let clock = Clock::new();
    let begun = clock.now();
    let mut search = Search::<M> {
        scenario,
        seen: Seen::default(),
        fair: Vec::new(),
        transitions: 0,
        machine: PhantomData,
    };
    let first = World::new(scenario);
    let (number, _) = search.seen.insert(key(&first), 0);
    let mut layer = vec![(number, first)];
    let mut depth = 0;
    while !layer.is_empty() {
        layer = search.next_layer(layer);
        depth += 1;
    }
    let longest_run = match longest_run(&search.fair) {
        Ok(steps) => steps,
        Err(number) => search.circle(number),
    };
    Figures {
        name: format!("{} ({})", scenario.name, M::NAME),
        worlds: search.seen.len(),
        transitions: search.transitions,
        depth,
        longest_run,
        took: clock.now() - begun,
    }
}

impl<M: Machine> Search<'_, M> {
    /// The worlds one event further on. Numbers are given in the order in which worlds are looked at.
    fn next_layer(&mut self, layer: Vec<(u32, World<M>)>) -> Vec<(u32, World<M>)> {
        let mut next = Vec::new();
        for (number, world) in layer {
            let wanted = match fair(&world) {
                Fair::Next(event) => Some(event),
                Fair::Over => None,
                Fair::Stuck => self.fail(number, None, "neither a segment nor a timer nor a user goes on"),
            };
            let mut events = world.events(self.scenario);
            events.extend(wanted.filter(|event| !events.contains(event)));
            let mut leads_to = wanted.is_none().then_some(number);
            for event in events {
                let Some(outcome) = world.after(event, self.scenario, &mut Tale::silent()) else { continue };
                self.transitions += 1;
                let world = outcome.unwrap_or_else(|law| self.fail(number, Some(event), &law));
                let (reached, is_new) = self.seen.insert(key(&world), number);
                if wanted == Some(event) {
                    leads_to = Some(reached);
                }
                if is_new {
                    next.push((reached, world));
                }
            }
            let Some(leads_to) = leads_to else { self.fail(number, wanted, "fairness asks for no event") };
            self.fair.push(leads_to);
        }
        next
    }

    /// Tells the way to a world, and the event there that breaks a law.
    fn fail(&self, number: u32, event: Option<Event>, law: &str) -> ! {
        let mut tale = Tale::told();
        let world = self.replay(number, &mut tale);
        if let Some(event) = event {
            let _ = world.after(event, self.scenario, &mut tale);
        }
        let name = self.scenario.name;
        let [a, b] = world.ends.map(|end| format!("{:?}", end.machine));
        panic!("{name} ({}): {law}\n{}before the last of these, A: {a}\nB: {b}", M::NAME, tale.into_text())
    }

    /// Goes the shortest way to a world once more.
    fn replay(&self, number: u32, tale: &mut Tale) -> World<M> {
        let way = self.seen.way_to(number);
        let mut world = World::new(self.scenario);
        for next in way.into_iter().skip(1) {
            let (event, reached) = self.step(&world, self.seen.key_of(next));
            let _ = world.after(event, self.scenario, tale);
            world = reached;
        }
        world
    }

    /// The event that leads from one world to another.
    fn step(&self, world: &World<M>, to: u128) -> (Event, World<M>) {
        let mut events = world.events(self.scenario);
        if let Fair::Next(event) = fair(world) {
            events.push(event);
        }
        let reached = events.into_iter().find_map(|event| {
            let reached = world.after(event, self.scenario, &mut Tale::silent())?.ok()?;
            (key(&reached) == to).then_some((event, reached))
        });
        reached.expect("a world seen is reached again")
    }

    /// Tells the way to a world from which fairness leads back to it, and the circle.
    fn circle(&self, number: u32) -> ! {
        let mut tale = Tale::told();
        let mut world = self.replay(number, &mut tale);
        let mut at = number;
        while let Fair::Next(event) = fair(&world) {
            let reached = world.after(event, self.scenario, &mut tale);
            at = self.fair[at as usize];
            match reached {
                Some(Ok(reached)) if at != number => world = reached,
                _ => break,
            }
        }
        panic!("{} ({}): a fair run never ends\n{}", self.scenario.name, M::NAME, tale.into_text())
    }
}
