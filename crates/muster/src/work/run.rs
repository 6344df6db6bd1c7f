//! People's steps, one at a time: taken, done with the hand, and reported with what there is to see.

use chrono::Utc;
use muster_wire::{
    Fault,
    work::{Claim, Claimed, Lease, Outcome, Report, StepResult, Verdict, WorkItem},
};
use serde_json::json;

use super::{claim, held, refuse, report};
use crate::{
    actor::Actor,
    app::App,
    problem::{Failure, Refusal},
};

/// Takes the next step that is for people, unless the person holds one already.
///
/// # Errors
/// When the database fails.
pub async fn take(app: &App, actor: &Actor) -> Result<Claimed, Failure> {
    if let Some(item) = current(app, actor).await? {
        return Ok(Claimed {
            items: vec![item],
            paused: None,
        });
    }
    let next = Claim {
        max: 1,
        wait_ms: 0,
        steps: Vec::new(),
        model_id: None,
    };
    claim(app, actor, &next).await
}

/// The step that the person holds, the oldest of several.
///
/// # Errors
/// When the database fails.
pub async fn current(app: &App, actor: &Actor) -> Result<Option<WorkItem>, Failure> {
    let mut tx = app.db.begin(actor).await?;
    let held = held(&mut tx, actor).await?;
    tx.commit().await?;
    Ok(held.items.into_iter().next())
}

/// Reports how a step ended, with what there is to see, or what went wrong; gives the step.
///
/// # Errors
/// That nothing is said of what went wrong; that the lease is lost; or that the database fails.
pub async fn finish(
    app: &App,
    actor: &Actor,
    lease: Lease,
    outcome: Outcome,
    note: &str,
) -> Result<WorkItem, Failure> {
    let note = note.trim();
    let done = outcome == Outcome::Completed;
    if note.is_empty() && !done {
        let detail = "say what went wrong, for whoever looks next";
        refuse(vec![Fault::new("/note", "missing", detail)])?;
    }
    let lost = || {
        let detail = "this step is not yours any more: its time ran out, or it was given back. Nothing was reported; look \
                      whether it is done before you do it again";
        Refusal::conflict("lease_lost", detail)
    };
    let mut tx = app.db.begin(actor).await?;
    let held = held(&mut tx, actor).await?.items;
    tx.commit().await?;
    let item = held
        .into_iter()
        .find(|item| item.lease == lease)
        .ok_or_else(lost)?;
    let took_ms = (Utc::now() - item.leased_at).num_milliseconds().max(0);
    let result = StepResult {
        lease,
        outcome,
        execution_time_ms: i32::try_from(took_ms).unwrap_or(i32::MAX),
        response: (done && !note.is_empty()).then(|| json!({ "evidence": note })),
        error: (!done).then(|| note.to_owned()),
    };
    let reported = Report {
        bot_session_id: None,
        results: vec![result],
    };
    let reported = report(app, actor, reported).await?;
    match reported.receipts.first().map(|receipt| receipt.verdict) {
        Some(Verdict::Accepted | Verdict::Duplicate) => Ok(item),
        Some(Verdict::Stale) | None => Err(lost().into()),
    }
}
