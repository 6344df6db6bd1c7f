//! What the catalogue must look like for tenants to be kept apart: row-level security, policies, keys, grants, functions.

use sqlx::PgConnection;

use crate::{isolation::SCHEDULER_SEES, support::CLUSTER};

/// Tables without a tenant, and why that is right.
const WITHOUT_TENANT: &[(&str, &str)] = &[
    ("_sqlx_migrations", "which migrations were made"),
    ("backup_runs", "the server's, written by the superuser"),
    ("lifecycle_transitions", "the same for all, written by migrate"),
    (
        "operators",
        "a person may belong to several tenants; seen through their memberships",
    ),
    ("retention", "the server's, written by what drops partitions"),
    ("tenants", "its id is the tenant"),
];

/// Keys and unique indexes without the tenant, and why that is right.
const KEYS_WITHOUT_TENANT: &[(&str, &str)] = &[
    ("_sqlx_migrations_pkey", "no tenant's"),
    ("backup_runs_pkey", "no tenant's"),
    (
        "lifecycle_transitions_from_state_to_state_warmup_complete_key",
        "no tenant's",
    ),
    ("lifecycle_transitions_pkey", "no tenant's"),
    ("memberships_operator_id_fkey", "operators have no tenant"),
    (
        "operators_email_key",
        "a person is one operator; found only by the function that signs in",
    ),
    ("operators_pkey", "operators have no tenant"),
    ("retention_pkey", "no tenant's"),
    ("tenants_name_key", "only the owner's role makes tenants"),
    ("tenants_pkey", "its id is the tenant"),
];

/// Indexes that do not begin with the tenant, and why that is right.
const INDEXES_WITHOUT_TENANT: &[(&str, &str)] = &[
    ("backup_runs_last", "no tenant's"),
    ("batches_due", "the timer begins what is due in any tenant"),
    ("idempotency_keys_age", "what is too old is deleted by age"),
    ("idx_state_history_created_at", "BRIN, on the order of arrival"),
    ("idx_warmup_logs_started_at", "BRIN, on the order of arrival"),
];

/// Functions that run as their owner; each says in its file why it must.
const DEFINER_FUNCTIONS: &[&str] = &[
    "add_member(text,text,text)",
    "drop_partitions(integer)",
    "make_partitions(integer)",
    "may_set_password(bigint)",
    "my_tenants()",
    "sign_in(text)",
];

/// Policies beside the one that every table with a tenant has.
const FURTHER_POLICIES: &[&str] = &[
    "account_count_changes scheduler r {muster_scheduler} true -",
    "attempt_count_changes scheduler r {muster_scheduler} true -",
    "backup_runs everyone r {muster_app,muster_owner} true -",
    "batches scheduler r {muster_scheduler} (state = ANY (ARRAY['waiting'::text, 'running'::text])) -",
    "content_uses scheduler r {muster_scheduler} true -",
    "fingerprint_changes scheduler r {muster_scheduler} true -",
    "lifecycle_transitions everyone r {muster_app,muster_owner} true -",
    "lifecycle_transitions owner * {muster_owner} true true",
    "memberships owner r {muster_owner} true -",
    "operators colleague * {muster_app} MEMBERS MEMBERS",
    "operators owner * {muster_owner} true true",
    "pool_count_changes scheduler r {muster_scheduler} true -",
    "proxy_count_changes scheduler r {muster_scheduler} true -",
    "retention everyone r {muster_app} true -",
    "retention owner * {muster_owner} true true",
    "tenants owner r {muster_owner} true -",
    "tenants scheduler r {muster_scheduler} true -",
    "work_queue scheduler r {muster_scheduler} (state = 'leased'::text) -",
];

/// What happened is not changed: these can be read and added to.
const APPEND_ONLY: &[&str] = &[
    "account_notes",
    "account_state_history",
    "audit_log",
    "authorisations",
    "warmup_step_logs",
];

