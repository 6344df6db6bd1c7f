//! Claims: steps that are due are leased to whoever asks, at once or when there are some.

use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_wire::{
    ModelId, Step, TenantId,
    work::{
        Claim, Claimed, HELD_LEASES_MAX, HeldLeases, Lease, Leases, WorkAccount, WorkContent, WorkItem,
        WorkProxy, WorkText,
    },
};
use tokio::time::Instant;

use super::{
    count, floors, holder, holders, lease_secs, refuse, release,
    together::{self, Group},
};
use crate::{
    actor::Actor,
    app::App,
    db::{Tx, not_committed},
    problem::{Bug, Failure, Kind},
    texts::template::Variables,
};

/// How long a claim waits, at most, before it looks again by itself: work that another process made ready rings no bell
/// here.
pub const LOOK_AGAIN_MS_MAX: u64 = 1_000;

/// Dead steps that a look for work reads through, at most, before it counts as one through much: a quarter of a millisecond.
pub const DEAD_MAX: i64 = 1_000;

/// And for each step that it gives: those of the claims before may not have been dead for long.
pub const DEAD_EACH_MAX: i64 = 4;

/// Claims that can be one statement: those that ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    tenant: TenantId,
    /// Whether people ask, who get what only people may do.
    for_people: bool,
    steps: Vec<Step>,
    model: Option<ModelId>,
}

/// One claimer of several.
#[derive(Debug)]
pub struct Claimer {
    actor: Actor,
    max: u32,
}

/// What a look for work found for one claimer.
#[derive(Debug)]
pub struct Found {
    items: Vec<WorkItem>,
    /// Where nothing was found: why nothing is handed out, and in how many milliseconds the next step is due.
    paused: Option<String>,
    due_in_ms: Option<i64>,
}

/// Claims steps that are due, accounts furthest along first: bots get those that bots may do, people those that only
/// people may do. Waits for some as long as the claim says; answers at once when the tenant, the bot or the model that is
/// asked for is paused. What is given carries no secret.
///
/// # Errors
/// When the claim has faults, or the database fails.
pub async fn claim(app: &App, actor: &Actor, claim: &Claim) -> Result<Claimed, Failure> {
    refuse(claim.faults())?;
    holder(actor)?;
    let mut wanted = Wanted {
        tenant: actor.tenant,
        for_people: actor.bot().is_none(),
        steps: claim.steps.clone(),
        model: claim.model_id,
    };
    wanted.steps.sort_unstable();
    wanted.steps.dedup();
    let until = Instant::now() + Duration::from_millis(claim.wait_ms.into());
    let bell = app.work.of(actor.tenant);
    loop {
        // Listening begins before looking, so that what comes between the two is heard.
        let mut rung = std::pin::pin!(bell.notified());
        rung.as_mut().enable();
        let claimer = Claimer {
            actor: actor.clone(),
            max: claim.max,
        };
        let found = app.claims.ask(app, wanted.clone(), claimer).await?;
        let now = Instant::now();
        if !found.items.is_empty()
            || found.paused.is_some()
            || now >= until
            || app.work.closed().is_cancelled()
        {
            return Ok(Claimed {
                items: found.items,
                paused: found.paused,
            });
        }
        let look_again_ms = rand::random_range(LOOK_AGAIN_MS_MAX * 4 / 5..=LOOK_AGAIN_MS_MAX);
        let due_ms = found
            .due_in_ms
            .and_then(|ms| u64::try_from(ms.max(1)).ok())
            .map_or(look_again_ms, |ms| ms.min(look_again_ms));
        tokio::select! {
            () = rung => {}
            () = app.work.closed().cancelled() => {}
            () = tokio::time::sleep_until(until.min(now + Duration::from_millis(due_ms))) => {}
        }
    }
}

