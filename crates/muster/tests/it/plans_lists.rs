//! The lists that are opened where statements are looked at among two hundred thousand accounts: see `plans.rs`.

use reqwest::Method;

use crate::support::Caller;

/// Lists and what they are filtered by; the words in capitals stand for ids.
pub const LISTS: &[&str] = &[
    "/v1/today",
    "/v1/metrics",
    "/v1/metrics?model_id=MODEL",
    "/v1/accounts",
    "/v1/accounts?filter=ab",
    "/v1/accounts?filter=ab1 state:warming_up",
    "/v1/accounts?filter=nobody",
    "/v1/accounts?filter=state:imported",
    "/v1/accounts?filter=state:warming_up",
    "/v1/accounts?filter=state:warming_up stuck:>2d",
    "/v1/accounts?filter=state:warming_up stuck:<1h",
    "/v1/accounts?filter=state:imported stuck:>20d",
    "/v1/accounts?filter=stuck:>20d",
    "/v1/accounts?filter=status:banned",
    "/v1/accounts?filter=status:banned state:imported",
    "/v1/accounts?filter=status:active",
    "/v1/accounts?filter=model:MODEL",
    "/v1/accounts?filter=model:MODEL state:warming_up",
    "/v1/accounts?filter=model:MODEL state:imported",
    "/v1/accounts?filter=model:MODEL state:active status:suspended",
    "/v1/accounts?filter=model:MODEL hold:no_model",
    "/v1/accounts?filter=model:none",
    "/v1/accounts?filter=model:none state:active",
    "/v1/accounts?filter=proxy:PROXY",
    "/v1/accounts?filter=proxy:none",
    "/v1/accounts?filter=step:3",
    "/v1/accounts?filter=step:3 state:warming_up",
    "/v1/accounts?filter=review:yes",
    "/v1/accounts?filter=review:yes model:MODEL",
    "/v1/accounts?filter=review:no",
    "/v1/accounts?filter=authorisation:none",
    "/v1/accounts?filter=authorisation:lapsed",
    "/v1/accounts?filter=authorisation:lapsed state:warming_up",
    "/v1/accounts?filter=authorisation:<30d",
    "/v1/accounts?filter=authorisation:>300d",
    "/v1/accounts?filter=hold:none",
    "/v1/accounts?filter=hold:pool_empty",
    "/v1/accounts?filter=hold:pool_empty state:warming_up",
    "/v1/accounts?filter=hold:proxy_not_active model:MODEL",
    "/v1/accounts?filter=hold:authorisation_lapsed",
    "/v1/reviews",
    "/v1/reviews?filter=kind:flagged",
    "/v1/reviews?filter=model:MODEL",
    "/v1/reviews?filter=kind:escalated model:MODEL stuck:>2d",
    "/v1/reviews?filter=hold:none",
    "/v1/proxies",
    "/v1/proxies?filter=status:error",
    "/v1/proxies?filter=model:MODEL",
    "/v1/proxies?filter=model:none room:no",
    "/v1/proxies?filter=provider:nobody",
    "/v1/proxies?filter=location:\"city 7\" status:inactive",
    "/v1/proxies?filter=gate7",
    "/v1/proxies?filter=room:yes nowhere",
    "/v1/proxies/capacity",
    "/v1/content/coverage",
    "/v1/content",
    "/v1/content?filter=model:MODEL type:story",
    "/v1/content?filter=type:pfp unused:yes",
    "/v1/content?filter=template:yes",
    "/v1/content?filter=nothing",
    "/v1/texts",
    "/v1/texts?filter=model:MODEL type:bio",
    "/v1/texts?filter=type:bio template:yes",
    "/v1/texts?filter=nothing",
    "/v1/audit",
    "/v1/audit?filter=object:account:ACCOUNT",
    "/v1/audit?filter=action:proxy",
    "/v1/audit?filter=action:nothing",
    "/v1/audit?filter=actor:operator:1007 since:<2d",
    "/v1/audit?filter=request:00000000-0000-0000-0000-000000000007",
    "/v1/models",
    "/v1/models?filter=model status:active",
    "/v1/bots",
    "/v1/tokens",
    "/v1/tokens?filter=kind:bot state:expired",
    "/v1/operators",
    "/v1/imports",
    "/v1/imports?filter=kind:texts state:staged",
    "/v1/imports/IMPORT/rows",
    "/v1/imports/IMPORT/rows?filter=verdict:rejected",
    "/v1/accounts/ACCOUNT/history",
    "/v1/accounts/ACCOUNT/attempts",
    "/v1/accounts/ACCOUNT/authorisations",
];

/// Lists that are counted too.
const COUNTED: &[&str] = &["/v1/accounts", "/v1/reviews"];

/// Calls a list, goes on twice, and counts.
pub async fn browse(caller: &Caller, list: &str) {
    let (path, filter) = list.split_once("?filter=").unwrap_or((list, ""));
    let get = async |path: &str, query: &[(&str, &str)]| {
        let request = caller.request(Method::GET, path).query(query);
        caller.send(request).await.expect(200)
    };
    let mut cursor = None::<String>;
    for _ in 0..3 {
        let mut query = vec![("filter", filter)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        query.retain(|(_, value)| !value.is_empty());
        let page = get(path, &query).await;
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if COUNTED.contains(&path) {
        get(&format!("{path}/count"), &[("filter", filter)]).await;
    }
}
