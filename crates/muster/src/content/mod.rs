//! Content: the pictures that a model's accounts publish.

use muster_wire::{
    ContentId, Fault, Page, TenantId,
    content::{Content, ContentChange, ContentFilter, ContentType, Coverage, NewContent},
};
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::{IfMatch, Listing, Walked, walked_page},
    models, pictures,
    problem::{Failure, Refusal},
};

pub mod api;
pub mod pages;

/// Makes an item of content. Accounts of its model that waited for something like it are handed out again.
///
/// # Errors
/// The faults of the item; that there is no such model; or that the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, new: NewContent) -> Result<Content, Failure> {
    let mut faults = new.faults();
    check_picture(tx, actor, Some(&new.image_url), &mut faults).await?;
    Refusal::check(faults)?;
    let id = sqlx::query_file_scalar!(
        "src/content/create.sql",
        actor.tenant.0,
        new.model_id.0,
        new.content_type.word(),
        new.image_url,
        new.text_content,
        new.is_template,
        new.order_priority,
        actor.name()
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(models::unknown)?;
    let content = get(tx, actor, ContentId(id)).await?;
    record(tx, actor, "content.create", None, Some(&content)).await?;
    Ok(content)
}

/// An item of content.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: ContentId) -> Result<Content, Failure> {
    read(tx, actor, &[id.0])
        .await?
        .pop()
        .ok_or_else(|| Refusal::not_found("content").into())
}

/// One page of the content that match, in the order of their ids.
///
/// # Errors
/// The faults of the filter, or that it names a model which there is not; or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Content>, Failure> {
    let filter = ContentFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let model = match &filter.model {
        Some(named) => Some(models::find(tx, actor, named).await?.0),
        None => None,
    };
    let template = filter.template.map(bool::from);
    let walked_max = listing.walked_max();
    let rows = sqlx::query_file!(
        "src/content/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        model,
        filter.content_type.map(ContentType::word),
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

/// The items of content of these ids, in their order; those that there are not are left out.
///
/// # Errors
/// When the database fails.
pub async fn read(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Vec<Content>, Failure> {
    let rows = sqlx::query_file_as!(Content, "src/content/read.sql", actor.tenant.0, ids)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// How long what these models have lasts, each with its pools in the order of the steps.
///
/// # Errors
/// When the database fails.
pub async fn coverage(tx: &mut Tx, actor: &Actor, models: &[i64]) -> Result<Vec<Coverage>, Failure> {
    let coverage = sqlx::query_file_as!(Coverage, "src/content/coverage.sql", actor.tenant.0, models)
        .fetch_all(&mut **tx)
        .await?;
    Ok(coverage)
}

/// Folds what has changed since the last time into the counters of pools; gives how many were changed.
///
/// # Errors
/// When the database fails.
pub async fn fold_counts(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/content/fold_counts.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
}

/// Marks what is in a pool twice, and no longer what was, of content and of texts; gives how many items were changed.
///
/// # Errors
/// When the database fails.
pub async fn mark_duplicates(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let marked = sqlx::query_file_scalar!("src/content/mark_duplicates.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(marked)
}

/// Changes an item of content. One that moves to another model or type fills that pool.
///
/// # Errors
/// The faults of the change; that there is no such item or model, or that the item has changed; or that the database
/// fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: ContentId,
    if_match: IfMatch,
    change: ContentChange,
) -> Result<Content, Failure> {
    let mut faults = change.faults();
    check_picture(tx, actor, change.image_url.as_deref(), &mut faults).await?;
    Refusal::check(faults)?;
    let before = lock(tx, actor, id, if_match).await?;
    sqlx::query_file!(
        "src/content/update.sql",
        actor.tenant.0,
        id.0,
        change.model_id.map(i64::from),
        change.content_type.map(ContentType::word),
        change.image_url,
        change.text_content.is_some(),
        change.text_content.flatten(),
        change.is_template,
        change.order_priority
    )
    .execute(&mut **tx)
    .await
    .map_err(models::unknown)?;
    let after = get(tx, actor, id).await?;
    record(tx, actor, "content.update", Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Makes items of content of uploaded pictures, alike but for the picture, which Muster keeps. `new` says what they are; its
/// address counts for nothing. Each picture has the name that its faults point at.
///
/// # Errors
/// The faults of the pictures and of what they are to be, all of them; that there is no such model; or that the database
/// fails. Nothing is made then.
pub async fn upload(
    tx: &mut Tx,
    actor: &Actor,
    new: &NewContent,
    pictures: &[(String, Vec<u8>)],
) -> Result<Vec<Content>, Failure> {
    let mut faults = new.faults();
    faults.retain(|fault| fault.pointer != "/image_url");
    let mut read = Vec::with_capacity(pictures.len());
    for (pointer, file) in pictures {
        match pictures::read(file) {
            Ok(picture) => read.push(picture),
            Err((code, detail)) => faults.push(Fault::new(pointer, code, detail)),
        }
    }
    Refusal::check(faults)?;
    let mut made = Vec::with_capacity(read.len());
    for picture in &read {
        let image_url = pictures::keep(tx, actor, picture).await?;
        let item = NewContent {
            image_url,
            ..new.clone()
        };
        made.push(create(tx, actor, item).await?);
    }
    Ok(made)
}

async fn check_picture(
    tx: &mut Tx,
    actor: &Actor,
    url: Option<&str>,
    faults: &mut Vec<Fault>,
) -> Result<(), Failure> {
    if !pictures::unknown(tx, actor, url.into_iter()).await?.is_empty() {
        let detail = "no such picture is kept here: upload it, or give its address on the web";
        faults.push(Fault::new("/image_url", "unknown_picture", detail));
    }
    Ok(())
}

/// Deletes an item of content, and its picture when Muster keeps it and nothing else shows it.
///
/// # Errors
/// That there is none, or that it has changed; or that the database fails.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: ContentId, if_match: IfMatch) -> Result<(), Failure> {
    let before = lock(tx, actor, id, if_match).await?;
    sqlx::query_file!("src/content/delete.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "content.delete", Some(&before), None).await
}

/// Gives an item as it stays until this transaction changes it or ends.
async fn lock(tx: &mut Tx, actor: &Actor, id: ContentId, if_match: IfMatch) -> Result<Content, Failure> {
    sqlx::query_file!("src/content/lock.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?;
    let content = get(tx, actor, id).await?;
    if_match.check("content", content.version)?;
    Ok(content)
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    before: Option<&Content>,
    after: Option<&Content>,
) -> Result<(), Failure> {
    let entry = Entry {
        action,
        object_type: "content",
        object_id: before.or(after).map(|content| content.id.to_string()),
        reason: None,
        before: before.map(|content| json!(content)),
        after: after.map(|content| json!(content)),
    };
    audit::write(tx, actor, &[entry]).await
}
