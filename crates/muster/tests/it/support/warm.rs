//! Accounts that are warming up, and what surrounds them; for tests of what happens to them.

use muster::{db::SchedulerDb, tick};
use muster_wire::TenantId;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{CLUSTER, TestApp};

/// Makes a model with this many accounts at the first step, their proxies, and ten items in each of its pools, on any
/// cluster; gives the model's id.
pub async fn warm_accounts(db: &mut PgConnection, tenant: TenantId, count: usize) -> i64 {
    let tenant = tenant.0;
    let model: i64 = sqlx::query_scalar(
        "insert into models (tenant_id, name) values ($1, 'Model ' || (select count(*) + 1 from models)) returning id",
    )
    .bind(tenant)
    .fetch_one(&mut *db)
    .await
    .expect("a model");
    let fill = format!(
        "insert into proxies (tenant_id, scheme, host, port, username, provider, location, monthly_cost)
        select {tenant}, 'http', 'proxy' || g || '.model{model}.example.com', 8080, 'user', 'Provider', 'DE', 1
        from generate_series(1, ({count} + 2) / 3) g;
        insert into model_content (tenant_id, model_id, content_type, image_url)
        select {tenant}, {model}, t, 'https://example.com/{model}/' || t || g || '.jpg'
        from generate_series(1, 10) g, unnest('{{pfp,highlight,story,post}}'::text[]) t;
        insert into text_pools (tenant_id, model_id, content_type, text_content)
        select {tenant}, {model}, t, t || ' ' || g
        from generate_series(1, 10) g, unnest('{{bio,highlight,story,post}}'::text[]) t;
        insert into accounts (tenant_id, username, email, model_id, assigned_at, authorisation_basis)
        select {tenant}, 'model{model}.account' || g, 'a' || g || '@example.com', {model}, now(), 'owned'
        from generate_series(1, {count}) g;
        update accounts a set lifecycle_state = 'proxy_assigned', proxy_id = p.id, proxy_assigned_at = now()
        from (select id, row_number() over (order by id) as n from accounts where model_id = {model}) o
        join (select id, row_number() over (order by id) as n from proxies
            where host like '%.model{model}.example.com') p on p.n = (o.n + 2) / 3
        where a.tenant_id = {tenant} and a.id = o.id;
        update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
        where tenant_id = {tenant} and model_id = {model};"
    );
    db.execute(AssertSqlSafe(fill)).await.expect("accounts");
    model
}

impl TestApp {
    /// Makes a model with this many accounts at the first step, their proxies, and ten items in each of its pools; gives
    /// the model's id.
    pub async fn warm_accounts(&self, count: usize) -> i64 {
        warm_accounts(&mut self.superuser().await, self.tenant, count).await
    }

    /// Runs statements as the superuser: to arrange what the API cannot.
    #[track_caller]
    pub fn run(&self, sql: impl Into<String>) -> impl Future<Output = ()> {
        let sql = sql.into();
        async move {
            let done = self.superuser().await.execute(AssertSqlSafe(sql.clone())).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    /// The one value of a query, as text, seen by the superuser; nothing when it is null or there is no row.
    pub async fn look(&self, sql: impl Into<String>) -> Option<String> {
        let sql = format!("select (q.v)::text from ({}) q (v)", sql.into());
        sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(sql.clone()))
            .fetch_optional(&mut self.superuser().await)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .flatten()
    }

    /// The timers' connection.
    pub async fn scheduler(&self) -> SchedulerDb {
        SchedulerDb::connect(CLUSTER.options("muster_scheduler", &self.database))
            .await
            .expect("the timer's role")
    }

    /// Lets the reaper run once; gives how many leases it ended.
    pub async fn reap(&self) -> u64 {
        tick::reap_all(&self.app, &self.scheduler().await)
            .await
            .expect("it reaps")
    }

    /// Lets the counting of uses run once.
    pub async fn fold(&self) {
        tick::fold_all(&self.app, &self.scheduler().await)
            .await
            .expect("it folds");
    }

    /// Lets what has changed be counted, and marked where it is there twice, once.
    pub async fn fold_counts(&self) {
        tick::fold_counts(&self.app, &self.scheduler().await)
            .await
            .expect("it folds");
    }
}
