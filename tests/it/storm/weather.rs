//! One schedule: what happens is drawn from its seed, what must hold in the end is always the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gradus::reconcile::sweep::Extent;

use super::judge::judge;
use super::line::{Fate, Line, Turn};
use super::world::{BEGIN, OVERLAP, Played, World};
use crate::fake_github::faults::{self, Fault};
use crate::fake_github::hub::Record;

/// Things that happen before the weather clears.
const EVENTS: u64 = 7;

/// How far reads lag where all of them do, in milliseconds.
const LAG: i64 = 4_000;

/// Requests after which nothing goes wrong any more.
const STORMY: u64 = 150;

/// Most looks until everything is at rest.
const PATIENCE: usize = 200;

/// Plays the schedule of a seed. Its requests, or what does not hold.
pub async fn play(seed: u64, ground: Played) -> Result<Vec<Record>, String> {
    let world = World::new(seed, ground).await;
    let heads_lag = Arc::new(AtomicBool::new(false));
    let (lag, mut drawn) = (heads_lag.clone(), faults::seeded(seed, 12, faults::all(), STORMY));
    world.hub.schedule(Box::new(move |asked| {
        let lags = lag.load(Ordering::Relaxed) && asked.operation == "pulls/get";
        drawn(asked).or(lags.then_some(Fault::Stale(LAG)))
    }));
    for _ in 0..EVENTS {
        let (disk, fate, lags, pause) = {
            let mut learners = world.learners();
            learners.somebody_acts();
            let dice = &mut learners.dice;
            let disk = world.disks[dice.below(world.disks.len() as u64) as usize].clone();
            let turns = [Turn::DiesBefore, Turn::DiesAfter, Turn::StallsBefore, Turn::StallsAfter];
            let fate = Fate { at: dice.below(40) + 1, turn: turns[dice.below(4) as usize] };
            let fate = dice.percent(50).then_some(fate);
            (disk, fate, dice.below(8), [1, 10, 60, 600][dice.below(4) as usize])
        };
        // Every read lags now and then, or those of heads alone.
        world.hub.read_lag(if lags == 0 { LAG } else { 0 });
        heads_lag.store(lags == 1, Ordering::Relaxed);
        // A daemon that starts alone on its store knows that nobody holds anything.
        disk.store.break_leases().await.expect("a store");
        world.clone().works(disk, fate).await;
        world.hub.read_lag(0);
        world.clock.advance(Duration::from_secs(pause));
    }
    end(&world).await?;
    Ok(world.hub.calls())
}

/// The weather clears: what must hold then, or all that happened.
pub async fn end(world: &Arc<World>) -> Result<(), String> {
    let cleared = clear_up(world).await.and_then(|()| judge(world));
    cleared.map_err(|what| told(world, &what))
}

/// Nothing goes wrong any more: both daemons work, side by side, until nothing is left to do.
async fn clear_up(world: &Arc<World>) -> Result<(), String> {
    world.hub.schedule(Box::new(|_| None));
    if let Some(ground) = &world.ground {
        ground.clears();
    }
    let mut daemons = Vec::new();
    for disk in &world.disks {
        disk.store.break_leases().await.expect("a store");
        daemons.push((world.daemon(disk, Line::new(world, disk, None)), Extent::Full));
    }
    let mut quiet = 0;
    for _ in 0..PATIENCE {
        let mut busy = false;
        for (daemon, extent) in &mut daemons {
            match daemon.catch_up(*extent, OVERLAP).await {
                Ok(found) => {
                    busy |= found > 0;
                    *extent = Extent::Recent;
                }
                Err(_) => busy = true,
            }
            for _ in 0..50 {
                match daemon.work_one().await {
                    Ok(false) => break,
                    Ok(true) => busy = true,
                    Err(_) => {
                        busy = true;
                        break;
                    }
                }
            }
        }
        quiet = if busy { 0 } else { quiet + 1 };
        // Whatever waits for less than this has had its turn.
        if quiet == 2 {
            return Ok(());
        }
        world.clock.advance(Duration::from_secs(150));
    }
    Err("it never comes to rest".to_owned())
}

/// What does not hold, with all that happened.
fn told(world: &World, what: &str) -> String {
    let line = |call: &Record| {
        let fault = call.fault.as_ref().map(|fault| format!(" {fault:?}")).unwrap_or_default();
        let (asked, status) =
            (&call.asked, call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()));
        format!("{:>9} {:4} {} -> {status}{fault}", asked.at - BEGIN.0, asked.method, asked.path)
    };
    let calls: Vec<String> = world.hub.calls().iter().map(line).collect();
    format!("{what}\n{:#?}\n{}", world.learners().stories, calls.join("\n"))
}
