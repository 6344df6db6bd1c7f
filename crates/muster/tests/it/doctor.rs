//! The doctor: silent where all is well, under load too; finds each damage and nothing else; and its cures work.

use std::sync::atomic::{AtomicBool, Ordering};

use muster::{actor::Actor, db::Db, doctor, schema};
use muster_wire::{Role, TenantId, doctor::Finding};
use sqlx::{AssertSqlSafe, Executor};

use crate::support::{CLUSTER, TestApp};

/// A tenant with a bit of everything, made through the triggers by the serving role.
const LIFE: &str = "
    insert into models (tenant_id, name, people_steps) values
        (muster_tenant(), 'Brand', '{2,5}'), (muster_tenant(), 'Campus', '{}'), (muster_tenant(), 'Empty', '{}');
    insert into proxies (tenant_id, scheme, host, port, username, provider, location, monthly_cost)
        select muster_tenant(), 'http', 'gate.example', 8000, 'u' || n, 'P', 'DE', 3 from generate_series(1, 5) n;
    insert into accounts (tenant_id, username, email, model_id, authorisation_basis, authorisation_expires_at,
            password_encrypted)
        select muster_tenant(), 'life' || n, n || '@example.com', (select id from models where name = 'Brand'),
            case when n > 1 then 'owned' end, case when n = 5 then now() + interval '1 day' end,
            case when n = 6 then '\\x01010000000100'::bytea end
        from generate_series(1, 12) n;
    update accounts set model_id = (select id from models where name = 'Campus')
        where username in ('life4', 'life5', 'life6');
    update accounts set lifecycle_state = 'proxy_assigned', proxy_assigned_at = now(),
            proxy_id = (select p.id from proxies p where p.username = 'u' || (1 + (substr(accounts.username, 5)::int / 3)))
        where username not in ('life1', 'life2');
    update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
        where lifecycle_state = 'proxy_assigned' and username <> 'life3';
    update accounts set lifecycle_state = 'human_review', requires_human_review = true
        where username = 'life7';
    update accounts set lifecycle_state = 'human_review', warmup_completed_at = now()
        where username in ('life8', 'life9', 'life10');
    update accounts set lifecycle_state = 'ready' where username in ('life9', 'life10');
    update accounts set lifecycle_state = 'active' where username = 'life10';
    update accounts set lifecycle_state = 'cleanup', proxy_id = null where username = 'life11';
    update accounts set status = 'suspended' where username = 'life4';
    update accounts set authorisation_reference = 'contract 7' where username = 'life5';
    update accounts set authorisation_expires_at = now() - interval '1 s' where username = 'life12';
    update work_queue set hold = 'pool_empty', state = 'held'
        where account_id = (select id from accounts where username = 'life6');
    insert into model_content (tenant_id, model_id, content_type, image_url, usage_count, success_count, last_used_at)
        select muster_tenant(), id, 'any', 'https://example.com/a.jpg', 2, 1, now() from models where name = 'Brand';
    insert into text_pools (tenant_id, model_id, content_type, text_content)
        select muster_tenant(), id, 'bio', 'Hello' from models where name = 'Brand';
    insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status,
            content_id, text_id)
        select muster_tenant(), a.id, n, now(), case when n < 4 then now() end, 1, 'change_pfp',
            case n when 1 then 'failed' when 4 then 'failed' else 'completed' end,
            c.id, case when n = 3 then t.id end
        from accounts a, model_content c, text_pools t, generate_series(1, 4) n where a.username = 'life8';
    insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
        select muster_tenant(), array[c.id], array[t.id], '{true}' from model_content c, text_pools t;
    insert into imports (tenant_id, kind, state, committed_at) values
        (muster_tenant(), 'accounts', 'committed', now()), (muster_tenant(), 'accounts', 'staged', null),
        (muster_tenant(), 'accounts', 'reading', null);
    insert into import_rows (tenant_id, import_id, line, verdict, target_id)
        select muster_tenant(), id, 1, 'new', case when state = 'committed' then 1 end from imports;
";

async fn lively() -> TestApp {
    let app = TestApp::start().await;
    live(&app, &app.owner_actor()).await;
    app
}

async fn live(app: &TestApp, actor: &Actor) {
    let mut tx = app.app.db.begin(actor).await.expect("a transaction");
    tx.execute(LIFE).await.expect("life");
    tx.commit().await.expect("commit");
}

