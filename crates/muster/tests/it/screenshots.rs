//! Every screen with the demo's data: it loads without a complaint, in every window and colour. With MUSTER_SCREENSHOTS set
//! each is written to target/screenshots, to be looked at.

use std::{fs, path::Path};

use muster_wire::Role;

use crate::support::{
    TestApp,
    browser::{Page, Window},
};

/// Screens by the name of their picture. A path in braces is that of the first link on the screen before which begins so.
const SCREENS: &[(&str, &str)] = &[
    ("sign-in", "/sign-in"),
    ("today", "/"),
    ("accounts", "/accounts"),
    ("account", "{/accounts/}"),
    ("batches", "/batches"),
    ("batch", "{/batches/}"),
    ("batch-asked", "/batches/new?event=flag&of=all&filter=model%3A1"),
    ("warm-up", "/warm-up"),
    ("my-steps", "/steps"),
    ("reviews", "/reviews"),
    ("profile", "/profile"),
    ("second-factor", "/profile/second-factor"),
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
        let path = match path.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            Some(start) => {
                let link = format!(
                    "document.querySelector('main a[href^=\"{start}\"]:not([href$=\"/new\"])').getAttribute('href')"
                );
                page.eval(&link).await.as_str().expect("a link").to_owned()
            }
            None => (*path).to_owned(),
        };
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
