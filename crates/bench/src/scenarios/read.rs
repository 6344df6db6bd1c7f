//! The reading path among few and many accounts: what each list, count and dashboard touches, and how long it takes over HTTP.
//! PostgreSQL says itself what the statements touched that the server sent, while it sent them.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, Result, ensure};
use hyper::{Method, body::Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    bench::{BOTS, Bench, Fill, RUN, Template},
    cluster::SUPERUSER,
    explained::statements,
    http::Connection,
    load,
    metrics::{Latencies, Percentiles},
    report::Run,
    server::Server,
};

pub const NAME: &str = "reading";

/// Pictures, or texts, of each type in a model's pools.
const POOL_ITEMS: i32 = 20;

/// Rows of history that there must be for each account.
const HISTORY_EACH: i64 = 5;

/// Requests of which the dearest counts: among them those that PostgreSQL plans for any parameters.
const EXPLAINED: usize = 8;

/// Of how many accounts one warms up (`advance.sql`).
const WARMING_ONE_IN: usize = 10;

/// Steps that a bot claims and reports at once, and that it claims at once to hold.
const BATCH: usize = 50;
const CLAIM_MAX: usize = 500;

/// Steps that whoever asks holds, as a person does.
const HELD_BY_HAND: usize = 5;

/// Accounts that one request steps over on the way to a page deep in the list.
const STRIDE: usize = 500;

/// Every list, count and dashboard that has something to show here. `{deep}` is a place half way through the list, `{account}` an
/// account there.
const REQUESTS: &[(&str, &str)] = &[
    ("accounts", "/v1/accounts?limit=50"),
    ("accounts, half way through", "/v1/accounts?limit=50{deep}"),
    (
        "accounts in a state",
        "/v1/accounts?limit=50&filter=state:human_review",
    ),
    (
        "accounts of a model",
        "/v1/accounts?limit=50&filter=model:%22model%207%22",
    ),
    (
        "accounts of a model in a state",
        "/v1/accounts?limit=50&filter=model:%22model%207%22%20state:ready",
    ),
    (
        "accounts by how a name begins",
        "/v1/accounts?limit=50&filter=user_1_77",
    ),
    (
        "accounts by a name that nobody has",
        "/v1/accounts?limit=50&filter=nobody",
    ),
    (
        "accounts that are stuck",
        "/v1/accounts?limit=50&filter=state:warming_up%20stuck:%3E30d",
    ),
    ("accounts at a step", "/v1/accounts?limit=50&filter=step:1"),
    (
        "accounts of a status",
        "/v1/accounts?limit=50&filter=status:active",
    ),
    (
        "accounts without a proxy",
        "/v1/accounts?limit=50&filter=proxy:none",
    ),
    ("accounts of a proxy", "/v1/accounts?limit=50&filter=proxy:77"),
    (
        "accounts whose authorisation has lapsed",
        "/v1/accounts?limit=50&filter=authorisation:lapsed",
    ),
    (
        "accounts to be reviewed",
        "/v1/accounts?limit=50&filter=review:yes",
    ),
    (
        "accounts that are held back",
        "/v1/accounts?limit=50&filter=hold:model_not_active",
    ),
    ("count of accounts", "/v1/accounts/count"),
    (
        "count of accounts in a state",
        "/v1/accounts/count?filter=state:active",
    ),
    (
        "count of accounts of a model",
        "/v1/accounts/count?filter=model:%22model%207%22",
    ),
    ("reviews", "/v1/reviews?limit=50"),
    ("count of reviews", "/v1/reviews/count"),
    ("proxies", "/v1/proxies?limit=50"),
    (
        "proxies of a host that there is not",
        "/v1/proxies?limit=50&filter=nowhere",
    ),
    ("models", "/v1/models?limit=50"),
    (
        "content of a model",
        "/v1/content?limit=50&filter=model:%22model%207%22",
    ),
    (
        "texts of a model",
        "/v1/texts?limit=50&filter=model:%22model%207%22",
    ),
    (
        "content that a pool has twice",
        "/v1/content?limit=50&filter=duplicate:yes",
    ),
    (
        "texts that a pool has twice",
        "/v1/texts?limit=50&filter=duplicate:yes",
    ),
    (
        "texts that a pool has once",
        "/v1/texts?limit=50&filter=duplicate:no",
    ),
    ("data keys", "/v1/keys"),
    ("audit log", "/v1/audit?limit=50"),
    ("history of an account", "/v1/accounts/{account}/history?limit=50"),
    (
        "attempts of an account",
        "/v1/accounts/{account}/attempts?limit=50",
    ),
    (
        "authorisations of an account",
        "/v1/accounts/{account}/authorisations",
    ),
    ("notes on an account", "/v1/accounts/{account}/notes"),
    ("reviews of a kind", "/v1/reviews?limit=50&filter=kind:escalated"),
    (
        "proxies of a location",
        "/v1/proxies?limit=50&filter=location:London",
    ),
    ("proxies with room", "/v1/proxies?limit=50&filter=room:yes"),
    (
        "proxies of a model",
        "/v1/proxies?limit=50&filter=model:%22model%207%22",
    ),
    ("capacity of proxies", "/v1/proxies/capacity"),
    ("content", "/v1/content?limit=50"),
    (
        "content that was not used",
        "/v1/content?limit=50&filter=unused:yes",
    ),
    ("texts", "/v1/texts?limit=50"),
    ("coverage", "/v1/content/coverage?limit=50"),
    (
        "audit log of an actor",
        "/v1/audit?limit=50&filter=actor:operator:1",
    ),
    (
        "audit log of an action",
        "/v1/audit?limit=50&filter=action:model.update",
    ),
    ("bots", "/v1/bots?limit=50"),
    ("activity of a bot", "/v1/bots/1/activity"),
    ("tokens", "/v1/tokens?limit=50"),
    ("members", "/v1/operators?limit=50"),
    ("metrics", "/v1/metrics"),
    ("metrics of a model", "/v1/metrics?model_id=7"),
    ("leases of who asks", "/v1/work/held"),
    ("board", "/v1/work/board"),
    ("dashboard", "/v1/today"),
];

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