async fn examine(db: &Db, tenant: TenantId) -> Vec<Finding> {
    let actor = Actor::system(tenant);
    let mut tx = db.begin_snapshot(&actor).await.expect("a transaction");
    doctor::examine(&mut tx, &actor).await.expect("an examination")
}

/// What was found, but for the two settings that the cluster of the tests has off.
async fn found(app: &TestApp) -> Vec<Finding> {
    let mut findings = examine(&app.app.db, app.tenant).await;
    let settings = findings
        .iter()
        .position(|f| f.code == "settings")
        .expect("the settings of the tests");
    assert_eq!(
        findings.remove(settings).examples,
        ["fsync is off", "full_page_writes is off"]
    );
    findings
}

#[track_caller]
fn silent(findings: &[Finding], when: &str) {
    assert!(findings.is_empty(), "{when}: {findings:#?}");
}

async fn superuser(app: &TestApp, sql: &str) {
    let mut db = app.superuser().await;
    db.execute(AssertSqlSafe(sql))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn migrate(app: &TestApp) {
    schema::migrate(&CLUSTER.options("muster_owner", &app.database))
        .await
        .expect("it migrates");
}

/// What ends a damage.
enum Cure {
    /// The statement that the finding gives.
    Repair,
    /// What the cure says in words, done in SQL by the serving role.
    Done(&'static str),
    /// What the cure says in words, which is to migrate.
    Migrate,
    /// What only the superuser can do.
    Superuser(&'static str),
}

/// Code, damage, how many things are then wrong, cure. No trigger sees the damage, but where it says so itself.
const DAMAGES: &[(&str, &str, i64, Cure)] = &[
    ("model_counters", "update models set total_accounts = total_accounts + 1 where name = 'Brand'", 1, Cure::Repair),
    ("model_counters", "update models set active_accounts = 3", 3, Cure::Repair),
    ("model_counters", "insert into accounts (tenant_id, username, email, model_id) select tenant_id, 'sneaked', 'x', id from models
        where name = 'Empty'; insert into account_state_history (tenant_id, account_id, event, to_state, triggered_by)
        select tenant_id, id, 'import', 'imported', 'system' from accounts where username = 'sneaked';
        insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
        select tenant_id, model_id, 'imported', 'active', 1 from accounts where username = 'sneaked'", 1, Cure::Repair),
    ("account_counts", "update account_count_changes set change = 0 where ctid in (select min(ctid) from account_count_changes)", 1,
        Cure::Repair),
    ("account_counts", "delete from account_count_changes; delete from account_counts", 10, Cure::Repair),
    ("proxy_counters", "set session_replication_role = origin;
        update proxies set account_count = account_count - 1 where username in ('u2', 'u3')", 2, Cure::Repair),
    ("proxy_counters", "set session_replication_role = origin;
        update proxies set account_count = 1 where username = 'u1'", 1, Cure::Repair),
    ("proxy_capacity", "set session_replication_role = origin;
        update proxies set max_accounts = 2, account_count = 2 where username = 'u3'", 1,
        Cure::Superuser("update proxies set max_accounts = 3, account_count = 3 where username = 'u3'")),
    ("proxy_counts", "update proxies set monthly_cost = monthly_cost + 1 where username = 'u2'", 2, Cure::Repair),
    ("proxy_counts", "update proxies set max_accounts = 2 where username = 'u5'", 2, Cure::Repair),
    ("proxy_counts", "delete from proxy_counts; delete from proxy_count_changes", 2, Cure::Repair),
    ("history", "update accounts set lifecycle_state = 'ready', warmup_completed_at = now() where username = 'life3';
        insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
        select a.tenant_id, a.model_id, c.state, a.status, c.change
        from accounts a, (values ('proxy_assigned', -1), ('ready', 1)) c (state, change) where a.username = 'life3'", 1,
        Cure::Done("update accounts set lifecycle_state = 'cleanup', proxy_id = null where username = 'life3'")),
    ("history", "delete from account_state_history where account_id = (select id from accounts where username = 'life2')", 1,
        Cure::Done("update accounts set lifecycle_state = 'cleanup' where username = 'life2'")),
    ("authorisations", "update accounts set authorisation_reference = 'forged' where username = 'life9'", 1, Cure::Repair),
    ("authorisations", "delete from authorisations", 11, Cure::Repair),
    ("queue_steps", "delete from work_queue where account_id = (select id from accounts where username = 'life4')", 1, Cure::Repair),
    ("queue_steps", "update work_queue set state = 'ready' where account_id = (select id from accounts where username = 'life10')", 1,
        Cure::Repair),
    ("queue_steps", "update work_queue set state = 'idle', hold = null
        where account_id = (select id from accounts where username = 'life5')", 1, Cure::Repair),
    ("queue_holds", "update work_queue set hold = null, state = 'ready'
        where account_id = (select id from accounts where username = 'life4')", 1, Cure::Repair),
    ("queue_holds", "update work_queue set hold = 'no_model', state = 'held'
        where account_id = (select id from accounts where username = 'life5')", 1, Cure::Repair),
    ("queue_holds", "update work_queue set hold = 'authorisation_lapsed', state = 'held'
        where account_id = (select id from accounts where username = 'life5')", 1, Cure::Repair),
    ("queue_holds", "update work_queue set authorised_until = 'infinity' where state <> 'idle'
        and account_id = (select id from accounts where username = 'life5')", 1, Cure::Repair),
    ("queue_holds", "update models set status = 'paused' where name = 'Campus'", 2,
        Cure::Superuser("set session_replication_role = replica; update models set status = 'active' where name = 'Campus'")),
    ("queue_holds", "update models set people_steps = '{1}' where name = 'Campus'", 3, Cure::Repair),
    ("pool_counters", "delete from content_uses", 2, Cure::Repair),
    ("pool_counters", "set session_replication_role = origin;
        update model_content set usage_count = usage_count + 1", 1, Cure::Repair),
    ("pool_counters", "update warmup_step_logs set status = 'failed' where lease = 3", 2, Cure::Repair),
    ("pool_counts", "update pool_count_changes set items = items + 1 where ctid in (select min(ctid) from pool_count_changes)", 1,
        Cure::Repair),
    ("pool_counts", "update model_content set last_used_at = last_used_at - interval '2 days'", 2, Cure::Repair),
    ("pool_counts", "delete from pool_counts; delete from pool_count_changes", 2, Cure::Repair),
    ("duplicates", "delete from fingerprint_changes; update model_content set duplicate = true", 1, Cure::Repair),
    ("duplicates", "delete from fingerprint_changes; update model_content set duplicate = false;
        insert into text_pools (tenant_id, model_id, content_type, text_content)
        select tenant_id, id, 'post', 'again' from models, generate_series(1, 2) where name = 'Brand'", 2, Cure::Repair),
    ("imports_reading", "update imports set created_at = now() - interval '2 hours' where state = 'reading'", 1,
        Cure::Done("update imports set state = 'discarded' where state = 'reading'")),
    (
        "imports_partial",
        "update import_rows r set target_id = (select id from accounts where username = 'life1')
            from imports i where i.id = r.import_id and i.state = 'staged'",
        1,
        Cure::Done("delete from accounts where username = 'life1'; update imports set state = 'discarded' where state = 'staged'"),
    ),
    ("tokens", "update api_tokens set expires_at = 'infinity'", 1,
        Cure::Done("update api_tokens set revoked_at = now() where not isfinite(expires_at)")),
    ("pictures", "insert into pictures (tenant_id, sha256, media_type, bytes)
        select tenant_id, sha256('x'::bytea), 'image/png', 'x' from models where name = 'Brand'", 1, Cure::Repair),
    ("pictures", "update model_content set image_url = '/v1/pictures/' || repeat('0', 64)", 1,
        Cure::Done("update model_content set image_url = 'https://example.com/a.jpg'")),
    ("keys", "update tenant_keys set version = 2", 1, Cure::Superuser("update tenant_keys set version = 1")),
    ("isolation", "alter table models disable row level security", 1, Cure::Migrate),
    ("isolation", "alter table model_content no force row level security", 1, Cure::Migrate),
    ("isolation", "drop policy tenant on daily_metrics", 1, Cure::Migrate),
];

#[tokio::test]
async fn each_damage_is_found_alone_and_ended_by_its_cure() {
    let app = lively().await;
    silent(&found(&app).await, "a lively tenant is healthy");
    for (code, damage, count, cure) in DAMAGES {
        superuser(&app, &format!("set session_replication_role = replica; {damage}")).await;
        let findings = found(&app).await;
        let codes: Vec<_> = findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, [*code], "after {damage}: {findings:#?}");
        let finding = &findings[0];
        assert_eq!(finding.count, *count, "after {damage}: {findings:#?}");
        assert_eq!(
            finding.examples.len() as i64,
            *count,
            "after {damage}: {findings:#?}"
        );
        match cure {
            Cure::Repair => superuser(&app, finding.repair.as_deref().expect("a statement")).await,
            Cure::Superuser(sql) => superuser(&app, sql).await,
            Cure::Migrate => migrate(&app).await,
            Cure::Done(sql) => {
                let mut tx = app.app.db.begin(&app.owner_actor()).await.expect("a transaction");
                tx.execute(*sql)
                    .await
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                tx.commit().await.expect("commit");
            }
        }
        silent(&found(&app).await, &format!("after the cure of {damage}"));
    }
    // What a cure only notes is done by the timer.
    app.fold_counts().await;
    silent(&found(&app).await, "after the timer");
}

#[tokio::test]
async fn an_authorisation_that_ran_out_by_itself_is_no_damage() {
    let app = lively().await;
    superuser(
        &app,
        "set session_replication_role = replica;
         update accounts set authorisation_expires_at = now() where username = 'life5';
         update work_queue q set authorised_until = a.authorisation_expires_at from accounts a
             where a.id = q.account_id and a.username = 'life5';
         insert into authorisations (tenant_id, account_id, basis, reference, expires_at)
             select tenant_id, id, authorisation_basis, authorisation_reference, authorisation_expires_at from accounts
             where username = 'life5'",
    )
    .await;
    silent(&found(&app).await, "not yet held");
}

#[tokio::test]
async fn a_proxy_with_a_fourth_account_is_found_and_moving_it_ends_that() {
    let app = lively().await;
    superuser(
        &app,
        "set session_replication_role = replica;
         update accounts set proxy_id = (select id from proxies where username = 'u2') where username = 'life8'",
    )
    .await;
    let codes: Vec<_> = found(&app).await.into_iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        ["proxy_counters", "proxy_capacity"],
        "one has too few by its counter, one too many"
    );
    let mut tx = app.app.db.begin(&app.owner_actor()).await.expect("a transaction");
    tx.execute("update accounts set proxy_id = (select id from proxies where username = 'u5') where username = 'life5'")
        .await
        .expect("there is room on u5");
    tx.commit().await.expect("commit");
    let findings = found(&app).await;
    assert_eq!(
        findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(),
        ["proxy_counters"]
    );
    superuser(&app, findings[0].repair.as_deref().expect("a statement")).await;
    silent(&found(&app).await, "after the cures");
}

#[tokio::test]
async fn a_month_without_its_partition_is_found_and_migrating_makes_it() {
    let app = lively().await;
    superuser(
        &app,
        "do $$ begin execute format('drop table %I, %I',
            'account_state_history_' || to_char(now() at time zone 'utc' + interval '1 month', 'YYYY_MM'),
            'warmup_step_logs_' || to_char(now() at time zone 'utc' + interval '1 month', 'YYYY_MM')); end $$",
    )
    .await;
    let findings = found(&app).await;
    assert_eq!(
        findings
            .iter()
            .map(|f| (f.code.as_str(), f.count))
            .collect::<Vec<_>>(),
        [("partitions", 2)]
    );
    migrate(&app).await;
    silent(&found(&app).await, "after migrating");
}

#[tokio::test]
async fn settings_that_can_lose_work_and_roles_above_the_policies_are_found() {
    let app = lively().await;
    superuser(
        &app,
        &format!(
            "alter database {0} set synchronous_commit = off; create role above_{0} login bypassrls in role muster_app",
            app.database
        ),
    )
    .await;
    let db = Db::connect(
        CLUSTER.options(&format!("above_{}", app.database), &app.database),
        1,
    )
    .await
    .expect("a connection");
    let findings = examine(&db, app.tenant).await;
    let codes: Vec<_> = findings.iter().map(|f| (f.code.as_str(), f.count)).collect();
    assert_eq!(codes, [("settings", 3), ("isolation", 1)], "{findings:#?}");
}

#[tokio::test]
async fn the_damage_of_one_tenant_is_not_told_to_another() {
    let app = lively().await;
    let (other, caller) = app.other_tenant().await;
    live(&app, &Actor::system(other)).await;
    superuser(
        &app,
        &format!(
            "update models set total_accounts = 100 where tenant_id = {}",
            app.tenant
        ),
    )
    .await;
    let mine = app.owner.get("/v1/doctor").await.expect(200);
    let theirs = caller.get("/v1/doctor").await.expect(200);
    let codes = |answer: &serde_json::Value| -> Vec<String> {
        let findings = answer["findings"].as_array().expect("a list");
        findings
            .iter()
            .map(|f| f["code"].as_str().expect("a word").to_owned())
            .collect()
    };
    assert_eq!(
        (codes(&mine), codes(&theirs)),
        (
            vec!["model_counters".to_owned(), "settings".to_owned()],
            vec!["settings".to_owned()],
        )
    );
}

#[tokio::test]
async fn only_who_administers_asks_the_doctor() {
    let app = TestApp::start().await;
    app.person(Role::Admin).await.get("/v1/doctor").await.expect(200);
    for role in [Role::Operator, Role::Reviewer, Role::Viewer] {
        assert_eq!(
            app.person(role).await.get("/v1/doctor").await.problem(403),
            "forbidden"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_is_silent_while_everything_moves() {
    const LOOKS: usize = 40;
    let app = lively().await;
    let done = AtomicBool::new(false);
    let move_on = |sql: &'static str| {
        let (db, actor, done) = (app.app.db.clone(), app.owner_actor(), &done);
        async move {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                let mut tx = db.begin(&actor).await.expect("a transaction");
                tx.execute(sql).await.expect("it moves");
                tx.commit().await.expect("commit");
                rounds += 1;
            }
            rounds
        }
    };
    let look = async {
        for _ in 0..LOOKS {
            silent(&found(&app).await, "while everything moves");
        }
        done.store(true, Ordering::Relaxed);
    };
    let (states, models, holds, uses, pools, folds, ()) = tokio::join!(
        move_on(
            "update accounts set lifecycle_state = 'human_review' where username = 'life5';
             update accounts set lifecycle_state = 'cleanup', proxy_id = null where username = 'life5';
             update accounts set lifecycle_state = 'imported' where username = 'life5';
             update accounts set lifecycle_state = 'proxy_assigned',
                 proxy_id = (select id from proxies where username = 'u2') where username = 'life5';
             update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
                 where username = 'life5'"
        ),
        move_on(
            "update accounts set model_id = (select id from models m where m.id is distinct from accounts.model_id
                 order by random() limit 1) where username in ('life2', 'life3')"
        ),
        move_on(
            "update models set status = case status when 'active' then 'paused' else 'active' end where name = 'Campus';
             update accounts set authorisation_expires_at = now() + interval '1 h' where username = 'life4'"
        ),
        move_on(
            "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name,
                     status, content_id)
                 select c.tenant_id, 1, 5, clock_timestamp(), now(), 1, 'change_pfp', 'completed', c.id
                 from model_content c;
             insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
                 select tenant_id, array[id], '{null}', '{true}' from model_content;
             select fold_content_uses(1)"
        ),
        move_on(
            "insert into text_pools (tenant_id, model_id, content_type, text_content)
                 select tenant_id, id, 'bio', 'moving' from models where name = 'Campus';
             update proxies set location = case location when 'DE' then 'FR' else 'DE' end, monthly_cost = monthly_cost + 1
                 where username in ('u2', 'u4');
             delete from text_pools where text_content = 'moving'"
        ),
        move_on("select fold_account_counts(1), fold_pool_counts(1), fold_proxy_counts(1), mark_duplicates(1)"),
        look,
    );
    assert!(
        states.min(models).min(holds).min(uses).min(pools).min(folds) > 3,
        "{states} {models} {holds} {uses} {pools} {folds}"
    );
}

#[tokio::test]
async fn all_checks_see_the_moment_at_which_the_examination_began() {
    let app = lively().await;
    let actor = app.owner_actor();
    let mut tx = app.app.db.begin_snapshot(&actor).await.expect("a transaction");
    superuser(&app, "update models set total_accounts = 100").await;
    let findings = doctor::examine(&mut tx, &actor).await.expect("an examination");
    assert_eq!(
        findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(),
        ["settings"]
    );
    let refused = tx
        .execute("update models set total_accounts = 0")
        .await
        .expect_err("it only reads");
    assert!(refused.to_string().contains("read-only"), "{refused}");
}
