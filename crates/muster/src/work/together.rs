//! Together: what several callers ask for at the same time is done for all of them at once. Whoever asks while nobody is at
//! work is served at once and alone; whoever comes meanwhile waits for the work that is under way, not for a clock, and is
//! then served with all who wait. A group costs the database much the same however few are in it, so another one is worked on
//! beside it only where more wait than one can hold, or where it takes long, as one does that waits for somebody's lock; or else
//! when the work is done and the commit is being written to disk, which costs time and nothing else.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use muster_wire::TenantId;
use tokio::{sync::oneshot, task::JoinSet};

use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    problem::{Bug, Failure, Kind},
};

/// Groups of one key that are worked on at the same time, at most.
const GROUPS_AT_WORK_MAX: usize = 2;

/// Groups whose commits are under way while the next one is worked on, at most, for each that is worked on. Each has a connection.
const COMMITS_UNDER_WAY_MAX: usize = 2;

/// How long a caller waits for the group that is being served before another one is begun beside it.
const PATIENCE_MS: u64 = 100;

/// Asks that can be served together, by what they have in common.
pub trait Group: Clone + Eq + Hash + Send + Sync + 'static {
    /// What one caller asks.
    type Ask: Send + Sync + 'static;
    /// What it gets.
    type Answer: Send + 'static;

    /// Whether an ask can be served with these.
    fn fits(asks: &[&Self::Ask], next: &Self::Ask) -> bool;

    /// Does what these ask for, but for the commit.
    fn work(
        &self,
        app: &App,
        asks: &[&Self::Ask],
    ) -> impl Future<Output = Result<Worked<Self::Answer>, Failure>> + Send;

    /// Takes back an answer whose caller has gone away.
    fn take_back(&self, app: &App, ask: Self::Ask, answer: Self::Answer) -> impl Future<Output = ()> + Send;
}

/// What was done for a group.
#[derive(Debug)]
pub struct Worked<Answer> {
    /// The answer to each, in their order, when this is committed.
    pub answers: Vec<Answer>,
    /// To be committed.
    pub tx: Tx,
}

impl<Answer> Worked<Answer> {
    async fn commit(self) -> Result<Vec<Answer>, Failure> {
        self.tx.commit().await?;
        Ok(self.answers)
    }
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
    fn first_group(&self) -> usize {
        let mut asks: Vec<&G::Ask> = Vec::new();
        for Call { ask, .. } in &self.waiting {
            if !asks.is_empty() && !G::fits(&asks, ask) {
                break;
            }
            asks.push(ask);
        }
        asks.len()
    }

    /// Whether an ask cannot be served with all who wait.
    fn is_full_for(&self, ask: &G::Ask) -> bool {
        let asks: Vec<&G::Ask> = self.waiting.iter().map(|call| &call.ask).collect();
        !asks.is_empty() && !G::fits(&asks, ask)
    }
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
        let patience = Duration::from_millis(PATIENCE_MS);
        let answer = match tokio::time::timeout(patience, &mut answered).await {
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
            let mut commits = JoinSet::new();
            while let Some(calls) = these.next(&group) {
                let asks: Vec<&G::Ask> = calls.iter().map(|call| &call.ask).collect();
                // Those whose serving panics are told so by their channel; the others go on.
                let Ok(worked) = AssertUnwindSafe(group.work(&app, &asks)).catch_unwind().await else {
                    continue;
                };
                commits.spawn(finish(group.clone(), app.clone(), calls, worked));
                if commits.len() > COMMITS_UNDER_WAY_MAX {
                    commits.join_next().await;
                }
            }
            commits.detach_all();
        });
    }

    /// The calls to serve next; none when none wait, and then this worker is done.
    fn next(&self, group: &G) -> Option<Vec<Call<G>>> {
        let mut lanes = self.lanes.lock().expect("no holder of this lock panics");
        let lane = lanes.get_mut(group)?;
        let taken = lane.first_group();
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

/// Commits what was done for these calls, and answers each. Where they fail together each is served alone, so that only those
/// fail that should; but not where nobody can be served now, or all may have been.
async fn finish<G: Group>(
    group: G,
    app: App,
    calls: Vec<Call<G>>,
    worked: Result<Worked<G::Answer>, Failure>,
) {
    let committed = match worked {
        Ok(worked) => worked.commit().await,
        Err(failure) => Err(failure),
    };
    let mut answers = match committed {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(failure) if calls.len() == 1 => vec![Err(failure)],
        Err(Failure::Refused(refusal))
            if matches!(refusal.kind, Kind::Unavailable | Kind::OutcomeUnknown) =>
        {
            let all = calls.iter().map(|_| Err(Failure::Refused(refusal.clone())));
            all.collect()
        }
        Err(_) => {
            let mut answers = Vec::with_capacity(calls.len());
            for Call { ask, .. } in &calls {
                answers.push(alone(&group, &app, ask).await);
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
            group.take_back(&app, ask, given).await;
        }
    }
}

async fn alone<G: Group>(group: &G, app: &App, ask: &G::Ask) -> Result<G::Answer, Failure> {
    let mut one = group.work(app, &[ask]).await?.commit().await?;
    Ok(one.pop().ok_or_else(|| Bug::new("no answer"))?)
}

/// Who acts for these: the one that there is; for several the server, which names each of them where it matters.
pub fn actor<'a>(tenant: TenantId, mut actors: impl Iterator<Item = &'a Actor>) -> Actor {
    match (actors.next(), actors.next()) {
        (Some(one), None) => one.clone(),
        _ => Actor::system(tenant),
    }
}
