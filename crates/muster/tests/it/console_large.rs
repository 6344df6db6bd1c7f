//! The screens, among two hundred thousand accounts, and in the long form among a million: each is a small page, and touches few
//! buffers of the database.

use std::{collections::BTreeSet, time::Instant};

use muster_wire::Role;
use reqwest::Method;

use crate::{
    plans::{BUFFERS_EXCEPTED, Large, PAGE_BUFFERS_MAX, examine, log_end},
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

/// Opens each screen, and notes which is too large, reads a table whole or touches many buffers.
pub async fn screens(app: &TestApp, large: &Large, faults: &mut BTreeSet<String>) {
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    for screen in SCREENS {
        let places = [
            ("MODEL", "12"),
            ("PROXY", "61"),
            ("IMPORT", "2"),
            ("ACCOUNT", "4205"),
        ];
        let screen = places.iter().fold((*screen).to_owned(), |screen, (word, id)| {
            screen.replace(word, id)
        });
        let (path, filter) = screen.split_once("?filter=").unwrap_or((&screen, ""));
        let mut request = browser
            .request(Method::GET, path)
            .header("cookie", &cookie)
            .header("accept", "text/html");
        if !filter.is_empty() {
            request = request.query(&[("filter", filter)]);
        }
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
