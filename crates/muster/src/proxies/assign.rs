//! Giving accounts a proxy, and moving them from one to another: many at once, and never more on a proxy than it carries.

use std::collections::{BTreeMap, BTreeSet};

use muster_wire::{
    AccountId, Fault, Filter, ProxyId, State,
    proxies::{
        ASSIGN_ACCOUNTS_MAX, Assign, Assigned, EXAMPLES_MAX, MoveAway, MovedAway, Placed, ProxyStatus,
        Unplaced, UnplacedAccounts,
    },
};
use serde_json::json;

use super::{find, get};
use crate::{
    actor::Actor,
    audit,
    db::Tx,
    problem::{Failure, Refusal},
};

/// Gives every imported account that is asked for, is active and is authorised a proxy with room: one of its model's own,
/// otherwise a shared one, never one of another model; and every proxy gets its first account before any gets a second.
/// Says of the others why they got none. The transaction has to plan for given parameters ([`crate::db::Db::begin_read`]).
///
/// # Errors
/// Faults of the input; when another number of accounts matches than was expected; when the database fails.
pub async fn assign(tx: &mut Tx, actor: &Actor, request: &Assign) -> Result<Assigned, Failure> {
    let mut wanted = Wanted::read(request)?;
    tx.take_your_time().await?;
    let mut candidates = wanted.look(tx, actor).await?;
    if let Some(expected) = request.expected_count {
        let total = candidates.first().and_then(|c| c.total).unwrap_or(0);
        if total != expected {
            let detail = format!(
                "{total} accounts match, not {expected}: look at the list again, and give expected_count {total}"
            );
            return Err(Refusal::conflict("count_differs", detail).into());
        }
    }
    let more = candidates.len() > ASSIGN_ACCOUNTS_MAX;
    candidates.truncate(ASSIGN_ACCOUNTS_MAX);
    let next = candidates.last().filter(|_| more).map(|c| AccountId(c.id));

    let mut unplaced = BTreeMap::<Unplaced, Vec<i64>>::new();
    let mut eligible = Vec::new();
    for candidate in &candidates {
        match candidate.reason {
            Some(reason) => unplaced.entry(reason).or_default().push(candidate.id),
            None => eligible.push(candidate.id),
        }
    }
    let placed = give(tx, actor, &eligible, None, None).await?;
    let given: BTreeSet<i64> = placed.iter().map(|p| p.account_id.0).collect();
    let left: Vec<i64> = eligible.into_iter().filter(|id| !given.contains(id)).collect();
    if !left.is_empty() {
        // There was no room; or the account was changed while its lock was waited for.
        tx.plan_for_given(true).await?;
        wanted = Wanted {
            ids: Some(left),
            ..Wanted::default()
        };
        for candidate in wanted.look(tx, actor).await? {
            unplaced
                .entry(candidate.reason.unwrap_or(Unplaced::NoRoom))
                .or_default()
                .push(candidate.id);
        }
    }
    if let Some(ids) = &request.account_ids {
        let known: BTreeSet<i64> = candidates.iter().map(|c| c.id).collect();
        let unknown: BTreeSet<i64> = ids
            .iter()
            .map(|id| id.0)
            .filter(|id| !known.contains(id))
            .collect();
        if !unknown.is_empty() {
            unplaced.insert(Unplaced::NotFound, unknown.into_iter().collect());
        }
    }
    let answer = Assigned {
        assigned: count(placed.len()),
        unplaced: unplaced
            .into_iter()
            .map(|(reason, ids)| tell(reason, &ids))
            .collect(),
        next,
        dry_run: request.dry_run,
    };
    let entry = audit::Entry {
        action: "proxies.assign",
        object_type: "proxy",
        after: Some(json!({"request": request, "answer": answer})),
        ..audit::Entry::default()
    };
    audit::write(tx, actor, &[entry]).await?;
    Ok(answer)
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn tell(reason: Unplaced, ids: &[i64]) -> UnplacedAccounts {
    UnplacedAccounts {
        reason,
        count: count(ids.len()),
        examples: ids.iter().take(EXAMPLES_MAX).map(|id| AccountId(*id)).collect(),
    }
}

/// Gives one account this proxy, in place of the one that it has, if it has one.
///
/// # Errors
/// When there is no such account or proxy; when the account is imported and may not be given one; when the proxy has no
/// room, is not active, or is another model's; when the database fails.
pub async fn set(tx: &mut Tx, actor: &Actor, account: AccountId, proxy: ProxyId) -> Result<Placed, Failure> {
    let locked = lock_accounts(tx, actor, &[account.0]).await?;
    let now = locked.first().ok_or_else(|| Refusal::not_found("account"))?;
    let placed = Placed {
        account_id: account,
        proxy_id: proxy,
    };
    if now.proxy_id == Some(proxy.0) {
        return Ok(placed);
    }
    if !now.may_have_proxy {
        let wanted = Wanted {
            ids: Some(vec![account.0]),
            ..Wanted::default()
        };
        let reason = wanted.look(tx, actor).await?.first().and_then(|c| c.reason);
        return Err(refuse_account(reason.unwrap_or(Unplaced::NotImported)));
    }
    if give_locked(tx, actor, &locked, now.proxy_id.map(ProxyId), Some(proxy))
        .await?
        .is_empty()
    {
        return Err(refuse_proxy(tx, actor, proxy, "/proxy_id", now.model_id).await?);
    }
    Ok(placed)
}

fn refuse_account(reason: Unplaced) -> Failure {
    let (code, detail) = match reason {
        Unplaced::NotAuthorised => (
            "not_authorised",
            "no authorisation is recorded for this account: record the basis on which it is managed first",
        ),
        Unplaced::AuthorisationLapsed => (
            "authorisation_lapsed",
            "the authorisation of this account has lapsed: renew it first",
        ),
        Unplaced::AccountNotActive => (
            "account_not_active",
            "this account is not active: set its status to active first",
        ),
        _ => (
            "not_imported",
            "this account is retired and can have no proxy: restore it first",
        ),
    };
    Refusal::conflict(code, detail).into()
}

/// Why an account could not go to a proxy.
async fn refuse_proxy(
    tx: &mut Tx,
    actor: &Actor,
    id: ProxyId,
    pointer: &str,
    model: Option<i64>,
) -> Result<Failure, Failure> {
    let Some(proxy) = find(tx, actor, id).await? else {
        return Ok(Refusal::invalid(vec![Fault::new(pointer, "reference", "there is no such proxy")]).into());
    };
    let refusal = if proxy.status != ProxyStatus::Active {
        Refusal::conflict(
            "proxy_not_active",
            format!("that proxy is {}: choose an active one", proxy.status),
        )
    } else if proxy.assigned_model_id.is_some_and(|own| Some(own.0) != model) {
        Refusal::conflict(
            "other_models_proxy",
            "that proxy is another model's: choose a shared one",
        )
    } else {
        let detail = format!(
            "that proxy carries {} accounts of {}: choose another",
            proxy.account_count, proxy.max_accounts
        );
        Refusal::conflict("no_room", detail)
    };
    Ok(refusal.into())
}

/// Moves every account of a proxy to another, or to any that may carry them, and says which could not be moved. The
/// proxy's status stays: one that is to be retired is made inactive first, so that it gets no new accounts. The
/// transaction has to plan for given parameters.
///
/// # Errors
/// When there is no such proxy; when the one named to move to is not active; when the database fails.
pub async fn move_away(
    tx: &mut Tx,
    actor: &Actor,
    from: ProxyId,
    request: &MoveAway,
) -> Result<MovedAway, Failure> {
    tx.take_your_time().await?;
    get(tx, actor, from).await?;
    if let Some(to) = request.to {
        if to == from {
            let fault = Fault::new("/to", "same", "name another proxy than the one that they leave");
            return Err(Refusal::invalid(vec![fault]).into());
        }
        if find(tx, actor, to)
            .await?
            .is_none_or(|proxy| proxy.status != ProxyStatus::Active)
        {
            return Err(refuse_proxy(tx, actor, to, "/to", None).await?);
        }
    }
    let accounts = ids(&carried(tx, actor, from).await?);
    let moved = give(tx, actor, &accounts, Some(from), request.to).await?;
    let left = carried(tx, actor, from).await?;
    let unplaced = left.into_iter().map(|account| account.id).collect();
    Ok(MovedAway {
        moved,
        unplaced,
        dry_run: request.dry_run,
    })
}

/// An account on a proxy.
#[derive(Debug)]
pub struct Carried {
    /// Its id.
    pub id: AccountId,
    /// Its user name.
    pub username: String,
    /// How far it is.
    pub state: State,
}

/// The accounts that use a proxy, no more than [`muster_wire::proxies::PROXY_ACCOUNTS_MAX`].
///
/// # Errors
/// When the database fails.
pub async fn carried(tx: &mut Tx, actor: &Actor, proxy: ProxyId) -> Result<Vec<Carried>, Failure> {
    let rows = sqlx::query_file_as!(Carried, "src/proxies/carried.sql", actor.tenant.0, proxy.0)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

fn ids(accounts: &[Carried]) -> Vec<i64> {
    accounts.iter().map(|account| account.id.0).collect()
}

/// Gives accounts that are on one proxy, or on none and imported, places on one proxy or on any. Those that are elsewhere
/// by now, that may have none, or for which there is no place stay as they are.
async fn give(
    tx: &mut Tx,
    actor: &Actor,
    accounts: &[i64],
    from: Option<ProxyId>,
    to: Option<ProxyId>,
) -> Result<Vec<Placed>, Failure> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let mut accounts = lock_accounts(tx, actor, accounts).await?;
    accounts.retain(|account| account.may_have_proxy && account.proxy_id == from.map(|id| id.0));
    give_locked(tx, actor, &accounts, from, to).await
}

/// The same with accounts that are locked and found to be there.
async fn give_locked(
    tx: &mut Tx,
    actor: &Actor,
    accounts: &[LockedAccount],
    from: Option<ProxyId>,
    to: Option<ProxyId>,
) -> Result<Vec<Placed>, Failure> {
    if from.is_some() {
        let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
        lock_work(tx, actor, &ids, &[]).await?;
    }
    let mut chosen = match to {
        Some(to) => vec![to.0],
        None => choose_proxies(tx, actor, accounts, from).await?,
    };
    chosen.extend(from.map(|id| id.0));
    let mut proxies = lock_proxies(tx, actor, &chosen).await?;
    proxies.retain(|proxy| proxy.active && from.map(|id| id.0) != Some(proxy.id));
    let placed = share(accounts, &proxies);
    let (ids, to): (Vec<_>, Vec<_>) = placed.iter().map(|p| (p.account_id.0, p.proxy_id.0)).unzip();
    sqlx::query_file!("src/proxies/place.sql", actor.tenant.0, &ids, &to)
        .execute(&mut **tx)
        .await?;
    // What takes an account out of `imported` is a transition, and in its history.
    if let Some(from) = from {
        let entries: Vec<_> = placed
            .iter()
            .map(|placed| audit::Entry {
                action: "account.move",
                object_type: "account",
                object_id: Some(placed.account_id.to_string()),
                before: Some(json!({"proxy_id": from})),
                after: Some(json!({"proxy_id": placed.proxy_id})),
                ..audit::Entry::default()
            })
            .collect();
        audit::write(tx, actor, &entries).await?;
    }
    Ok(placed)
}

/// Shares the places of these proxies out among these accounts, in their order: first the places of an account's model's
/// own proxies, then shared ones; and every proxy's first place before any proxy's second.
fn share(accounts: &[LockedAccount], proxies: &[LockedProxy]) -> Vec<Placed> {
    let mut places = BTreeMap::<Option<i64>, BTreeSet<(i32, i64)>>::new();
    for proxy in proxies {
        let free = (proxy.account_count..proxy.max_accounts).map(|taken| (taken, proxy.id));
        places.entry(proxy.assigned_model_id).or_default().extend(free);
    }
    let mut next = |model| places.get_mut(&model)?.pop_first();
    accounts
        .iter()
        .filter_map(|account| {
            let own = account.model_id.and_then(|model| next(Some(model)));
            let (_, proxy) = own.or_else(|| next(None))?;
            Some(Placed {
                account_id: AccountId(account.id),
                proxy_id: ProxyId(proxy),
            })
        })
        .collect()
}

/// Locks the queue rows of these accounts and of those on these proxies: after accounts, before proxies.
pub(super) async fn lock_work(
    tx: &mut Tx,
    actor: &Actor,
    accounts: &[i64],
    proxies: &[i64],
) -> Result<(), Failure> {
    sqlx::query_file_scalar!("src/proxies/lock_work.sql", actor.tenant.0, accounts, proxies)
        .fetch_all(&mut **tx)
        .await?;
    Ok(())
}

/// An account as it is until the transaction ends.
struct LockedAccount {
    id: i64,
    model_id: Option<i64>,
    proxy_id: Option<i64>,
    may_have_proxy: bool,
}

/// A proxy as it is until the transaction ends.
pub(super) struct LockedProxy {
    id: i64,
    assigned_model_id: Option<i64>,
    account_count: i32,
    max_accounts: i32,
    active: bool,
}

/// Locks accounts, the first of the locks. From here on they are found by their keys.
async fn lock_accounts(tx: &mut Tx, actor: &Actor, accounts: &[i64]) -> Result<Vec<LockedAccount>, Failure> {
    tx.plan_for_given(false).await?;
    let rows = sqlx::query_file_as!(
        LockedAccount,
        "src/proxies/lock_accounts.sql",
        actor.tenant.0,
        accounts
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Names the proxies whose places these accounts would be given, no more than there are accounts.
async fn choose_proxies(
    tx: &mut Tx,
    actor: &Actor,
    accounts: &[LockedAccount],
    except: Option<ProxyId>,
) -> Result<Vec<i64>, Failure> {
    let mut wanted = BTreeMap::<Option<i64>, i64>::new();
    for account in accounts {
        *wanted.entry(account.model_id).or_default() += 1;
    }
    let (models, counts): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    // Or two who choose at once would choose the same places, and find too few of them.
    sqlx::query_file!("src/proxies/lock_choice.sql", actor.tenant.0)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(sqlx::query_file_scalar!(
        "src/proxies/choose.sql",
        actor.tenant.0,
        &models as &[Option<i64>],
        &counts,
        except.map(|id| id.0)
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Locks proxies that are to be counted and changed. The last of the locks.
pub(super) async fn lock_proxies(
    tx: &mut Tx,
    actor: &Actor,
    ids: &[i64],
) -> Result<Vec<LockedProxy>, Failure> {
    let rows = sqlx::query_file_as!(LockedProxy, "src/proxies/lock_proxies.sql", actor.tenant.0, ids)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// Which accounts want a proxy.
#[derive(Debug, Default)]
struct Wanted {
    ids: Option<Vec<i64>>,
    after: Option<i64>,
    model: Option<String>,
    model_id: Option<i64>,
    city: Option<String>,
    campus: Option<String>,
    niche: Option<String>,
    words: Option<String>,
    counted: bool,
}

struct Candidate {
    id: i64,
    reason: Option<Unplaced>,
    total: Option<i64>,
}

impl Wanted {
    fn read(request: &Assign) -> Result<Self, Failure> {
        let mut faults = request.faults();
        let mut filter = Filter::parse(request.filter.as_deref().unwrap_or_default());
        let wanted = Self {
            ids: request
                .account_ids
                .as_ref()
                .map(|ids| ids.iter().map(|id| id.0).collect()),
            after: request.after.map(|id| id.0),
            model: filter.take("model"),
            model_id: request.model_id.map(|id| id.0),
            city: filter.take("city"),
            campus: filter.take("campus"),
            niche: filter.take("niche"),
            words: filter.words(),
            counted: request.expected_count.is_some(),
        };
        if let Err(others) = filter.finish() {
            faults.extend(others);
        }
        if faults.is_empty() {
            Ok(wanted)
        } else {
            Err(Refusal::invalid(faults).into())
        }
    }

    /// Looks at them, one more than a call takes.
    async fn look(&self, tx: &mut Tx, actor: &Actor) -> Result<Vec<Candidate>, Failure> {
        let rows = sqlx::query_file_as!(
            Candidate,
            "src/proxies/candidates.sql",
            actor.tenant.0,
            self.ids.as_deref(),
            self.after,
            self.model,
            self.model_id,
            self.city,
            self.campus,
            self.niche,
            self.counted,
            self.words,
            count(ASSIGN_ACCOUNTS_MAX + 1)
        )
        .fetch_all(&mut **tx)
        .await?;
        Ok(rows)
    }
}
