//! Every screen with the demo's data: it loads without a complaint, in every window and colour. With MUSTER_SCREENSHOTS set
//! each is written to target/screenshots, to be looked at.

use std::{fs, path::Path};

use muster_wire::Role;
use sqlx::Executor;

use crate::support::{
    TestApp,
    browser::{Page, Window},
    hostile,
};

/// Screens by the name of their picture. A path in braces is that of the first link on the screen before which begins so; one after a
/// plus is below the screen before.
const SCREENS: &[(&str, &str)] = &[
    ("sign-in", "/sign-in"),
    ("today", "/"),
    ("accounts", "/accounts"),
    ("account", "{/accounts/}"),
    ("batches", "/batches"),
    ("batch", "{/batches/}"),
    ("batch-undo", "+/undo"),
    ("batch-asked", "/batches/new?event=flag&of=all&filter=model%3A1"),
    ("warm-up", "/warm-up"),
    ("my-steps", "/steps"),
    ("reviews", "/reviews"),
    ("profile", "/profile"),
    ("second-factor", "/profile/second-factor"),
    ("recovery-codes", "/profile/recovery-codes"),
    ("metrics", "/daily-metrics"),
    ("models", "/models"),
    ("bots", "/bots"),
    ("bot", "{/bots/}"),
    ("tokens", "/tokens"),
    ("token-new", "/tokens/new"),
    ("audit", "/audit"),
    ("people", "/operators"),
    ("person", "{/operators/}"),
    ("administration", "/administration"),
    ("keys", "/administration/keys"),
    ("health", "/administration/health?examine=now"),
    ("content", "/content"),
    ("pictures", "/content/pictures"),
    ("picture", "{/content/pictures/}"),
    ("texts", "/content/texts"),
    ("text", "{/content/texts/}"),
    ("picture-new", "/content/pictures/new"),
    ("imports", "/imports"),
    ("import", "{/imports/}"),
    ("import-new", "/imports/new?kind=accounts"),
    ("proxy-new", "/proxies/new"),
    ("proxies", "/proxies"),
    ("proxy", "{/proxies/}"),
];

/// The address of a screen, from the page that is open.
async fn address(page: &Page, path: &str) -> String {
    if let Some(below) = path.strip_prefix('+') {
        return page.at().await + below;
    }
    let Some(start) = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')) else {
        return path.to_owned();
    };
    let link = format!(
        "document.querySelector('main a[href^=\"{start}\"]:not([href$=\"/new\"])').getAttribute('href')"
    );
    page.eval(&link).await.as_str().expect("a link").to_owned()
}

/// Puts hostile texts into every column of every tenant's table that takes them: of text, and of JSON that people are shown.
const SPOIL: &str = "
    do $do$
    declare
        item record;
    begin
        for item in
            select c.oid::regclass as relation, a.attname as name, a.atttypid = 'jsonb'::regtype as json
            from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                and c.relname not in ('tenant_keys', 'sessions', 'lifecycle_transitions', '_sqlx_migrations')
                -- Words of ours, which nobody writes, and addresses, of which only http: and https: are taken in.
                and a.attname not in ('event', 'from_state', 'to_state', 'image_url', 'profile_picture_url')
                and (a.atttypid = 'text'::regtype
                    or a.attname in ('before', 'after', 'instagram_response', 'metadata') and a.atttypid = 'jsonb'::regtype)
        loop
            begin
                execute format(
                    'update %s t set %I = %s from (
                        select ctid, tableoid, left(texts.t[1 + row_number() over () %% 200], 50) as text
                        from %s, (select t from texts) texts
                    ) u where t.ctid = u.ctid and t.tableoid = u.tableoid and t.%I is not null',
                    item.relation, item.name, case when item.json then 'jsonb_build_object(u.text, u.text)' else 'u.text' end,
                    item.relation, item.name);
            exception when others then
                -- What is stored there is checked, and not free.
            end;
        end loop;
    end
    $do$";

#[tokio::test]
async fn no_text_is_taken_for_anything_else_on_any_screen() {
    let app = TestApp::start().await;
    app.showcase().await;
    let mut db = app.superuser().await;
    sqlx::query("create temporary table texts as select $1::text[] as t")
        .bind(hostile::texts())
        .execute(&mut db)
        .await
        .expect("they are known");
    db.execute(SPOIL).await.expect("they are stored");
    // It can be seen that they are there.
    for column in [
        "models.name",
        "models.description",
        "bots.name",
        "proxies.provider",
        "accounts.bio",
        "model_content.text_content",
        "text_pools.text_content",
        "operators.name",
        "audit_log.action",
    ] {
        let (table, column) = column.split_once('.').expect("a column");
        let spoiled = format!("select 1 from {table} where {column} ~ 'pwned|drop table|7|evil' limit 1");
        assert_eq!(app.look(spoiled).await.as_deref(), Some("1"), "{table}.{column}");
    }
    let page = Page::signed_in(&app, Role::Owner).await;
    for (name, path) in SCREENS {
        let path = address(&page, path).await;
        page.open(&path).await;
        assert_eq!(page.eval(hostile::HARMLESS).await, true, "{name}");
    }
    page.close().await;
}

#[tokio::test]
async fn every_screen_loads_with_the_demos_data() {
    let app = TestApp::start().await;
    app.showcase().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
    let taken = std::env::var_os("MUSTER_SCREENSHOTS").is_some();
    if taken {
        fs::create_dir_all(&folder).expect("a folder");
    }
    let page = Page::signed_in(&app, Role::Owner).await;
    let mut open: Vec<String> = muster::console::SCREENS
        .iter()
        .flat_map(|(_, screens)| *screens)
        .map(|screen| screen.path.to_owned())
        .collect();
    for (name, path) in SCREENS {
        let path = address(&page, path).await;
        open.retain(|screen| *screen != path);
        for (window, wide) in [(Window::Desktop, "wide"), (Window::Phone, "narrow")] {
            page.window(window).await;
            for (dark, colour) in [(false, "light"), (true, "dark")] {
                if !taken && (dark || wide == "narrow") {
                    continue;
                }
                page.dark(dark).await;
                page.open(&path).await;
                let picture = page.screenshot(wide == "narrow").await;
                if taken {
                    fs::write(folder.join(format!("{name}-{wide}-{colour}.png")), picture)
                        .expect("it is written");
                }
            }
        }
        page.window(Window::Desktop).await;
        page.dark(false).await;
        page.open(&path).await;
        page.is_small().await;
    }
    assert!(
        open.is_empty(),
        "no picture is taken of {open:?}: add them to SCREENS here"
    );
    page.close().await;
}
