//! How the accounts that match a filter are found: walked in the order of one index, so many at most for a page, so that a
//! page costs as much among a million accounts as among ten thousand, however rare a match is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_wire::{
    Page, Role, State,
    accounts::{Account, AccountStatus, Progress},
    lifecycle::Step,
    problem::Fault,
};

use super::filter::AccountFilter;
use crate::{
    actor::Actor,
    db::Tx,
    http::{WALKED_MAX, Walked, walked_page},
    problem::{Failure, Refusal},
};

/// Accounts walked for a page or a count, at most, where each is looked up in other tables too.
pub const WALKED_JOINED_MAX: i64 = 50;

/// The same, where each is looked up in the history besides.
const WALKED_HISTORY_MAX: i64 = 25;

/// The order of a walk. Each is that of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Of the ids.
    Id,
    /// Of the user names.
    Name,
    /// Of the times since which accounts are in their state: who has waited longest comes first.
    Since,
    /// Of the times at which authorisations end.
    Expiry,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Since => "since",
            Self::Expiry => "expiry",
        }
    }
}

/// Which accounts are walked, and in which order.
#[derive(Debug)]
pub struct Walk {
    /// The part of the filter that one index serves.
    along: AccountFilter,
    order: Order,
    /// Accounts walked, at most.
    rows_max: i64,
}

/// Where an account is in the order of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    order: Order,
    name: Option<String>,
    at_micros: Option<i64>,
    id: i64,
}

impl AccountFilter {
    /// The walk that finds what matches with the fewest steps.
    pub fn walk(&self) -> Walk {
        let none = AccountFilter::default();
        let (along, order) = if self.proxy_id.is_some() {
            let proxy_id = self.proxy_id;
            (AccountFilter { proxy_id, ..none }, Order::Id)
        } else if self.username.is_some() {
            let username = self.username.clone();
            (AccountFilter { username, ..none }, Order::Name)
        } else if self.lapsed.is_some() || self.lapses_within_secs.is_some() {
            let (lapsed, lapses_within_secs) = (self.lapsed, self.lapses_within_secs);
            let along = AccountFilter {
                lapsed,
                lapses_within_secs,
                ..none
            };
            (along, Order::Expiry)
        } else if self.status.is_some_and(|status| status != AccountStatus::Active) {
            let status = self.status;
            (AccountFilter { status, ..none }, Order::Id)
        } else if self.state.is_some() {
            self.along_state()
        } else if self.model_id.is_some() || self.no_model.is_some() {
            let (model_id, no_model) = (self.model_id, self.no_model);
            let along = AccountFilter {
                model_id,
                no_model,
                ..none
            };
            (along, Order::Id)
        } else if self.review == Some(true) {
            let review = self.review;
            (AccountFilter { review, ..none }, Order::Id)
        } else {
            (none, Order::Id)
        };
        Walk {
            along,
            order,
            rows_max: self.rows_max(),
        }
    }

    /// The walk of the reviews that match, which come in the order in which they have waited.
    pub fn walk_reviews(&self) -> Walk {
        Walk {
            along: self.along_state().0,
            order: Order::Since,
            rows_max: self.rows_max(),
        }
    }

    /// Accounts walked, at most.
    fn rows_max(&self) -> i64 {
        if self.review_event.is_some() {
            WALKED_HISTORY_MAX
        } else if self.hold.is_some() || self.step.is_some() || self.undecided.is_some() {
            WALKED_JOINED_MAX
        } else {
            WALKED_MAX
        }
    }

    /// Along the accounts of a state, of one model or of all. Imported accounts of any model have an order of their own.
    fn along_state(&self) -> (AccountFilter, Order) {
        let imported =
            self.state == Some(State::Imported) && self.model_id.is_none() && self.no_model.is_none();
        let mut along = AccountFilter {
            state: self.state,
            model_id: self.model_id,
            no_model: self.no_model,
            ..AccountFilter::default()
        };
        if imported {
            return (along, Order::Id);
        }
        along.stuck_longer_secs = self.stuck_longer_secs;
        along.stuck_shorter_secs = self.stuck_shorter_secs;
        (along, Order::Since)
    }
}

impl Walk {
    /// The part of the filter that it goes along, as the database reads it.
    ///
    /// # Errors
    /// None that is known; a failure would be ours.
    pub fn along(&self) -> Result<serde_json::Value, Failure> {
        self.along.json()
    }

    /// The order, as the database reads it.
    pub fn order(&self) -> &'static str {
        self.order.word()
    }

    /// Accounts walked for a count, at most.
    pub fn rows_max(&self) -> i64 {
        self.rows_max
    }

    /// One page of the accounts that match. It may hold fewer than the limit although there are more: then as many were walked
    /// as may be for one page, and the next goes on from there.
    ///
    /// # Errors
    /// A cursor of another walk; or the database's.
    pub async fn page(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        filter: &AccountFilter,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<Account>, Failure> {
        let fetch = limit + 1;
        // Where whatever is walked matches, a page is full after as many as it holds.
        let rows_max = if self.along == *filter {
            fetch
        } else {
            self.rows_max.max(fetch)
        };
        let asked = Asked {
            filter: filter.json()?,
            ids: None,
            along: self.along()?,
            order: self.order,
            after: cursor.map(|cursor| self.read_cursor(cursor)).transpose()?,
            rows_max: Some(rows_max),
            limit: Some(fetch),
        };
        let (found, end) = walked_page(fetch_all(tx, actor, asked).await?, limit, rows_max);
        Ok(Page {
            items: found.into_iter().map(|(_, account)| account).collect(),
            next: end.map(|(place, _)| place.write()),
        })
    }

    fn read_cursor(&self, cursor: &str) -> Result<Place, Failure> {
        Place::read(cursor)
            .filter(|place| place.order == self.order)
            .ok_or_else(|| {
                let detail = "this is no cursor of this list: use next as it was given";
                Refusal::invalid(vec![Fault::new("cursor", "cursor", detail)]).into()
            })
    }
}

