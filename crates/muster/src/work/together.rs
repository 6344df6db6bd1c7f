//! Together: what several callers ask for at the same time is done for all of them at once. Whoever asks while nobody is at
//! work is served at once, with those whose requests are here too; whoever comes meanwhile waits for the work that is under way,
//! not for a clock, and is then served with all who wait. A group costs the database much the same however few are in it, so
//! another one is served beside it only where more wait than one can hold, or where it takes long, as one does that waits for
//! somebody's lock. While several tenants ask, they take turns (`turns.rs`).

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use muster_wire::TenantId;
use tokio::sync::oneshot;

use super::{GROUP_STEPS_MAX, turns::TURN_STEPS_MAX};
use crate::{
    actor::Actor,
    app::App,
    problem::{Bug, Failure, Kind},
};

/// Groups of one key that are served at the same time, at most: enough that one is worked on while another one's commit is
/// written to disk.
const GROUPS_AT_WORK_MAX: usize = 2;

/// How long a caller waits for the group that is being served before another one is begun beside it, and how long a turn lasts.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often whatever else is ready to run gets its turn before a group is taken: those whose requests are here already, and
/// only have to be read, are in it then. Where nobody else is about it costs microseconds.
const YIELDS: u32 = 16;

/// Asks that can be served together, by what they have in common.
pub trait Group: Clone + Eq + Hash + Send + Sync + 'static {
    /// What one caller asks.
    type Ask: Send + Sync + 'static;
    /// What it gets.
    type Answer: Send + 'static;

    /// Whose asks these are.
    fn tenant(&self) -> TenantId;

    /// How many steps an ask is for, at most.
    fn steps(ask: &Self::Ask) -> usize;

    /// Whether an ask can be served with these, as far as not their number decides.
    fn agrees(_asks: &[&Self::Ask], _next: &Self::Ask) -> bool {
        true
    }

    /// Serves these, and gives an answer to each, in their order.
    fn serve(
        &self,
        app: &App,
        asks: &[&Self::Ask],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Failure>> + Send;

    /// Takes back an answer whose caller has gone away.
    fn take_back(&self, app: &App, ask: Self::Ask, answer: Self::Answer) -> impl Future<Output = ()> + Send;
}

/// The groups that are being served, and those who wait to be.
pub struct Together<G: Group> {
    lanes: Mutex<HashMap<G, Lane<G>>>,
}

struct Lane<G: Group> {
    waiting: VecDeque<Call<G>>,
    at_work: usize,
}

impl<G: Group> Lane<G> {
    /// How many of those who wait, from the first on, can be served together.
    fn first_group(&self, steps_max: usize) -> usize {
        let mut asks: Vec<&G::Ask> = Vec::new();
        for Call { ask, .. } in &self.waiting {
            if !fits::<G>(&asks, ask, steps_max) {
                break;
            }
            asks.push(ask);
        }
        asks.len()
    }

    /// Whether an ask cannot be served with all who wait.
    fn is_full_for(&self, ask: &G::Ask) -> bool {
        let asks: Vec<&G::Ask> = self.waiting.iter().map(|call| &call.ask).collect();
        !fits::<G>(&asks, ask, GROUP_STEPS_MAX)
    }
}

/// Whether an ask can be served with these, where there are any.
fn fits<G: Group>(asks: &[&G::Ask], next: &G::Ask, steps_max: usize) -> bool {
    let steps: usize = asks.iter().map(|ask| G::steps(ask)).sum();
    asks.is_empty() || steps + G::steps(next) <= steps_max && G::agrees(asks, next)
}

struct Call<G: Group> {
    ask: G::Ask,
    answer: oneshot::Sender<Result<G::Answer, Failure>>,
}

impl<G: Group> Default for Together<G> {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
        }
    }
}

impl<G: Group> fmt::Debug for Together<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

