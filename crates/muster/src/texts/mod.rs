//! Texts: the biographies and captions that a model's accounts publish.

use muster_wire::{
    ModelId, Page, TextId,
    texts::{NewText, Text, TextChange, TextFilter, TextType},
};
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::{IfMatch, Listing, Walked, walked_page},
    models,
    problem::{Failure, Refusal},
};

pub mod api;
pub mod pages;
pub mod template;

use template::Variables;

/// Makes a text. Accounts of its model that waited for something like it are handed out again.
///
/// # Errors
/// The faults of the text; that there is no such model; or that the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, new: NewText) -> Result<Text, Failure> {
    Refusal::check(new.faults())?;
    let id = sqlx::query_file_scalar!(
        "src/texts/create.sql",
        actor.tenant.0,
        new.model_id.0,
        new.content_type.word(),
        new.text_content,
        new.is_template,
        actor.name()
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(models::unknown)?;
    let text = get(tx, actor, TextId(id)).await?;
    record(tx, actor, "text.create", None, Some(&text)).await?;
    Ok(text)
}

/// A text.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: TextId) -> Result<Text, Failure> {
    read(tx, actor, &[id.0])
        .await?
        .pop()
        .ok_or_else(|| Refusal::not_found("text").into())
}

/// One page of the texts that match, in the order of their ids.
///
/// # Errors
/// The faults of the filter, or that it names a model which there is not; or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Text>, Failure> {
    let filter = TextFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let model = match &filter.model {
        Some(named) => Some(models::find(tx, actor, named).await?.0),
        None => None,
    };
    let template = filter.template.map(bool::from);
    let walked_max = listing.walked_max();
    let rows = sqlx::query_file!(
        "src/texts/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        model,
        filter.content_type.map(TextType::word),
        template,
        filter.unused.map(bool::from),
        filter.words.as_deref(),
        filter.duplicate.map(bool::from),
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
    let (ids, after) = walked_page(rows, listing.limit, walked_max);
    Ok(listing.walked(read(tx, actor, &ids).await?, after))
}

/// The texts of these ids, in their order; those that there are not are left out.
///
/// # Errors
/// When the database fails.
pub async fn read(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Vec<Text>, Failure> {
    let rows = sqlx::query_file_as!(Text, "src/texts/read.sql", actor.tenant.0, ids)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// A text as an account of the model would publish it, and the account's name; where the model has none yet, as one
/// named `account` would.
///
/// # Errors
/// That there is no such model, or that the database fails.
pub async fn preview(
    tx: &mut Tx,
    actor: &Actor,
    model: ModelId,
    template: &str,
) -> Result<(String, String), Failure> {
    let sample = sqlx::query_file!("src/texts/sample.sql", actor.tenant.0, model.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("model"))?;
    let username = sample.username.unwrap_or_else(|| "account".to_owned());
    let variables = Variables {
        username: &username,
        city: sample.city.as_deref(),
        campus: sample.campus.as_deref(),
        niche: sample.niche.as_deref(),
        model: &sample.model,
    };
    Ok((variables.fill(template), username))
}

/// Changes a text. One that moves to another model or type fills that pool.
///
/// # Errors
/// The faults of the change; that there is no such text or model, or that the text has changed; or that the database
/// fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: TextId,
    if_match: IfMatch,
    change: TextChange,
) -> Result<Text, Failure> {
    Refusal::check(change.faults())?;
    let before = lock(tx, actor, id, if_match).await?;
    sqlx::query_file!(
        "src/texts/update.sql",
        actor.tenant.0,
        id.0,
        change.model_id.map(i64::from),
        change.content_type.map(TextType::word),
        change.text_content,
        change.is_template
    )
    .execute(&mut **tx)
    .await
    .map_err(models::unknown)?;
    let after = get(tx, actor, id).await?;
    record(tx, actor, "text.update", Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Deletes a text.
///
/// # Errors
/// That there is none, or that it has changed; or that the database fails.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: TextId, if_match: IfMatch) -> Result<(), Failure> {
    let before = lock(tx, actor, id, if_match).await?;
    sqlx::query_file!("src/texts/delete.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "text.delete", Some(&before), None).await
}

/// Gives a text as it stays until this transaction changes it or ends.
async fn lock(tx: &mut Tx, actor: &Actor, id: TextId, if_match: IfMatch) -> Result<Text, Failure> {
    sqlx::query_file!("src/texts/lock.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?;
    let text = get(tx, actor, id).await?;
    if_match.check("text", text.version)?;
    Ok(text)
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    before: Option<&Text>,
    after: Option<&Text>,
) -> Result<(), Failure> {
    let entry = Entry {
        action,
        object_type: "text",
        object_id: before.or(after).map(|text| text.id.to_string()),
        reason: None,
        before: before.map(|text| json!(text)),
        after: after.map(|text| json!(text)),
    };
    audit::write(tx, actor, &[entry]).await
}
