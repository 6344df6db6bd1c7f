//! Accounts: what is kept of them. They are retired, never deleted; how they move through their life is in [`lifecycle`].

pub mod api;
pub mod filter;
pub mod lifecycle;
pub mod notes;
pub mod page;
pub mod pages;
pub mod timeline;
pub mod views;
pub mod walk;

use muster_wire::{
    AccountId, Page, State, TenantId,
    accounts::{
        Account, AccountChange, AccountStatus, Attempt, Authorisation, Count, HistoryEntry, NewAccount,
        Reveal, Revealed,
    },
    problem::Fault,
    secret::Secret,
};
use serde_json::{Map, Value};

use crate::{
    actor::Actor,
    audit,
    db::Tx,
    http::{IfMatch, ListQuery, Listing},
    problem::{Bug, Failure, Refusal},
    seal::{Keyring, Place},
};

use self::filter::AccountFilter;

const PASSWORD: (&str, &str) = ("accounts", "password_encrypted");
const ACCESS_TOKEN: (&str, &str) = ("accounts", "access_token_encrypted");

/// One page of the accounts that match.
///
/// # Errors
/// The faults of the query, or the database's.
pub async fn list(tx: &mut Tx, actor: &Actor, mut query: ListQuery) -> Result<Page<Account>, Failure> {
    let cursor = query.cursor.take();
    let listing = query.read()?;
    let filter = AccountFilter::accounts(tx, actor, listing.filter).await?;
    let walk = filter.walk();
    walk.page(tx, actor, &filter, cursor.as_deref(), listing.limit)
        .await
}

/// How many accounts match. Exactly where that is asked for, or where the counters or a walk can say; otherwise how many
/// of those that are walked.
///
/// # Errors
/// The database's.
pub async fn count(
    tx: &mut Tx,
    actor: &Actor,
    filter: &AccountFilter,
    exactly: bool,
) -> Result<Count, Failure> {
    if let Some(model) = filter.counted() {
        let count = sqlx::query_file_scalar!(
            "src/accounts/counters.sql",
            actor.tenant.0,
            filter.state.map(State::word),
            filter.status.map(AccountStatus::word),
            model
        )
        .fetch_one(&mut **tx)
        .await?;
        return Ok(Count { count, exact: true });
    }
    let walk = filter.walk();
    let rows_max = (!exactly).then_some(walk.rows_max());
    let row = sqlx::query_file!(
        "src/accounts/count.sql",
        actor.tenant.0,
        filter.json()?,
        walk.along()?,
        walk.order(),
        rows_max
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Count {
        count: row.count,
        exact: rows_max.is_none_or(|max| row.walked < max),
    })
}

/// Folds what has changed since the last time into the counters of accounts; gives how many were changed.
///
/// # Errors
/// When the database fails.
pub async fn fold_counts(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/accounts/fold_counts.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
}

/// One account.
///
/// # Errors
/// When there is none, or the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: AccountId) -> Result<Account, Failure> {
    walk::read(tx, actor, &[id.0])
        .await?
        .pop()
        .ok_or_else(|| Refusal::not_found("account").into())
}

/// The sealed secrets of an account, as they are stored.
#[derive(Default)]
struct Sealed {
    password: Option<Vec<u8>>,
    access_token: Option<Vec<u8>>,
}