/// The accounts of these ids, in their order; ids that are nobody's are left out.
///
/// # Errors
/// The database's.
pub async fn read(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Vec<Account>, Failure> {
    let asked = Asked {
        filter: AccountFilter::default().json()?,
        ids: Some(ids),
        along: AccountFilter::default().json()?,
        order: Order::Id,
        after: None,
        rows_max: None,
        limit: None,
    };
    let rows = fetch_all(tx, actor, asked).await?;
    Ok(rows.into_iter().map(|row| row.item.1).collect())
}

/// What the statement is asked.
struct Asked<'a> {
    filter: serde_json::Value,
    ids: Option<&'a [i64]>,
    along: serde_json::Value,
    order: Order,
    after: Option<Place>,
    rows_max: Option<i64>,
    limit: Option<i64>,
}

async fn fetch_all(
    tx: &mut Tx,
    actor: &Actor,
    asked: Asked<'_>,
) -> Result<Vec<Walked<(Place, Account)>>, Failure> {
    let rows = sqlx::query_file!(
        "src/accounts/list.sql",
        actor.tenant.0,
        asked.filter,
        asked.ids,
        asked.along,
        asked.order.word(),
        asked.after.as_ref().and_then(|place| place.name.as_deref()),
        asked.after.as_ref().and_then(|place| place.at_micros),
        asked.after.as_ref().map(|place| place.id),
        asked.rows_max,
        asked.limit
    )
    .fetch_all(&mut **tx)
    .await?;
    let role = actor.role().unwrap_or(Role::Viewer);
    let found = rows.into_iter().map(|row| {
        let place = Place {
            order: asked.order,
            name: row.name,
            at_micros: row.at.map(|at| at.timestamp_micros()),
            id: row.id.0,
        };
        let progress = match (row.step, row.attempt, row.run_at) {
            (Some(step), Some(failed), Some(run_at)) => Step::from_number(step).map(|name| Progress {
                step,
                name,
                attempt: failed + 1,
                run_at,
                leased_until: row.leased_until,
                bot_id: row.bot_id,
                operator_id: row.operator_id,
            }),
            _ => None,
        };
        let complete = row.warmup_completed_at.is_some();
        let account = Account {
            id: row.id,
            username: row.username,
            email: row.email,
            has_password: row.has_password,
            has_access_token: row.has_access_token,
            status: row.status,
            model_id: row.model_id,
            model: row.model,
            assigned_at: row.assigned_at,
            lifecycle_state: row.lifecycle_state,
            state_changed_at: row.state_changed_at,
            warmup_step: row.warmup_step,
            warmup_started_at: row.warmup_started_at,
            warmup_completed_at: row.warmup_completed_at,
            proxy_id: row.proxy_id,
            proxy_assigned_at: row.proxy_assigned_at,
            authorisation_basis: row.authorisation_basis,
            authorisation_reference: row.authorisation_reference,
            authorisation_expires_at: row.authorisation_expires_at,
            last_bot_action_by: row.last_bot_action_by,
            last_bot_action_at: row.last_bot_action_at,
            requires_human_review: row.requires_human_review,
            last_error_message: row.last_error_message,
            last_error_at: row.last_error_at,
            retry_count: row.retry_count,
            bio: row.bio,
            profile_picture_url: row.profile_picture_url,
            location_city: row.location_city,
            location_campus: row.location_campus,
            location_niche: row.location_niche,
            birthday: row.birthday,
            device_info: row.device_info,
            content_type: row.content_type,
            hold: row.hold.map(Into::into),
            progress,
            actions: muster_wire::lifecycle::actions(row.lifecycle_state, complete, role),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        };
        Walked {
            item: (place, account),
            walked: row.walked,
            matches: row.matches,
        }
    });
    Ok(found.collect())
}

impl Place {
    fn write(&self) -> String {
        let key = match self.order {
            Order::Id => String::new(),
            Order::Name => self.name.clone().unwrap_or_default(),
            Order::Since | Order::Expiry => self.at_micros.unwrap_or_default().to_string(),
        };
        URL_SAFE_NO_PAD.encode(format!("{}:{}:{key}", self.order.word(), self.id))
    }

    fn read(cursor: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.splitn(3, ':');
        let word = parts.next()?;
        let order = [Order::Id, Order::Name, Order::Since, Order::Expiry]
            .into_iter()
            .find(|order| order.word() == word)?;
        let id = parts.next()?.parse().ok()?;
        let key = parts.next()?;
        Some(Self {
            order,
            id,
            name: (order == Order::Name).then(|| key.to_owned()),
            at_micros: match order {
                Order::Since | Order::Expiry => Some(key.parse().ok()?),
                Order::Id | Order::Name => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_survives_being_written_and_read(id in any::<i64>(), micros in any::<i64>(), name in ".*") {
            for order in [Order::Id, Order::Name, Order::Since, Order::Expiry] {
                let place = Place {
                    order,
                    id,
                    name: (order == Order::Name).then(|| name.clone()),
                    at_micros: matches!(order, Order::Since | Order::Expiry).then_some(micros),
                };
                prop_assert_eq!(Place::read(&place.write()), Some(place));
            }
        }

        #[test]
        fn no_text_makes_reading_a_place_panic(text in ".*") {
            let _ = Place::read(&text);
        }
    }
}