/// Asks everything at each size.
///
/// # Errors
/// When something fails.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for &accounts in bench.sizes.read_accounts {
        let fill = Fill {
            models: bench.sizes.read_models,
            items: POOL_ITEMS,
            accounts,
            warming: accounts,
        };
        let template = bench.template("reading", &[fill]).await?;
        advance(bench, &template, accounts).await?;
        let buffers = explain(bench, &template, accounts).await?;
        let latencies = time(bench, &template, accounts).await?;
        for (n, (subject, _)) in REQUESTS.iter().enumerate() {
            if runs.len() <= n {
                runs.push(Run::new(NAME, subject, "requests", 0, 1.0));
            }
            let figures = &mut runs[n].figures;
            figures.insert(figure(accounts), buffers[subject]);
            figures.insert(format!("p50 ms at {accounts:>7}"), latencies[subject].p50_ms);
        }
        let dearest = buffers.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (subject, most) = dearest.context("there are requests")?;
        eprintln!("{NAME}: {accounts} accounts: at most {most:.0} buffers, of {subject}");
        bench.clear(&[&template]).await?;
    }
    Ok(runs)
}

/// How a report calls what a request touches among so many accounts.
#[must_use]
pub fn figure(accounts: i32) -> String {
    format!("buffers at {accounts:>7}")
}

async fn advance(bench: &Bench, template: &Template, accounts: i32) -> Result<()> {
    bench.advance(template).await?;
    let mut admin = bench.cluster.connect(SUPERUSER, template.name()).await?;
    let history: i64 = sqlx::query_scalar(include_str!("../../sql/histories.sql"))
        .fetch_one(&mut admin)
        .await?;
    ensure!(
        history >= i64::from(accounts) * HISTORY_EACH,
        "{accounts} accounts have {history} rows of history"
    );
    Ok(())
}