/// The user name of an account, and its secrets.
async fn sealed(tx: &mut Tx, actor: &Actor, id: AccountId) -> Result<(String, Sealed), Failure> {
    let row = sqlx::query_file!("src/accounts/sealed.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("account"))?;
    Ok((
        row.username,
        Sealed {
            password: row.password_encrypted,
            access_token: row.access_token_encrypted,
        },
    ))
}

/// Makes an account, as `imported`.
///
/// # Errors
/// Its faults; that its user name is taken or its model unknown; or the database's.
pub async fn create(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    mut new: NewAccount,
) -> Result<Account, Failure> {
    refuse(new.faults())?;
    let id = sqlx::query_file_scalar!("src/accounts/next_id.sql")
        .fetch_one(&mut **tx)
        .await?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let seal = |(table, column), secret: Option<Secret>| {
        secret.map(|secret| keys.seal(&Place::new(table, column, id), &secret.0))
    };
    let sealed = Sealed {
        password: seal(PASSWORD, new.password.take()),
        access_token: seal(ACCESS_TOKEN, new.access_token.take()),
    };
    sqlx::query_file!(
        "src/accounts/insert.sql",
        actor.tenant.0,
        id,
        new.username,
        new.email
    )
    .execute(&mut **tx)
    .await
    .map_err(taken)?;
    store(tx, actor, id, &new, sealed).await?;
    let account = get(tx, actor, AccountId(id)).await?;
    let entry = audit::Entry {
        action: "account.create",
        object_type: "account",
        object_id: Some(id.to_string()),
        after: Some(fields(&new)?),
        ..audit::Entry::default()
    };
    audit::write(tx, actor, &[entry]).await?;
    Ok(account)
}

/// Changes an account.
///
/// # Errors
/// The faults of what it leads to; that it has changed since it was read; that its user name is taken, its model unknown, or
/// its authorisation still needed; or the database's.
pub async fn update(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    id: AccountId,
    if_match: IfMatch,
    mut change: AccountChange,
) -> Result<Account, Failure> {
    let locked = lifecycle::lock(tx, actor, &[id.0]).await?;
    let before = get(tx, actor, id).await?;
    if locked.is_empty() || if_match.0.is_some_and(|version| version != before.version) {
        return Err(if_match.missed("account", true));
    }
    let (old, new) = (AccountChange::default().onto(&before), change.onto(&before));
    let mut faults = change.faults();
    faults.extend(new.faults());
    refuse(faults)?;
    let in_life = !matches!(
        before.lifecycle_state,
        muster_wire::State::Imported | muster_wire::State::Cleanup
    );
    if new.authorisation_basis.is_none() && in_life {
        let detail = "past imported an account needs an authorisation: retire it first, or let the authorisation lapse \
                      by an expiry in the past, which pauses its work";
        return Err(Refusal::conflict("authorisation_needed", detail).into());
    }
    let keys = keys.tenant(tx, actor.tenant).await?;
    let (_, mut sealed) = sealed(tx, actor, id).await?;
    let mut changed = difference(fields(&old)?, fields(&new)?);
    for (name, place, change, sealed) in [
        ("password", PASSWORD, change.password.take(), &mut sealed.password),
        (
            "access_token",
            ACCESS_TOKEN,
            change.access_token.take(),
            &mut sealed.access_token,
        ),
    ] {
        let Some(secret) = change else { continue };
        let said = if secret.is_some() { "set" } else { "cleared" };
        changed.1.insert(name.to_owned(), said.into());
        *sealed = secret.map(|secret| keys.seal(&Place::new(place.0, place.1, id), &secret.0));
    }
    if changed.1.is_empty() {
        return Ok(before);
    }
    store(tx, actor, id.0, &new, sealed).await?;
    let entry = audit::Entry {
        action: "account.update",
        object_type: "account",
        object_id: Some(id.to_string()),
        before: Some(changed.0.into()),
        after: Some(changed.1.into()),
        ..audit::Entry::default()
    };
    audit::write(tx, actor, &[entry]).await?;
    get(tx, actor, id).await
}

async fn store(tx: &mut Tx, actor: &Actor, id: i64, new: &NewAccount, sealed: Sealed) -> Result<(), Failure> {
    if let Some(model) = new.model_id {
        let exists = sqlx::query_file_scalar!("src/accounts/model_exists.sql", actor.tenant.0, model.0)
            .fetch_one(&mut **tx)
            .await?;
        if !exists {
            let fault = Fault::new("/model_id", "no_such_model", "there is no such model");
            return Err(Refusal::invalid(vec![fault]).into());
        }
    }
    let status = new.status.unwrap_or(muster_wire::accounts::AccountStatus::Active);
    sqlx::query_file!(
        "src/accounts/store.sql",
        actor.tenant.0,
        id,
        new.username,
        new.email,
        sealed.password,
        sealed.access_token,
        status.word(),
        new.model_id.map(|id| id.0),
        new.authorisation_basis.map(|basis| basis.word()),
        new.authorisation_reference,
        new.authorisation_expires_at,
        new.bio,
        new.profile_picture_url,
        new.location_city,
        new.location_campus,
        new.location_niche,
        new.birthday,
        new.device_info,
        new.content_type
    )
    .execute(&mut **tx)
    .await
    .map_err(taken)?;
    Ok(())
}

/// The only unique thing that people choose is the user name.
fn taken(error: sqlx::Error) -> Failure {
    if error.as_database_error().is_some_and(|e| e.is_unique_violation()) {
        let detail = "there is an account of this user name already";
        return Refusal::conflict("username_taken", detail).into();
    }
    error.into()
}

pub(crate) fn refuse(faults: Vec<Fault>) -> Result<(), Failure> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(faults).into())
    }
}

/// What the audit log keeps of an account: its fields, of which the secrets were taken before.
fn fields(account: &NewAccount) -> Result<Value, Failure> {
    Ok(serde_json::to_value(account).map_err(Bug::new)?)
}