async fn texts(db: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql)
        .fetch_all(db)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn names<'a>(list: &[(&'a str, &str)]) -> Vec<&'a str> {
    list.iter().map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn every_table_and_partition_has_forced_row_level_security() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let open = texts(
        &mut db,
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
             and relname <> '_sqlx_migrations' and not (relrowsecurity and relforcerowsecurity)",
    )
    .await;
    assert!(
        open.is_empty(),
        "without forced row-level security: {open:?}; migrate does it for tables it knows of"
    );
    let without = texts(
        &mut db,
        "select relname::text from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
             and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull)
         order by 1",
    )
    .await;
    assert_eq!(
        without,
        names(WITHOUT_TENANT),
        "every other table has tenant_id, not null"
    );
    let first = texts(
        &mut db,
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum <> 1",
    )
    .await;
    assert!(first.is_empty(), "tenant_id comes first: {first:?}");
}

#[tokio::test]
async fn policies_have_the_one_shape_and_partitions_have_none() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let mut policies = texts(
        &mut db,
        "select concat_ws(' ', c.relname, p.polname, p.polcmd,
             array(select rolname from pg_roles where oid = any (p.polroles) order by 1)::text,
             coalesce(pg_get_expr(p.polqual, c.oid), '-'), coalesce(pg_get_expr(p.polwithcheck, c.oid), '-'))
             || case when p.polpermissive then '' else ' restrictive' end
         from pg_policy p join pg_class c on c.oid = p.polrelid",
    )
    .await;
    for policy in &mut policies {
        let setting = "( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS \"nullif\")";
        let members = "(EXISTS ( SELECT FROM memberships m WHERE (m.operator_id = operators.id)))";
        let one_line = policy.split_whitespace().collect::<Vec<_>>().join(" ");
        *policy = one_line.replace(setting, "SETTING").replace(members, "MEMBERS");
    }
    policies.sort();
    let tables = texts(
        &mut db,
        "select relname::text from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
             and not relispartition and (relname = 'tenants' or exists (
                 select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'))",
    )
    .await;
    let mut expected: Vec<_> = tables
        .iter()
        .map(|table| {
            let column = if table == "tenants" { "id" } else { "tenant_id" };
            format!("{table} tenant * {{muster_app,muster_owner}} ({column} = SETTING) ({column} = SETTING)")
        })
        .chain(FURTHER_POLICIES.iter().map(|&policy| policy.to_owned()))
        .collect();
    expected.sort();
    assert_eq!(
        policies, expected,
        "policies are written in always/80_policies.sql; further ones are listed in this file"
    );
}

#[tokio::test]
async fn every_key_and_index_has_the_tenant_first() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let keys = texts(
        &mut db,
        "select c.conname::text from pg_constraint c
         where c.connamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'f') and c.conparentid = 0
             and not (
                 exists (select from pg_attribute a
                     where a.attrelid = c.conrelid and a.attnum = c.conkey[1] and a.attname = 'tenant_id')
                 and (c.contype <> 'f' or c.confrelid = 'tenants'::regclass or exists (select from pg_attribute a
                     where a.attrelid = c.confrelid and a.attnum = c.confkey[1] and a.attname = 'tenant_id')))
         order by 1",
    )
    .await;
    assert_eq!(
        keys,
        names(KEYS_WITHOUT_TENANT),
        "any other key begins with tenant_id, on both sides of a reference"
    );
    let indexes = texts(
        &mut db,
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
             and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
             and not exists (select from pg_attribute a
                 where a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attname = 'tenant_id')
         order by 1",
    )
    .await;
    assert_eq!(
        indexes,
        names(INDEXES_WITHOUT_TENANT),
        "any other index begins with tenant_id"
    );
}

#[tokio::test]
async fn nothing_in_the_schema_goes_round_the_policies() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let views = texts(
        &mut db,
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace
             and (relkind = 'm' or (relkind = 'v' and not coalesce(reloptions, '{}') @> '{security_invoker=true}'))",
    )
    .await;
    assert!(
        views.is_empty(),
        "show all tenants: {views:?}; make them `with (security_invoker = true)`"
    );
    let definers = texts(
        &mut db,
        "select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace and prosecdef order by 1",
    )
    .await;
    assert_eq!(
        definers, DEFINER_FUNCTIONS,
        "functions that run as their owner are listed in this file"
    );
    let loose = texts(
        &mut db,
        "select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace and prosecdef
             and not coalesce(proconfig, '{}') @> array['search_path=public, pg_temp']",
    )
    .await;
    assert!(
        loose.is_empty(),
        "run as their owner with a search_path of the caller: {loose:?}"
    );
}

