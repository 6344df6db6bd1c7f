//! The screens, among two hundred thousand accounts, and in the long form among a million: each is a small page, and touches few
//! buffers of the database.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use muster_wire::Role;
use reqwest::{Method, RequestBuilder};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

use crate::{
    plans::{BUFFERS_EXCEPTED, Large, PAGE_BUFFERS_MAX, Places, examine, log_end},
    support::{Caller, TestApp},
};

/// The screens that show what there is much of, and what a list of them is asked for.
const SCREENS: &[&str] = &[
    "/",
    "/accounts",
    "/accounts?filter=state:warming_up stuck:>2d",
    "/accounts?filter=ab1 state:warming_up",
    "/accounts?filter=nobody",
    "/accounts/ACCOUNT",
    "/warm-up",
    "/steps",
    "/reviews",
    "/reviews?filter=kind:escalated model:MODEL stuck:>2d",
    "/models",
    "/proxies",
    "/proxies?filter=model:MODEL",
    "/proxies/PROXY",
    "/content",
    "/content/pictures",
    "/content/texts",
    "/imports",
    "/imports/IMPORT",
    "/daily-metrics",
    "/bots",
    "/tokens",
    "/audit",
    "/audit?filter=action:proxy",
    "/operators",
    "/batches",
    "/administration",
];

/// The bytes of a page, at most.
const PAGE_BYTES_MAX: usize = 100_000;

/// Statements of screens, by how they begin, whose buffers are bounded by something else than the accounts that there are.
const SCREENS_EXCEPTED: &[(&str, &str)] = &[
    (
        "-- Gives, for each step, the leases of a tenant",
        "counts the leases that are held now: no further than a thousand at a step",
    ),
    (
        "-- Gives the leases that a bot or an operator holds",
        "looks through the leases that are held now: as many as are worked at, however many accounts there are",
    ),
];

/// How often each screen is opened to see how long it takes; the quickest counts.
const TIMES_OPENED: usize = 10;

/// A screen takes no longer than its queries, so many times; where those take next to nothing, it may take this much more than they
/// do, which is the unoptimised server of tests.
const QUERIES_TIMES_MAX: f64 = 2.0;
const RENDERING_MS_MAX: u64 = 10;

/// A request of a browser for a screen.
fn asked(browser: &Caller, cookie: &str, screen: &str) -> RequestBuilder {
    let (path, filter) = screen.split_once("?filter=").unwrap_or((screen, ""));
    let request = browser
        .request(Method::GET, path)
        .header("cookie", cookie)
        .header("accept", "text/html");
    if filter.is_empty() {
        request
    } else {
        request.query(&[("filter", filter)])
    }
}

/// Opens each screen, and notes which is too large, reads a table whole or touches many buffers.
pub async fn screens(app: &TestApp, places: &Places, large: &Large, faults: &mut BTreeSet<String>) {
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    for screen in SCREENS {
        let screen = places.fill(screen);
        let request = asked(&browser, &cookie, &screen);
        let (from, began) = (log_end(), Instant::now());
        let page = browser.send(request).await.expect(200);
        let (took, bytes) = (began.elapsed(), page.as_str().expect("a page").len());
        println!("{:>5} ms {bytes:>6} bytes {screen}", took.as_millis());
        if bytes > PAGE_BYTES_MAX {
            faults.insert(format!("{screen}: {bytes} bytes"));
        }
        let mut whole = BTreeSet::new();
        for (statement, touched) in examine(large, from, &mut whole) {
            let excepted = BUFFERS_EXCEPTED
                .iter()
                .chain(SCREENS_EXCEPTED)
                .any(|(text, _)| statement.starts_with(text));
            if touched > PAGE_BUFFERS_MAX && !excepted {
                faults.insert(format!("{screen}: {touched} buffers: {statement}"));
            }
        }
        whole.retain(|fault| !SCREENS_EXCEPTED.iter().any(|(text, _)| fault.starts_with(text)));
        faults.extend(whole);
    }
}

/// Adds up for how long statements of this thread were waited for.
#[derive(Clone, Default)]
struct Waited(Arc<AtomicU64>);

impl Waited {
    /// How long since it was last asked.
    fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}

impl Visit for Waited {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            let nanos = Duration::from_secs_f64(value).as_nanos() as u64;
            self.0.fetch_add(nanos, Ordering::Relaxed);
        }
    }
}

impl<S: Subscriber> Layer<S> for Waited {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut self.clone());
        }
    }
}

/// Opens each screen often, and notes which takes much longer than its queries, as this process waits for them.
pub async fn slow(app: &TestApp, places: &Places, faults: &mut BTreeSet<String>) {
    let waited = Waited::default();
    let _watched = tracing::subscriber::set_default(tracing_subscriber::registry().with(waited.clone()));
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    println!("| Screen | Whole | Its queries | Times |\n| --- | ---: | ---: | ---: |");
    for screen in SCREENS {
        let (mut whole, mut queries) = (Duration::MAX, Duration::MAX);
        for _ in 0..TIMES_OPENED {
            waited.take();
            let began = Instant::now();
            browser
                .send(asked(&browser, &cookie, &places.fill(screen)))
                .await
                .expect(200);
            whole = whole.min(began.elapsed());
            queries = queries.min(waited.take());
        }
        let times = whole.as_secs_f64() / queries.as_secs_f64();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "| `{screen}` | {:.1} ms | {:.1} ms | {times:.2} |",
            ms(whole),
            ms(queries)
        );
        if times > QUERIES_TIMES_MAX && whole > queries + Duration::from_millis(RENDERING_MS_MAX) {
            faults.insert(format!("{screen}: takes {times:.2} times as long as its queries"));
        }
    }
}