/// The fields in which two objects differ: as they were, and as they are.
fn difference(before: Value, after: Value) -> (Map<String, Value>, Map<String, Value>) {
    let (Value::Object(mut before), Value::Object(mut after)) = (before, after) else {
        return Default::default();
    };
    before.retain(|key, value| {
        let same = after.get(key) == Some(value);
        if same {
            after.remove(key);
        } else {
            after.entry(key.as_str()).or_insert(Value::Null);
        }
        !same
    });
    (before, after)
}

/// Opens the secrets of an account, and writes down who did and why.
///
/// # Errors
/// That there is no such account; that a secret does not open; or the database's.
pub async fn reveal(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    id: AccountId,
    reveal: &Reveal,
) -> Result<Revealed, Failure> {
    refuse(reveal.faults())?;
    let (username, sealed) = sealed(tx, actor, id).await?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let open = |(table, column), sealed: Option<Vec<u8>>| {
        sealed
            .map(|sealed| keys.open(&Place::new(table, column, id), &sealed))
            .transpose()
    };
    let revealed = Revealed {
        id,
        username,
        password: open(PASSWORD, sealed.password)?.map(Secret),
        access_token: open(ACCESS_TOKEN, sealed.access_token)?.map(Secret),
    };
    let entry = audit::Entry {
        action: "account.reveal",
        object_type: "account",
        object_id: Some(id.to_string()),
        reason: Some(&reveal.reason),
        ..audit::Entry::default()
    };
    audit::write(tx, actor, &[entry]).await?;
    Ok(revealed)
}

/// One page of an account's changes of state, newest first.
///
/// # Errors
/// That there is no such account; or the database's.
pub async fn history(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    mut listing: Listing,
) -> Result<Page<HistoryEntry>, Failure> {
    require(tx, actor, id, &mut listing).await?;
    let rows = histories(tx, actor, &[id.0], listing.after, None, listing.fetch()).await?;
    Ok(listing.page(rows, |entry| entry.at.timestamp_micros()))
}

/// The changes of state of accounts, newest first: before a time in microseconds, of some events, so many of each account.
pub(crate) async fn histories(
    tx: &mut Tx,
    actor: &Actor,
    ids: &[i64],
    before_micros: Option<i64>,
    events: Option<&[String]>,
    each_max: i64,
) -> Result<Vec<HistoryEntry>, Failure> {
    let rows = sqlx::query_file_as!(
        HistoryEntry,
        "src/accounts/history.sql",
        actor.tenant.0,
        ids,
        before_micros,
        events,
        each_max
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// One page of an account's attempts at steps, newest first.
///
/// # Errors
/// As [`history`].
pub async fn attempts(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    mut listing: Listing,
) -> Result<Page<Attempt>, Failure> {
    require(tx, actor, id, &mut listing).await?;
    let rows = attempts_of(tx, actor, &[id.0], listing.after, listing.fetch()).await?;
    Ok(listing.page(rows, |attempt| attempt.lease))
}

/// The attempts of accounts, newest first: before a fencing token, so many of each account.
pub(crate) async fn attempts_of(
    tx: &mut Tx,
    actor: &Actor,
    ids: &[i64],
    before_lease: Option<i64>,
    each_max: i64,
) -> Result<Vec<Attempt>, Failure> {
    let rows = sqlx::query_file_as!(
        Attempt,
        "src/accounts/attempts.sql",
        actor.tenant.0,
        ids,
        before_lease,
        each_max
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// One page of the authorisations that an account has had, newest first.
///
/// # Errors
/// As [`history`].
pub async fn authorisations(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    mut listing: Listing,
) -> Result<Page<Authorisation>, Failure> {
    require(tx, actor, id, &mut listing).await?;
    let rows = sqlx::query_file_as!(
        Authorisation,
        "src/accounts/authorisations.sql",
        actor.tenant.0,
        id.0,
        listing.after,
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(listing.page(rows, |row| row.recorded_at.timestamp_micros()))
}

/// Refuses what is asked of an account that is not there, and a filter where there is nothing to filter.
async fn require(tx: &mut Tx, actor: &Actor, id: AccountId, listing: &mut Listing) -> Result<(), Failure> {
    std::mem::take(&mut listing.filter)
        .finish()
        .map_err(Refusal::invalid)?;
    let exists = sqlx::query_file_scalar!("src/accounts/exists.sql", actor.tenant.0, id.0)
        .fetch_one(&mut **tx)
        .await?;
    if exists {
        Ok(())
    } else {
        Err(Refusal::not_found("account").into())
    }
}