/// What the dearest statement of each request touches.
async fn explain(bench: &Bench, template: &Template, accounts: i32) -> Result<BTreeMap<&'static str, f64>> {
    set(bench, include_str!("../../sql/explain_on.sql")).await?;
    let server = bench.serve(template).await?;
    let mut owner = server.owner().await?;
    begin_work(bench, &server, &mut owner, accounts).await?;
    let paths = paths(&mut owner, accounts).await?;
    let mut found = BTreeMap::new();
    for (subject, path) in paths {
        let (mut dearest, mut said) = (0, 0);
        for _ in 0..EXPLAINED {
            let before = bench.cluster.log_bytes()?;
            let _: Value = owner.get(&path).await?;
            let explained = statements(&bench.cluster.log_since(before)?)?;
            said += explained.len();
            dearest = explained
                .iter()
                .map(|statement| statement.buffers)
                .fold(dearest, u64::max);
        }
        ensure!(said >= EXPLAINED, "nothing in the log says what {path} touched");
        found.insert(subject, dearest as f64);
    }
    server.examine().await?;
    server.stop().await?;
    set(bench, include_str!("../../sql/explain_off.sql")).await?;
    Ok(found)
}

/// Has the tenant at work, as a request finds it: bots that did a quarter of the steps that were due, and hold a fifth of them, people
/// who do the steps of one model, and a tenth of the models paused. What died is vacuumed in between, as autovacuum does within a minute.
async fn begin_work(bench: &Bench, server: &Server, owner: &mut Connection, accounts: i32) -> Result<()> {
    let warming = accounts.unsigned_abs() as usize / WARMING_ONE_IN;
    let mut bots = server.bots(BOTS).await?;
    let enough = warming as u64 / 4;
    load::work(&mut bots, BATCH, move |done| done >= enough).await?;
    bench.cluster.settle(RUN).await?;
    for model in 1..=bench.sizes.read_models / 10 {
        let _: Value = owner
            .post(
                &format!("/v1/models/{model}/pause"),
                &json!({"reason": "A pause of the benchmark"}),
            )
            .await?;
    }
    let by_people =
        json!({"people_steps": ["change_pfp", "change_bio", "post_highlight", "post_story", "post_post"]});
    let path = format!("/v1/models/{}", bench.sizes.read_models);
    let change = Bytes::from(serde_json::to_vec(&by_people)?);
    owner
        .send(Method::PATCH, &path, "application/json", change)
        .await?;
    let _: Value = owner
        .post("/v1/work/claim", &json!({"max": HELD_BY_HAND}))
        .await?;
    for bot in &mut bots {
        let mut left = warming / 5 / BOTS;
        while left > 0 {
            let max = left.min(CLAIM_MAX);
            let _: Value = bot.post("/v1/work/claim", &json!({"max": max})).await?;
            left -= max;
        }
    }
    Ok(())
}

async fn set(bench: &Bench, statements: &'static str) -> Result<()> {
    let mut admin = bench.cluster.connect(SUPERUSER, "postgres").await?;
    sqlx::raw_sql(statements).execute(&mut admin).await?;
    Ok(())
}

/// How long each request takes, one after the other, in the database that `explain` left, where nothing was written.
async fn time(
    bench: &Bench,
    template: &Template,
    accounts: i32,
) -> Result<BTreeMap<&'static str, Percentiles>> {
    let server = bench.serve_run(template).await?;
    let mut owner = server.owner().await?;
    let mut found = BTreeMap::new();
    for (subject, path) in paths(&mut owner, accounts).await? {
        let mut latencies = Latencies::default();
        for _ in 0..bench.sizes.reads {
            let asked = Instant::now();
            let _: Value = owner.get(&path).await?;
            latencies.add(asked.elapsed());
        }
        found.insert(subject, latencies.percentiles().context("there were requests")?);
    }
    server.stop().await?;
    Ok(found)
}

/// The requests, with a place half way through the list of accounts.
async fn paths(owner: &mut Connection, accounts: i32) -> Result<Vec<(&'static str, String)>> {
    let mut deep = String::new();
    let mut account = String::new();
    for _ in 0..(accounts.unsigned_abs() as usize / 2 / STRIDE).max(1) {
        let page: Page = owner.get(&format!("/v1/accounts?limit={STRIDE}{deep}")).await?;
        account = page.items.last().context("a page has items")?["id"].to_string();
        deep = format!("&cursor={}", page.next.context("there are more accounts")?);
    }
    let path = |path: &str| {
        path.replace("{deep}", &deep)
            .replace("{account}", account.trim_matches('"'))
    };
    Ok(REQUESTS
        .iter()
        .map(|(subject, request)| (*subject, path(request)))
        .collect())
}
