//! The audit log: what was done that is not a transition, by whom, with before and after. Append-only.

use serde_json::Value;

use crate::{actor::Actor, db::Tx, problem::Failure};

/// One thing that was done.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// What was done, as `object.verb`: `proxy.update`, `credentials.open`.
    pub action: &'a str,
    /// The kind of thing that it was done to.
    pub object_type: &'a str,
    /// Which one, or none where it was done to many.
    pub object_id: Option<String>,
    /// Why, when somebody said so.
    pub reason: Option<&'a str>,
    /// What was there before. Never a secret.
    pub before: Option<Value>,
    /// What is there now. Never a secret.
    pub after: Option<Value>,
}

/// Writes entries down, in the transaction that did what they tell.
///
/// # Errors
/// When the database fails.
pub async fn write(tx: &mut Tx, actor: &Actor, entries: &[Entry<'_>]) -> Result<(), Failure> {
    let actions: Vec<_> = entries.iter().map(|e| e.action.to_owned()).collect();
    let types: Vec<_> = entries.iter().map(|e| e.object_type.to_owned()).collect();
    let ids: Vec<_> = entries.iter().map(|e| e.object_id.clone()).collect();
    let reasons: Vec<_> = entries
        .iter()
        .map(|e| e.reason.map(str::to_owned))
        .collect();
    let befores: Vec<_> = entries.iter().map(|e| e.before.clone()).collect();
    let afters: Vec<_> = entries.iter().map(|e| e.after.clone()).collect();
    sqlx::query_file!(
        "src/audit/write.sql",
        actor.tenant.0,
        actor.address,
        &actions,
        &types,
        &ids as &[Option<String>],
        &reasons as &[Option<String>],
        &befores as &[Option<Value>],
        &afters as &[Option<Value>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
