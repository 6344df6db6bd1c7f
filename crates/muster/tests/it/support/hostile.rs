//! Requests as an attacker or a broken program makes them. Whatever comes in, the answer is a problem that names the
//! fault: never a 5xx, and never as if nothing were wrong.
//!
//! Each function takes an endpoint and, where it has one, a body that the endpoint accepts; the hostile requests are
//! made from these.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Caller};

/// Ids in a path that are nobody's.
const IDS: &[&str] = &[
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "abc",
    "1.5",
    "1e3",
    "%00",
    "%FF",
    "%27",
    "null",
];

/// Query strings that no list accepts, and what the fault points at.
const QUERIES: &[(&str, &str)] = &[
    ("limit=0", "limit"),
    ("limit=501", "limit"),
    ("limit=-1", "query"),
    ("limit=abc", "query"),
    ("limit=99999999999999999999", "query"),
    ("limit=1&limit=2", "query"),
    ("colour=red", "query"),
    ("cursor=rubbish", "cursor"),
    ("cursor=MTphYmM", "cursor"), // 1:abc
    ("cursor=Mjo1", "cursor"),    // 2:5
    ("cursor=%00", "cursor"),
    ("filter=colour:red", "filter"),
    ("filter=%22open", "filter"),
];

/// Texts that are something else to whoever takes them for markup, an address, a template or a statement.
pub const TEXTS: [&str; 20] = [
    "<script>window.pwned = 1</script>",
    "\"><img src=x onerror=window.pwned=1 data-pwned>",
    "'><svg/onload=window.pwned=1 data-pwned>",
    "</textarea><b data-pwned>x</b>",
    "</title><b data-pwned>x</b>",
    "</option></select><b data-pwned>x</b>",
    "<!-- <b data-pwned>",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }}{% include 'x' %}",
    "&lt;b data-pwned&gt;&amp;",
    "\u{202e}txet\u{202c} \u{200b}\u{feff}",
    "%3Cb%20data-pwned%3E",
    "` onmouseover=window.pwned=1 data-pwned `",
    "]]><b data-pwned>",
    "'; drop table accounts; --",
    "\u{1f468}\u{200d}\u{1f469} ﷽ Z͑ͫ̓ͪ̂ͫ̽",
    "\" autofocus onfocus=window.pwned=1 data-pwned x=\"",
    "<a href=\"javascript:window.pwned=1\" data-pwned>x</a>",
    "<form action=//evil.example data-pwned>",
    "<meta http-equiv=refresh content=0;url=//evil.example data-pwned>",
];
/// What such a text may stand between.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("a", "z"),
    (" ", "."),
    ("<", ">"),
    ("\"", "\""),
    ("'", "'"),
    ("&", ";"),
    ("<b>", "</b>"),
    ("{", "}"),
    ("\\", "/"),
];

/// Two hundred of them, all different.
pub fn texts() -> Vec<String> {
    let between = |(before, after): &(&str, &str)| TEXTS.map(|text| format!("{before}{text}{after}"));
    AROUND.iter().flat_map(between).collect()
}

/// An expression that says whether a page took none of them for anything but text.
pub const HARMLESS: &str = "window.pwned === undefined && !document.querySelector('[data-pwned]') \
    && ![...document.querySelectorAll('[href], [src], [action]')].some((e) => /^\\s*(javascript:|(https?:)?\\/\\/evil)/i.test(
        e.getAttribute('href') ?? e.getAttribute('src') ?? e.getAttribute('action')))";

async fn refused(caller: &Caller, request: RequestBuilder, status: u16, what: &str) -> Answer {
    let answer = caller.send(request).await;
    assert_eq!(answer.status.as_u16(), status, "{what}: {:#}", answer.body);
    assert_eq!(
        answer.headers["content-type"], "application/problem+json",
        "{what}"
    );
    for field in ["code", "detail", "title", "request_id"] {
        let text = answer.body[field].as_str().unwrap_or_default();
        assert!(
            !text.is_empty(),
            "{what}: the problem has no {field}: {:#}",
            answer.body
        );
    }
    answer
}

fn points_at(answer: &Answer, pointer: &str, what: &str) {
    let faults = answer.body["errors"].as_array().cloned().unwrap_or_default();
    assert!(
        faults.iter().any(|fault| fault["pointer"] == pointer),
        "{what}: no fault points at {pointer}: {:#}",
        answer.body
    );
}

/// A list refuses limits, cursors, filters and parameters that it does not know, and says which.
pub async fn list(caller: &Caller, path: &str) {
    for (query, pointer) in QUERIES {
        let what = format!("GET {path}?{query}");
        let answer = refused(
            caller,
            caller.request(Method::GET, &format!("{path}?{query}")),
            422,
            &what,
        )
        .await;
        points_at(&answer, pointer, &what);
    }
    for filter in ["a%00b".to_owned(), "x".repeat(1001)] {
        let request = caller.request(Method::GET, &format!("{path}?filter={filter}"));
        refused(
            caller,
            request,
            422,
            &format!("GET {path} with a filter that cannot be"),
        )
        .await;
    }
}

