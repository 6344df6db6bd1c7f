//! Reviews: what waits for a person's decision, and the decisions.

pub mod api;
pub mod pages;

use std::collections::HashMap;

use muster_wire::{
    AccountId, Event, Page, State,
    accounts::{Account, Transitions},
    filter::Filter,
    reviews::{
        Decision, NewDecision, NewDecisions, REVIEW_ATTEMPTS_MAX, REVIEW_DECISIONS_MAX, Review, ReviewKind,
    },
};

use crate::{
    accounts::{
        self,
        filter::AccountFilter,
        lifecycle::{self, Bulk, Which},
        refuse,
    },
    actor::Actor,
    db::Tx,
    http::ListQuery,
    problem::{Bug, Failure, Refusal},
};

/// The events that are shown as earlier decisions.
const DECISIONS: [Event; 4] = [Event::Approve, Event::Resume, Event::Retire, Event::Flag];

/// One page of the accounts in review that match, those that have waited longest first; without those that a batch is about
/// to move, which are decided.
///
/// # Errors
/// The faults of the query, or the database's.
pub async fn list(tx: &mut Tx, actor: &Actor, mut query: ListQuery) -> Result<Page<Review>, Failure> {
    let cursor = query.cursor.take();
    let listing = query.read()?;
    let filter = AccountFilter::reviews(tx, actor, listing.filter)
        .await?
        .undecided();
    let walk = filter.walk_reviews();
    let page = walk
        .page(tx, actor, &filter, cursor.as_deref(), listing.limit)
        .await?;
    Ok(Page {
        items: whole(tx, actor, page.items).await?,
        next: page.next,
    })
}

/// One review.
///
/// # Errors
/// That the account is not in review, and what became of it; or the database's.
pub async fn get(tx: &mut Tx, actor: &Actor, id: AccountId) -> Result<Review, Failure> {
    let account = accounts::get(tx, actor, id).await?;
    if account.lifecycle_state != State::HumanReview {
        return Err(not_in_review(tx, actor, id, account.lifecycle_state).await?);
    }
    whole(tx, actor, vec![account])
        .await?
        .pop()
        .ok_or_else(|| Bug::new(format!("account {id} is in review without a history")).into())
}

/// The reviews of accounts that wait, with all that is needed to decide.
async fn whole(tx: &mut Tx, actor: &Actor, accounts: Vec<Account>) -> Result<Vec<Review>, Failure> {
    let ids: Vec<i64> = accounts.iter().map(|account| account.id.0).collect();
    let since: Vec<_> = accounts.iter().map(|account| account.state_changed_at).collect();
    let decisions = DECISIONS.map(|event| event.word().to_owned());
    let reasons = sqlx::query_file!("src/reviews/reasons.sql", actor.tenant.0, &ids, &since)
        .fetch_all(&mut **tx)
        .await?;
    let attempts = accounts::attempts_of(tx, actor, &ids, None, REVIEW_ATTEMPTS_MAX).await?;
    let decided = accounts::histories(tx, actor, &ids, None, Some(&decisions), REVIEW_DECISIONS_MAX).await?;
    let mut reasons: HashMap<_, _> = reasons.into_iter().map(|row| (row.id, row)).collect();
    let mut attempts = grouped(attempts, |attempt| attempt.account_id);
    let mut decided = grouped(decided, |entry| entry.account_id);

    let mut items = Vec::new();
    for account in accounts {
        let Some(row) = reasons.remove(&account.id) else {
            continue;
        };
        let kind = ReviewKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.event().word() == row.event)
            .ok_or_else(|| Bug::new(format!("{} leads to no review", row.event)))?;
        items.push(Review {
            kind,
            since: account.state_changed_at,
            reason: row.reason,
            attempts: attempts.remove(&account.id).unwrap_or_default(),
            decisions: decided.remove(&account.id).unwrap_or_default(),
            account,
        });
    }
    Ok(items)
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> AccountId) -> HashMap<AccountId, Vec<T>> {
    let mut groups: HashMap<AccountId, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

/// Decides one review. Of two who decide at once one is heard, and the other is told what was decided.
///
/// # Errors
/// That the actor may not; that there is no such account; that it is not, or no longer, in review; that the decision does
/// not fit; or the database's.
pub async fn decide(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    asked: &NewDecision,
) -> Result<Account, Failure> {
    refuse(asked.faults())?;
    lifecycle::allow(actor, asked.decision.event())?;
    if let [account] = lifecycle::lock(tx, actor, &[id.0]).await?.as_slice()
        && account.state != State::HumanReview
    {
        return Err(not_in_review(tx, actor, id, account.state).await?);
    }
    let event = asked.decision.event();
    lifecycle::transition(tx, actor, event, Some(&asked.reason), id).await?;
    accounts::get(tx, actor, id).await
}

/// Says what became of an account that is not in review.
async fn not_in_review(tx: &mut Tx, actor: &Actor, id: AccountId, state: State) -> Result<Failure, Failure> {
    let last = accounts::histories(tx, actor, &[id.0], None, None, 1).await?;
    let happened = last.first().map_or_else(String::new, |entry| {
        let who = entry
            .operator
            .as_ref()
            .or(entry.bot.as_ref())
            .unwrap_or(&entry.triggered_by);
        let why = entry.reason.as_deref().unwrap_or("no reason given");
        let at = entry.at.format("%Y-%m-%d %H:%M:%S UTC");
        format!(": {} by {who} at {at} ({why})", entry.event)
    });
    let detail = format!("it is {state}, so there is nothing to decide{happened}");
    Ok(Refusal::conflict("not_in_review", detail).into())
}

/// Decides many reviews in the same way.
///
/// # Errors
/// As [`lifecycle::transition_all`]; and the faults of the request.
pub async fn decide_all(tx: &mut Tx, actor: &Actor, asked: NewDecisions) -> Result<Transitions, Failure> {
    refuse(asked.faults())?;
    let which = match (asked.ids, &asked.filter) {
        (Some(ids), _) => Which::Ids(ids),
        (None, filter) => {
            let filter = Filter::parse(filter.as_deref().unwrap_or_default());
            Which::Matching(AccountFilter::reviews(tx, actor, filter).await?)
        }
    };
    let bulk = Bulk {
        event: Decision::event(asked.decision),
        in_review: true,
        reason: Some(&asked.reason),
        which,
        expected_count: asked.expected_count,
        dry_run: asked.dry_run,
    };
    lifecycle::transition_all(tx, actor, bulk).await
}