#[tokio::test]
async fn the_serving_roles_own_nothing_and_have_named_grants_only() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let above = texts(
        &mut db,
        "select rolname::text from pg_roles where rolname in ('muster_app', 'muster_scheduler')
             and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
                 or exists (select from pg_auth_members m where m.member = pg_roles.oid))",
    )
    .await;
    assert!(above.is_empty(), "{above:?}");
    let owned = texts(
        &mut db,
        "select pg_describe_object(classid, objid, objsubid) from pg_shdepend
         where deptype = 'o' and refobjid in ('muster_app'::regrole, 'muster_scheduler'::regrole)",
    )
    .await;
    assert!(owned.is_empty(), "owned by a serving role: {owned:?}");

    // The whole list of grants is in schema.sql, where every change of it shows; here is what none of them may be.
    let wrong = texts(
        &mut db,
        "select c.relname || ' ' || a.privilege_type || ' to ' || coalesce(r.rolname, 'public')
         from pg_class c cross join aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
             and coalesce(r.rolname, 'public') <> 'muster_owner'
             and (c.relispartition or r.rolname is distinct from 'muster_app' or a.is_grantable
                 or a.privilege_type not in ('SELECT', 'INSERT', 'DELETE'))",
    )
    .await;
    assert!(
        wrong.is_empty(),
        "grants are select, insert, delete, update of named columns, to muster_app: {wrong:?}"
    );
    let columns = texts(
        &mut db,
        "select c.relname || '.' || t.attname || ' ' || a.privilege_type || ' to ' || r.rolname
         from pg_attribute t join pg_class c on c.oid = t.attrelid cross join aclexplode(t.attacl) a
         join pg_roles r on r.oid = a.grantee
         where c.relnamespace = 'public'::regnamespace
             and (c.relispartition or t.attname in ('tenant_id', 'id') and a.privilege_type <> 'SELECT'
                 or r.rolname = 'muster_scheduler' and a.privilege_type <> 'SELECT' or r.rolname not like 'muster%')",
    )
    .await;
    assert!(
        columns.is_empty(),
        "a row stays with its tenant, and the timer's role only reads: {columns:?}"
    );
    let changeable = texts(
        &mut db,
        "select distinct c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and not has_any_column_privilege('muster_app', c.oid, 'update') and has_table_privilege('muster_app', c.oid, 'insert')
             and not has_table_privilege('muster_app', c.oid, 'delete')
         order by 1",
    )
    .await;
    assert_eq!(
        changeable, APPEND_ONLY,
        "what happened can be read and added to, never changed"
    );
    let scheduler = texts(
        &mut db,
        "select c.relname || '.' || t.attname from pg_attribute t join pg_class c on c.oid = t.attrelid
         where c.relnamespace = 'public'::regnamespace and t.attnum > 0
             and has_column_privilege('muster_scheduler', c.oid, t.attnum, 'select') order by c.relname, t.attnum",
    )
    .await;
    let mut expected: Vec<_> = SCHEDULER_SEES
        .iter()
        .flat_map(|(table, columns, _)| columns.iter().map(move |column| format!("{table}.{column}")))
        .collect();
    let mut sorted = scheduler.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected, "the columns that the timer's role reads");
    let functions = texts(
        &mut db,
        "select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace
             and (has_function_privilege('muster_scheduler', oid, 'execute')
                 or proacl is null or exists (select from aclexplode(proacl) a where a.grantee = 0)) order by 1",
    )
    .await;
    assert_eq!(
        functions,
        ["drop_partitions(integer)", "make_partitions(integer)"],
        "no other function is the scheduler's or everybody's to call"
    );
}
