//! What happened to an account, in one line of time, the newest first: its transitions, the attempts at its steps, the
//! changes of its fields, and the notes that people made.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use muster_wire::{
    AccountId, BotId, OperatorId,
    accounts::{Attempt, HistoryEntry, Note},
    audit::{AuditEntry, AuditFilter},
};
use uuid::Uuid;

use super::notes;
use crate::{actor::Actor, audit, db::Tx, problem::Failure};

/// What one page takes of each kind of thing that happens, at most.
const ITEMS_OF_A_KIND: usize = 25;

/// One thing that happened.
#[derive(Debug)]
pub enum What {
    /// The account came into another state, or was imported.
    Moved(HistoryEntry),
    /// A step was attempted.
    Tried(Attempt),
    /// Its fields were changed, or its secrets were opened.
    Changed(AuditEntry),
    /// Somebody noted something.
    Noted(Note),
}

/// What happened, when, and by whom.
#[derive(Debug)]
pub struct Happening {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of who did it, or what kind of actor it was.
    pub by: String,
    /// What.
    pub what: What,
}

/// Where a page of the timeline begins: before a moment, and before an attempt, which goes by its fencing token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The moment, in microseconds since 1970.
    pub before_micros: Option<i64>,
    /// The fencing token.
    pub before_lease: Option<i64>,
}

/// One page of a timeline.
#[derive(Debug)]
pub struct Timeline {
    /// What happened, the newest first.
    pub items: Vec<Happening>,
    /// Where the page of what was earlier begins; none where this goes back to the beginning.
    pub earlier: Option<Place>,
}

/// What happened before a place. Who opened secrets is told to those who may read the audit log.
///
/// # Errors
/// The database's.
pub async fn timeline(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    place: Place,
    audited: bool,
) -> Result<Timeline, Failure> {
    let (ids, fetch) = ([id.0], ITEMS_OF_A_KIND as i64 + 1);
    let moved = super::histories(tx, actor, &ids, place.before_micros, None, fetch).await?;
    let tried = super::attempts_of(tx, actor, &ids, place.before_lease, fetch).await?;
    let noted = notes::of(tx, actor, id, place.before_micros, fetch).await?;
    let before = place.before_micros.and_then(DateTime::from_timestamp_micros);
    let filter = AuditFilter {
        object: Some(("account".to_owned(), Some(id.to_string()))),
        action: (!audited).then(|| "account.update".to_owned()),
        ..AuditFilter::default()
    };
    let before = before.map(|at| (at, Uuid::nil()));
    let (changed, more_changed) =
        audit::list(tx, actor, &filter, Utc::now(), before, ITEMS_OF_A_KIND as i64).await?;
    let names = Names::of(tx, actor, &tried, &changed).await?;

    let mut items = Vec::new();
    // What is earlier than the last that is known of each kind that goes on is left to the next page.
    let mut end = more_changed.map(|(at, _)| at);
    let mut take = |mut kind: Vec<Happening>| {
        if kind.len() > ITEMS_OF_A_KIND {
            kind.truncate(ITEMS_OF_A_KIND);
            end = end.max(kind.last().map(|last| last.at));
        }
        items.append(&mut kind);
    };
    take(moved.into_iter().map(moved_at).collect());
    take(tried.into_iter().map(|attempt| names.tried(attempt)).collect());
    take(noted.into_iter().map(noted_at).collect());
    take(changed.into_iter().map(|entry| names.changed(entry)).collect());
    items.retain(|happening| end.is_none_or(|end| happening.at >= end));
    items.sort_by_key(|happening| std::cmp::Reverse(happening.at));

    let leases = items.iter().filter_map(|happening| match &happening.what {
        What::Tried(attempt) => Some(attempt.lease),
        _ => None,
    });
    let before_lease = leases.min().or(place.before_lease);
    let earlier = end.map(|end| Place {
        before_micros: Some(end.timestamp_micros()),
        before_lease,
    });
    Ok(Timeline { items, earlier })
}

fn moved_at(entry: HistoryEntry) -> Happening {
    let named = entry.operator.as_ref().or(entry.bot.as_ref());
    Happening {
        at: entry.at,
        by: named.unwrap_or(&entry.triggered_by).clone(),
        what: What::Moved(entry),
    }
}

fn noted_at(note: Note) -> Happening {
    Happening {
        at: note.at,
        by: note
            .operator
            .clone()
            .unwrap_or_else(|| "somebody who left".to_owned()),
        what: What::Noted(note),
    }
}

/// The names of those who are known by their ids.
struct Names(HashMap<(String, i64), String>);

impl Names {
    async fn of(
        tx: &mut Tx,
        actor: &Actor,
        tried: &[Attempt],
        changed: &[AuditEntry],
    ) -> Result<Self, Failure> {
        let operators = tried
            .iter()
            .map(|attempt| attempt.operator_id)
            .chain(changed.iter().map(|entry| entry.operator_id));
        let bots = tried
            .iter()
            .map(|attempt| attempt.bot_id)
            .chain(changed.iter().map(|entry| entry.bot_id));
        let operators: BTreeSet<i64> = operators.flatten().map(|OperatorId(id)| id).collect();
        let bots: BTreeSet<i64> = bots.flatten().map(|BotId(id)| id).collect();
        if operators.is_empty() && bots.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let (operators, bots) = (Vec::from_iter(operators), Vec::from_iter(bots));
        let rows = sqlx::query_file!("src/accounts/names.sql", actor.tenant.0, &operators, &bots)
            .fetch_all(&mut **tx)
            .await?;
        let names = rows.into_iter().map(|row| ((row.kind, row.id), row.name));
        Ok(Self(names.collect()))
    }

    fn name(&self, operator: Option<OperatorId>, bot: Option<BotId>, otherwise: &str) -> String {
        let who = operator
            .map(|id| ("operator", id.0))
            .or(bot.map(|id| ("bot", id.0)));
        who.map_or_else(
            || otherwise.to_owned(),
            |(kind, id)| match self.0.get(&(kind.to_owned(), id)) {
                Some(name) => name.clone(),
                None => format!("{kind} {id}"),
            },
        )
    }

    fn tried(&self, attempt: Attempt) -> Happening {
        Happening {
            at: attempt.completed_at.unwrap_or(attempt.started_at),
            by: self.name(attempt.operator_id, attempt.bot_id, "nobody"),
            what: What::Tried(attempt),
        }
    }

    fn changed(&self, entry: AuditEntry) -> Happening {
        Happening {
            at: entry.at,
            by: self.name(entry.operator_id, entry.bot_id, entry.triggered_by.word()),
            what: What::Changed(entry),
        }
    }
}