impl<G: Group> Together<G> {
    /// Asks, and waits for the answer. What is under way is finished also when the caller goes away.
    ///
    /// # Errors
    /// What serving failed with.
    pub async fn ask(self: &Arc<Self>, app: &App, group: G, ask: G::Ask) -> Result<G::Answer, Failure> {
        let (answer, mut answered) = oneshot::channel();
        app.turns.ask(group.tenant());
        {
            let mut lanes = self.lanes.lock().expect("no holder of this lock panics");
            let lane = lanes.entry(group.clone()).or_insert_with(|| Lane {
                waiting: VecDeque::new(),
                at_work: 0,
            });
            let begins = lane.at_work == 0 || lane.at_work < GROUPS_AT_WORK_MAX && lane.is_full_for(&ask);
            lane.waiting.push_back(Call { ask, answer });
            if begins {
                self.begin(app, &group, lane);
            }
        }
        let answer = match tokio::time::timeout(PATIENCE, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                if let Some(lane) = self
                    .lanes
                    .lock()
                    .expect("no holder of this lock panics")
                    .get_mut(&group)
                {
                    self.begin(app, &group, lane);
                }
                answered.await
            }
        };
        answer.map_err(Bug::new)?
    }

    /// Begins to serve those who wait in the lane, unless there are none or enough are at work for it.
    fn begin(self: &Arc<Self>, app: &App, group: &G, lane: &mut Lane<G>) {
        if lane.waiting.is_empty() || lane.at_work == GROUPS_AT_WORK_MAX {
            return;
        }
        lane.at_work += 1;
        let (these, app, group) = (self.clone(), app.clone(), group.clone());
        tokio::spawn(async move {
            loop {
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                }
                let turn = app.turns.take(group.tenant()).await;
                let steps_max = if turn.is_some() {
                    TURN_STEPS_MAX
                } else {
                    GROUP_STEPS_MAX
                };
                let Some(calls) = these.next(&group, steps_max) else {
                    break;
                };
                // Those whose serving panics are told so by their channel; the others go on.
                let mut serving = pin!(AssertUnwindSafe(serve(&group, &app, calls)).catch_unwind());
                if tokio::time::timeout(PATIENCE, &mut serving).await.is_err() {
                    drop(turn);
                    let _ = serving.await;
                }
            }
        });
    }

    /// The calls to serve next; none when none wait, and then this worker is done.
    fn next(&self, group: &G, steps_max: usize) -> Option<Vec<Call<G>>> {
        let mut lanes = self.lanes.lock().expect("no holder of this lock panics");
        let lane = lanes.get_mut(group)?;
        let taken = lane.first_group(steps_max);
        if taken > 0 {
            return Some(lane.waiting.drain(..taken).collect());
        }
        lane.at_work -= 1;
        if lane.at_work == 0 {
            lanes.remove(group);
        }
        None
    }
}

/// Serves these calls, and answers each. Where they fail together each is served alone, so that only those fail that
/// should; but not where nobody can be served now, or all may have been.
async fn serve<G: Group>(group: &G, app: &App, calls: Vec<Call<G>>) {
    let asks: Vec<&G::Ask> = calls.iter().map(|call| &call.ask).collect();
    let mut answers = match group.serve(app, &asks).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(failure) if asks.len() == 1 => vec![Err(failure)],
        Err(Failure::Refused(refusal))
            if matches!(refusal.kind, Kind::Unavailable | Kind::OutcomeUnknown) =>
        {
            asks.iter()
                .map(|_| Err(Failure::Refused(refusal.clone())))
                .collect()
        }
        Err(_) => {
            let mut answers = Vec::with_capacity(asks.len());
            for ask in &asks {
                let alone = group.serve(app, &[*ask]).await;
                answers.push(alone.and_then(|mut one| Ok(one.pop().ok_or_else(|| Bug::new("no answer"))?)));
            }
            answers
        }
    }
    .into_iter();
    for Call { ask, answer } in calls {
        let given = answers
            .next()
            .unwrap_or_else(|| Err(Bug::new("no answer").into()));
        if let Err(Ok(given)) = answer.send(given) {
            group.take_back(app, ask, given).await;
        }
    }
}

/// Who acts for these: the one that there is; for several the server, which names each of them where it matters.
pub fn actor<'a>(tenant: TenantId, mut actors: impl Iterator<Item = &'a Actor>) -> Actor {
    match (actors.next(), actors.next()) {
        (Some(one), None) => one.clone(),
        _ => Actor::system(tenant),
    }
}
