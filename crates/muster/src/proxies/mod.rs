//! Proxies: the network egress that accounts use.
//!
//! How many accounts a proxy carries is counted by trigger and bounded by a constraint of the table; what is done here
//! only arranges that the constraint is never met. Whoever needs several locks takes them in one order: accounts, then
//! queue rows, then proxies, each by id.

use muster_wire::{
    Fault, Filter, ModelId, Page, ProxyId, TenantId,
    proxies::{Capacity, NewProxy, Proxy, ProxyChange, ProxyStatus, SHARES_MAX, Share},
    secret::Secret,
};
use serde_json::Value;

use crate::{
    actor::Actor,
    audit,
    db::Tx,
    http::{IfMatch, Listing, Walked, walked_page},
    problem::{Bug, Failure, Refusal},
    seal::{Keyring, Place},
};

pub mod api;
pub mod assign;
mod guard;
mod page;
pub mod pages;
pub mod probe;
pub mod test;

/// Which proxies a list shows, or a test tests.
#[derive(Debug, Default)]
struct Matching {
    status: Option<ProxyStatus>,
    model: Option<String>,
    provider: Option<String>,
    location: Option<String>,
    room: Option<bool>,
    words: Option<String>,
}

impl Matching {
    fn read(mut filter: Filter) -> Result<Self, Failure> {
        let mut faults = Vec::new();
        let room = match filter.take("room").as_deref() {
            None => None,
            Some("yes") => Some(true),
            Some("no") => Some(false),
            Some(_) => {
                faults.push(Fault::new("filter", "not_understood", "room: is yes or no"));
                None
            }
        };
        let matching = Self {
            status: filter.read("status"),
            model: filter.take("model"),
            provider: filter.take("provider"),
            location: filter.take("location"),
            room,
            words: filter.words(),
        };
        if let Err(others) = filter.finish() {
            faults.extend(others);
        }
        if faults.is_empty() {
            Ok(matching)
        } else {
            Err(Refusal::invalid(faults).into())
        }
    }

    /// The ids of those that match, after an id, and after which one to go on.
    async fn walk(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        listing: &Listing,
    ) -> Result<(Vec<i64>, Option<i64>), Failure> {
        let walked_max = listing.walked_max();
        let rows = sqlx::query_file!(
            "src/proxies/list.sql",
            actor.tenant.0,
            listing.after,
            self.status.map(ProxyStatus::word),
            self.model,
            self.provider,
            self.location,
            self.room,
            self.words,
            listing.fetch(),
            walked_max
        )
        .fetch_all(&mut **tx)
        .await?;
        let rows = rows.into_iter().map(|row| Walked {
            item: row.id,
            walked: row.walked,
            matches: row.matches,
        });
        Ok(walked_page(rows, listing.limit, walked_max))
    }
}

/// Lists proxies. Qualifiers: `status:`, `model:` (name, id or none), `provider:`, `location:`, `room:` (yes or no), and
/// words in the host.
///
/// # Errors
/// Faults of the filter; when the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Proxy>, Failure> {
    let matching = Matching::read(std::mem::take(&mut listing.filter))?;
    let (ids, after) = matching.walk(tx, actor, &listing).await?;
    Ok(listing.walked(read(tx, actor, &ids).await?, after))
}

/// How much the proxies carry, how they are, and what they cost, by model and by location.
///
/// # Errors
/// When the database fails.
pub async fn capacity(tx: &mut Tx, actor: &Actor) -> Result<Capacity, Failure> {
    let most = i64::try_from(SHARES_MAX).map_err(Bug::new)?;
    let rows = sqlx::query_file!("src/proxies/capacity.sql", actor.tenant.0, most)
        .fetch_all(&mut **tx)
        .await?;
    let (mut total, mut models, mut locations) = (None, Vec::new(), Vec::new());
    for row in rows {
        let share = Share {
            model_id: row.model_id,
            name: row.name,
            proxies: row.proxies,
            failed: row.failed,
            inactive: row.inactive,
            accounts: row.accounts,
            places: row.places,
            monthly_cost: row.monthly_cost,
        };
        match row.share.as_str() {
            "model" => models.push(share),
            "location" => locations.push(share),
            _ => total = Some(share),
        }
    }
    Ok(Capacity {
        total: total.ok_or_else(|| Bug::new("a count without a row"))?,
        models,
        locations,
    })
}

/// Folds what has changed since the last time into the counters of proxies; gives how many were changed.
///
/// # Errors
/// When the database fails.
pub async fn fold_counts(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/proxies/fold_counts.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
}

/// Gives a proxy.
///
/// # Errors
/// When there is none of this id; when the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: ProxyId) -> Result<Proxy, Failure> {
    find(tx, actor, id)
        .await?
        .ok_or_else(|| Refusal::not_found("proxy").into())
}

async fn find(tx: &mut Tx, actor: &Actor, id: ProxyId) -> Result<Option<Proxy>, Failure> {
    Ok(read(tx, actor, &[id.0]).await?.pop())
}

