//! Models: the brands or creators that sets of accounts represent.

use muster_wire::{
    ModelId, Page,
    models::{Because, Model, ModelChange, ModelFilter, ModelStatus, NewModel},
    problem::Fault,
};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::{IfMatch, Listing},
    problem::{Failure, Refusal},
};

pub mod api;
pub mod pages;

/// Makes a model.
///
/// # Errors
/// The faults of the model; that its name is taken; or that the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, new: NewModel) -> Result<Model, Failure> {
    Refusal::check(new.faults())?;
    let id = sqlx::query_file_scalar!(
        "src/models/create.sql",
        actor.tenant.0,
        new.name,
        new.description,
        new.status.word(),
        new.unfollow_ratio,
        new.daily_follow_limit,
        Value::Object(new.posting_schedule),
        &new.people_steps.numbers()
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(|error| taken(error, &new.name))?;
    let model = get(tx, actor, ModelId(id)).await?;
    record(tx, actor, "model.create", None, None, Some(&model)).await?;
    Ok(model)
}

/// A model.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: ModelId) -> Result<Model, Failure> {
    sqlx::query_file_as!(Model, "src/models/get.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("model").into())
}

/// One page of the models that match, in the order of their ids.
///
/// # Errors
/// The faults of the filter, or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Model>, Failure> {
    let filter = ModelFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let rows = sqlx::query_file_as!(
        Model,
        "src/models/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        filter.status.map(ModelStatus::word),
        filter.words.as_deref(),
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(listing.page(rows, |model| model.id.0))
}

/// Changes a model. When its status or its people's steps change, the work on its accounts is held or goes on at once.
///
/// # Errors
/// The faults of the change; that there is no such model, that it has changed, or that its name is taken; or that the
/// database fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: ModelId,
    if_match: IfMatch,
    change: ModelChange,
) -> Result<Model, Failure> {
    Refusal::check(change.faults())?;
    let before = lock(tx, actor, id, if_match).await?;
    update(tx, actor, id, &change, None).await?;
    let after = get(tx, actor, id).await?;
    record(tx, actor, "model.update", None, Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Gives a model another status, for a reason that the audit log keeps.
///
/// # Errors
/// The faults of the reason; that there is no such model; or that the database fails.
pub async fn set_status(
    tx: &mut Tx,
    actor: &Actor,
    id: ModelId,
    status: ModelStatus,
    because: &Because,
) -> Result<Model, Failure> {
    Refusal::check(because.faults())?;
    tx.because(&because.reason).await?;
    let before = lock(tx, actor, id, IfMatch(None)).await?;
    let change = ModelChange {
        status: Some(status),
        ..ModelChange::default()
    };
    update(tx, actor, id, &change, Some(&because.reason)).await?;
    let after = get(tx, actor, id).await?;
    let action = match status {
        ModelStatus::Active => "model.resume",
        ModelStatus::Paused => "model.pause",
        ModelStatus::Inactive => "model.update",
    };
    record(
        tx,
        actor,
        action,
        Some(&because.reason),
        Some(&before),
        Some(&after),
    )
    .await?;
    Ok(after)
}

/// Deletes a model, its content and its texts.
///
/// # Errors
/// That accounts belong to it; that there is no such model, or that it has changed; or that the database fails.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: ModelId, if_match: IfMatch) -> Result<(), Failure> {
    let before = lock(tx, actor, id, if_match).await?;
    if before.total_accounts > 0 {
        let detail = format!(
            "{} accounts belong to {:?}: give them another model first, or set its status to inactive instead",
            before.total_accounts, before.name
        );
        return Err(Refusal::conflict("has_accounts", detail).into());
    }
    sqlx::query_file!("src/models/delete.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "model.delete", None, Some(&before), None).await
}

/// The model that a filter names: by its name or, where none has that name, by its id.
///
/// # Errors
/// That there is none, as a fault of the filter; or that the database fails.
pub async fn find(tx: &mut Tx, actor: &Actor, named: &str) -> Result<ModelId, Failure> {
    sqlx::query_file_scalar!(
        "src/models/find.sql",
        actor.tenant.0,
        named,
        named.parse::<i64>().ok()
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| {
        let detail = format!("model: there is no model {named:?}; GET /v1/models lists them");
        Refusal::invalid(vec![Fault::new("filter", "unknown_model", detail)]).into()
    })
}

/// What the database's refusal of a `model_id` means: that there is no such model.
pub fn unknown(error: sqlx::Error) -> Failure {
    match error.as_database_error() {
        Some(refused) if refused.is_foreign_key_violation() => {
            let detail = "there is no such model; GET /v1/models lists them";
            Refusal::invalid(vec![Fault::new("/model_id", "unknown_model", detail)]).into()
        }
        _ => error.into(),
    }
}

fn taken(error: sqlx::Error, name: &str) -> Failure {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => {
            let detail =
                format!("there is a model named {name:?} already: choose another name, or change that one");
            Refusal::conflict("already_exists", detail).into()
        }
        _ => error.into(),
    }
}

/// Gives a model as it stays until this transaction changes it or ends.
async fn lock(tx: &mut Tx, actor: &Actor, id: ModelId, if_match: IfMatch) -> Result<Model, Failure> {
    sqlx::query_file!("src/models/lock.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?;
    let model = get(tx, actor, id).await?;
    if_match.check("model", model.version)?;
    Ok(model)
}

async fn update(
    tx: &mut Tx,
    actor: &Actor,
    id: ModelId,
    change: &ModelChange,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let people_steps = change.people_steps.as_ref().map(|steps| steps.numbers());
    sqlx::query_file!(
        "src/models/update.sql",
        actor.tenant.0,
        id.0,
        change.name,
        change.description.is_some(),
        change.description.clone().flatten(),
        change.status.map(ModelStatus::word),
        change.unfollow_ratio,
        change.daily_follow_limit,
        change.posting_schedule.clone().map(Value::Object),
        people_steps.as_deref(),
        reason
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| taken(error, change.name.as_deref().unwrap_or_default()))?;
    Ok(())
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    reason: Option<&str>,
    before: Option<&Model>,
    after: Option<&Model>,
) -> Result<(), Failure> {
    let entry = Entry {
        action,
        object_type: "model",
        object_id: before.or(after).map(|model| model.id.to_string()),
        reason,
        before: before.map(|model| json!(model)),
        after: after.map(|model| json!(model)),
    };
    audit::write(tx, actor, &[entry]).await
}