/// The leases that the actor holds, with what is needed to work them, but no secret: for whoever began again.
///
/// # Errors
/// When the database fails.
pub async fn held(tx: &mut Tx, actor: &Actor) -> Result<HeldLeases, Failure> {
    let (bot, operator) = holder(actor)?;
    let rows = sqlx::query_file_as!(
        Row,
        "src/work/held.sql",
        actor.tenant.0,
        bot,
        operator,
        HELD_LEASES_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    let items = rows.into_iter().map(Row::item).collect::<Result<_, _>>()?;
    Ok(HeldLeases { items })
}

impl Group for Wanted {
    type Ask = Claimer;
    type Answer = Found;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn steps(claimer: &Claimer) -> usize {
        claimer.max as usize
    }

    async fn serve(&self, app: &App, asks: &[&Claimer]) -> Result<Vec<Found>, Failure> {
        look(app, self, asks).await
    }

    /// Whoever went away while waiting would let the leases run out.
    async fn take_back(&self, app: &App, claimer: Claimer, found: Found) {
        let leases: Vec<Lease> = found.items.iter().map(|item| item.lease).collect();
        if leases.is_empty() {
            return;
        }
        if let Err(failure) = give_back(app, &claimer.actor, leases).await {
            tracing::debug!("leases that nobody waits for are left to run out: {failure}");
        }
    }
}

async fn give_back(app: &App, actor: &Actor, leases: Vec<Lease>) -> Result<(), Failure> {
    let mut tx = app.db.begin(actor).await?;
    release(&mut tx, actor, &Leases { leases }).await?;
    tx.commit().await?;
    app.work.notify(actor.tenant);
    Ok(())
}

/// Looks for work once, for all of these.
async fn look(app: &App, wanted: &Wanted, claimers: &[&Claimer]) -> Result<Vec<Found>, Failure> {
    let (bots, operators) = holders(claimers.iter().map(|claimer| &claimer.actor))?;
    let maxes: Vec<i32> = claimers.iter().map(|claimer| count(claimer.max)).collect();
    let steps: Vec<i16> = wanted.steps.iter().map(|step| step.number()).collect();
    let queue = (wanted.tenant, wanted.for_people);
    let (from, begun) = (app.floors.from(queue), Instant::now());
    let actor = together::actor(wanted.tenant, claimers.iter().map(|claimer| &claimer.actor));
    let rows = sqlx::query_file_as!(
        Row,
        "src/work/claim.sql",
        wanted.tenant.0,
        &bots as &[Option<i64>],
        &operators as &[Option<i64>],
        &maxes,
        &steps,
        wanted.model.map(|id| id.0),
        count(lease_secs(&app.settings, wanted.for_people)),
        &from.unwrap_or_default() as &[Option<DateTime<Utc>>],
        actor.triggered_by(),
        actor.operator().map(|id| id.0),
        actor.bot().map(|id| id.0),
        actor.request
    )
    .fetch_all(&mut app.db.for_one_statement().await?)
    .await;
    let rows = match rows.map_err(not_committed) {
        Err(Failure::Refused(refusal))
            if refusal.kind == Kind::Unavailable && from.is_none() && app.floors.from(queue).is_some() =>
        {
            return Box::pin(look(app, wanted, claimers)).await;
        }
        rows => rows?,
    };
    let took = begun.elapsed();
    let dead_max = DEAD_MAX + DEAD_EACH_MAX * i64::try_from(rows.len()).unwrap_or_default();
    let through_much = rows.first().map(|row| row.dead > dead_max);
    let first = first_due(&rows);
    let mut all = rows.len() < usize::try_from(maxes.iter().sum::<i32>()).unwrap_or_default();
    let mut at = rows.first().map(|row| row.leased_at);
    let nothing = || Found {
        items: Vec::new(),
        paused: None,
        due_in_ms: None,
    };
    let mut found: Vec<Found> = claimers.iter().map(|_| nothing()).collect();
    for row in rows {
        let claimer = usize::try_from(row.claimer - 1).ok();
        claimer
            .and_then(|n| found.get_mut(n))
            .ok_or_else(|| Bug::new("a lease for somebody who did not ask"))?
            .items
            .push(row.item()?);
    }
    if found.iter().any(|one| one.items.is_empty()) {
        let mut tx = app.db.begin(&actor).await?;
        let rows = sqlx::query_file!(
            "src/work/idle.sql",
            wanted.tenant.0,
            &bots as &[Option<i64>],
            wanted.for_people,
            wanted.model.map(|id| id.0)
        )
        .fetch_all(&mut *tx)
        .await?;
        for (one, row) in found.iter_mut().zip(rows).filter(|(one, _)| one.items.is_empty()) {
            at = at.or(Some(row.at));
            (one.paused, one.due_in_ms) = (row.paused, row.due_in_ms);
        }
    }
    if found.iter().any(|one| one.paused.is_some()) {
        // Nothing was looked for on their behalf.
        all = false;
    }
    let for_all = wanted.model.is_none() && wanted.steps.is_empty();
    let due = at.filter(|_| for_all).map(|at| floors::Found { first, at, all });
    match (from, &due) {
        (None, due) => app
            .floors
            .looked_from_the_beginning(queue, took, through_much, due.as_ref()),
        (Some(_), Some(due)) => app.floors.looked(queue, due),
        (Some(_), None) => {}
    }
    Ok(found)
}

/// When the first was due of each kind of step among what was leased.
fn first_due(rows: &[Row]) -> floors::From<{ Step::ALL.len() }> {
    let mut found = floors::From::default();
    for row in rows {
        let step = usize::try_from(row.step - 1).unwrap_or_default();
        if let Some(first) = found.get_mut(step) {
            *first = Some(first.map_or(row.due_at, |first: DateTime<Utc>| first.min(row.due_at)));
        }
    }
    found
}

/// What a claim gives, as the database gives it.
struct Row {
    claimer: i32,
    account_id: muster_wire::AccountId,
    lease: i64,
    leased_at: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    due_at: DateTime<Utc>,
    step: i16,
    attempt: i16,
    username: String,
    city: Option<String>,
    campus: Option<String>,
    niche: Option<String>,
    model_id: muster_wire::ModelId,
    model: String,
    proxy_id: muster_wire::ProxyId,
    scheme: String,
    host: String,
    port: i32,
    proxy_username: Option<String>,
    content_id: Option<muster_wire::ContentId>,
    image_url: Option<String>,
    content_text: Option<String>,
    content_is_template: Option<bool>,
    text_id: Option<muster_wire::TextId>,
    text_content: Option<String>,
    text_is_template: Option<bool>,
    dead: i64,
}

impl Row {
    fn item(self) -> Result<WorkItem, Failure> {
        let name = Step::from_number(self.step).ok_or_else(|| Bug::new("a step beyond the fifth"))?;
        let port = u16::try_from(self.port).map_err(Bug::new)?;
        let variables = Variables {
            username: &self.username,
            city: self.city.as_deref(),
            campus: self.campus.as_deref(),
            niche: self.niche.as_deref(),
            model: &self.model,
        };
        let fill = |text: String, is_template: Option<bool>| match is_template {
            Some(true) => variables.fill(&text),
            _ => text,
        };
        let content = self
            .content_id
            .zip(self.image_url)
            .map(|(id, image_url)| WorkContent {
                id,
                image_url,
                text: self.content_text.map(|text| fill(text, self.content_is_template)),
            });
        let text = self.text_id.zip(self.text_content).map(|(id, text)| WorkText {
            id,
            text: fill(text, self.text_is_template),
        });
        Ok(WorkItem {
            lease: Lease {
                account: self.account_id,
                token: self.lease,
            },
            leased_at: self.leased_at,
            expires_at: self.leased_until,
            step: self.step,
            name,
            attempt: self.attempt,
            content,
            text,
            account: WorkAccount {
                id: self.account_id,
                username: self.username,
                model_id: self.model_id,
                model: self.model,
            },
            proxy: WorkProxy {
                id: self.proxy_id,
                scheme: self.scheme,
                host: self.host,
                port,
                username: self.proxy_username,
            },
        })
    }
}