async fn read(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Vec<Proxy>, Failure> {
    let rows = sqlx::query_file_as!(Proxy, "src/proxies/read.sql", actor.tenant.0, ids)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// Makes a proxy.
///
/// # Errors
/// Faults of the input; when there is a proxy with this scheme, host, port and user name; when the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, keys: &Keyring, new: NewProxy) -> Result<Proxy, Failure> {
    let mut faults = new.faults();
    check_model(tx, actor, new.assigned_model_id, &mut faults).await?;
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults).into());
    }
    let id = sqlx::query_file_scalar!(
        "src/proxies/create.sql",
        actor.tenant.0,
        new.scheme.word(),
        new.host,
        i32::from(new.port),
        new.username,
        new.provider,
        new.location,
        new.monthly_cost,
        new.assigned_model_id.map(|id| id.0),
        new.max_accounts
    )
    .fetch_optional(&mut **tx)
    .await?
    .map(ProxyId)
    .ok_or_else(taken)?;
    if let Some(password) = &new.password {
        set_password(tx, actor, keys, id, Some(password)).await?;
    }
    let made = get(tx, actor, id).await?;
    write_audit(tx, actor, "proxy.create", id, None, Some(shown(&made, false)?)).await?;
    Ok(made)
}

fn taken() -> Failure {
    let detail = "there is a proxy with this scheme, host, port and user name already: change that one";
    Refusal::conflict("already_exists", detail).into()
}

async fn check_model(
    tx: &mut Tx,
    actor: &Actor,
    model: Option<ModelId>,
    faults: &mut Vec<Fault>,
) -> Result<(), Failure> {
    let Some(model) = model else { return Ok(()) };
    let exists = sqlx::query_file_scalar!("src/proxies/model_exists.sql", actor.tenant.0, model.0)
        .fetch_one(&mut **tx)
        .await?;
    if !exists {
        faults.push(Fault::new(
            "/assigned_model_id",
            "reference",
            "there is no such model",
        ));
    }
    Ok(())
}

async fn set_password(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    id: ProxyId,
    password: Option<&Secret>,
) -> Result<(), Failure> {
    let keys = keys.tenant(tx, actor.tenant).await?;
    let sealed = password.map(|password| keys.seal(&place(id), &password.0));
    sqlx::query_file!("src/proxies/set_password.sql", actor.tenant.0, id.0, sealed)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Where a proxy's password is sealed.
pub fn place(id: ProxyId) -> Place {
    Place::new("proxies", "password_encrypted", id)
}

/// Changes a proxy. Accounts that it carries stay with it.
///
/// # Errors
/// Faults of the input; when there is none of this id, or it is another version; when it carries more accounts than it
/// then could; when another has this identity; when the database fails.
pub async fn update(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    id: ProxyId,
    version: IfMatch,
    change: ProxyChange,
) -> Result<Proxy, Failure> {
    let mut faults = change.faults();
    check_model(tx, actor, change.assigned_model_id.flatten(), &mut faults).await?;
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults).into());
    }
    if change.status.is_some() {
        assign::lock_work(tx, actor, &[], &[id.0]).await?;
    }
    assign::lock_proxies(tx, actor, &[id.0]).await?;
    let before = get(tx, actor, id).await?;
    if version.0.is_some_and(|version| version != before.version) {
        return Err(version.missed("proxy", true));
    }
    if change.max_accounts.is_some_and(|max| max < before.account_count) {
        let detail = format!(
            "{} accounts use this proxy: move them first, with POST /v1/proxies/{id}/move or one by one",
            before.account_count
        );
        return Err(Refusal::conflict("in_use", detail).into());
    }
    sqlx::query_file!(
        "src/proxies/update.sql",
        actor.tenant.0,
        id.0,
        change.scheme.map(|scheme| scheme.word()),
        change.host,
        change.port.map(i32::from),
        change.username.is_some(),
        change.username.flatten(),
        change.provider,
        change.location,
        change.monthly_cost,
        change.status.map(ProxyStatus::word),
        change.assigned_model_id.is_some(),
        change.assigned_model_id.flatten().map(|id| id.0),
        change.max_accounts
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match Failure::from(error) {
        failure
            if failure
                .refusal()
                .is_some_and(|refusal| refusal.code == "already_exists") =>
        {
            taken()
        }
        failure => failure,
    })?;
    if let Some(password) = &change.password {
        set_password(tx, actor, keys, id, password.as_ref()).await?;
    }
    let after = get(tx, actor, id).await?;
    let (old, new) = (shown(&before, false)?, shown(&after, change.password.is_some())?);
    write_audit(tx, actor, "proxy.update", id, Some(old), Some(new)).await?;
    Ok(after)
}

/// Deletes a proxy that no account uses.
///
/// # Errors
/// When accounts use it; when there is none of this id, or it is another version; when the database fails.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: ProxyId, version: IfMatch) -> Result<(), Failure> {
    assign::lock_proxies(tx, actor, &[id.0]).await?;
    let before = get(tx, actor, id).await?;
    if before.account_count > 0 {
        let detail = format!(
            "{} accounts use this proxy: move them first, with POST /v1/proxies/{id}/move",
            before.account_count
        );
        return Err(Refusal::conflict("in_use", detail).into());
    }
    let deleted = sqlx::query_file!("src/proxies/delete.sql", actor.tenant.0, id.0, version.0)
        .execute(&mut **tx)
        .await?
        .rows_affected();
    if deleted == 0 {
        return Err(version.missed("proxy", true));
    }
    write_audit(tx, actor, "proxy.delete", id, Some(shown(&before, false)?), None).await
}

/// A proxy as the audit log keeps it. The log must not tell a password, but that one was changed.
fn shown(proxy: &Proxy, password_changed: bool) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(proxy).map_err(Bug::new)?;
    if password_changed {
        value["password_changed"] = true.into();
    }
    Ok(value)
}

async fn write_audit(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    id: ProxyId,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), Failure> {
    let entry = audit::Entry {
        action,
        object_type: "proxy",
        object_id: Some(id.to_string()),
        before,
        after,
        ..audit::Entry::default()
    };
    audit::write(tx, actor, &[entry]).await
}