/// An endpoint with `{id}` in its path answers for the ids of others as for those of nobody. `foreign` is a thing of
/// another tenant; `body` is one that the endpoint accepts.
pub async fn ids(caller: &Caller, method: Method, path: &str, body: Option<&Value>, foreign: i64) {
    let foreign = foreign.to_string();
    let mut answers = Vec::new();
    for id in IDS.iter().copied().chain([foreign.as_str()]) {
        let mut request = caller.request(method.clone(), &path.replace("{id}", id));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = refused(caller, request, 404, &format!("{method} {path} with {id}")).await;
        answers.push((id, answer.body));
    }
    let told = |body: &Value| (body["code"].clone(), body["detail"].clone());
    let nobodys = told(&answers[0].1);
    let (_, foreign) = answers.last().expect("the last one is the foreign one");
    assert_eq!(
        told(foreign),
        nobodys,
        "{method} {path} tells another tenant's ids from unknown ones"
    );
}

/// An endpoint refuses whatever is not the JSON object it wants: other media types, broken and oversized bodies, wrong
/// types, unknown fields, and texts that cannot be stored. `valid` is a body that it accepts, with every field.
pub async fn body(caller: &Caller, method: Method, path: &str, valid: &Value) {
    let request = || caller.request(method.clone(), path);
    let what = |case: &str| format!("{method} {path}: {case}");
    let json = valid.to_string();

    refused(caller, request().body(json.clone()), 415, &what("no media type")).await;
    let plain = request().header("content-type", "text/plain").body(json.clone());
    refused(caller, plain, 415, &what("text/plain")).await;

    let send = |bytes: Vec<u8>| request().header("content-type", "application/json").body(bytes);
    for broken in ["", "{", "nul", "{'a': 1}", "\u{feff}{}", &json[..json.len() - 1]] {
        refused(
            caller,
            send(broken.into()),
            400,
            &what(&format!("{broken:?} is not JSON")),
        )
        .await;
    }
    refused(
        caller,
        send(format!("{json} {json}").into()),
        400,
        &what("two values"),
    )
    .await;
    refused(
        caller,
        send("[".repeat(100_000).into()),
        422,
        &what("100,000 brackets"),
    )
    .await;
    refused(caller, send(vec![b' '; 3 << 20]), 413, &what("3 MB")).await;
    for wrong in ["null", "1", "\"text\"", "true", "[]", " [{}]"] {
        refused(
            caller,
            send(wrong.into()),
            422,
            &what(&format!("{wrong} is no object")),
        )
        .await;
    }

    let values: Vec<_> = valid
        .as_object()
        .expect("a valid body is an object")
        .values()
        .collect();
    refused(
        caller,
        request().json(&values),
        422,
        &what("the values without their names"),
    )
    .await;
    let fields = valid.as_object().expect("a valid body is an object");
    let with = |field: &str, value: Value| {
        let mut changed = fields.clone();
        changed.insert(field.to_owned(), value);
        Value::Object(changed)
    };
    refused(
        caller,
        request().json(&with("no_such_field", json!(1))),
        422,
        &what("an unknown field"),
    )
    .await;
    for (field, value) in fields {
        let pointer = format!("/{field}");
        for wrong in others(value) {
            let case = what(&format!("{field} is {wrong}"));
            let answer = refused(caller, request().json(&with(field, wrong)), 422, &case).await;
            let faults = answer.body["errors"].to_string();
            assert!(
                faults.contains(&pointer),
                "{case}: no fault points there: {faults}"
            );
        }
        if value.is_string() {
            let case = what(&format!("a NUL in {field}"));
            let answer = refused(caller, request().json(&with(field, json!("a\0b"))), 422, &case).await;
            points_at(&answer, &pointer, &case);
            let mark = with(field, json!("MARK")).to_string();
            let case = what(&format!("{field} is not UTF-8"));
            refused(caller, send(replaced(&mark, b"\xff\xfe")), 400, &case).await;
            let case = what(&format!("{field} is half a surrogate pair"));
            refused(caller, send(replaced(&mark, br"\ud800")), 400, &case).await;
            let case = what(&format!("{field} has a million characters"));
            let answer = refused(
                caller,
                request().json(&with(field, json!("x".repeat(1 << 20)))),
                422,
                &case,
            )
            .await;
            points_at(&answer, &pointer, &case);
        }
    }
}

/// An endpoint refuses an `If-Match` that is no `ETag`, and one of another version.
pub async fn if_match(caller: &Caller, method: Method, path: &str, valid: Option<&Value>) {
    for (tag, status) in [("1", 422), ("\"x\"", 422), ("W/\"1\"", 422), ("\"1\"", 412)] {
        let mut request = caller.request(method.clone(), path).header("if-match", tag);
        if let Some(valid) = valid {
            request = request.json(valid);
        }
        refused(
            caller,
            request,
            status,
            &format!("{method} {path} with If-Match: {tag}"),
        )
        .await;
    }
}

/// Values of every type but that of `value`.
fn others(value: &Value) -> Vec<Value> {
    let all = [
        json!(true),
        json!(1.5),
        json!("text"),
        json!([[]]),
        json!({"a": 1}),
    ];
    all.into_iter()
        .filter(|other| std::mem::discriminant(other) != std::mem::discriminant(value))
        .chain(value.is_i64().then(|| json!(1.5)))
        .chain(value.is_i64().then(|| json!(u64::MAX)))
        .collect()
}

fn replaced(json: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = json.split_once("MARK").expect("the mark is there");
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}
