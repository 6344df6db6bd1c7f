//! What every handler needs to read a request and to answer it: strict bodies, list queries, row versions, and creates that
//! happen once.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_wire::{
    Filter,
    page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page},
    problem::{Fault, Problem},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams, PartialSchema,
    openapi::{
        ContentBuilder, RefOr, Required, ResponseBuilder,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    problem::{Failure, Kind, Refusal},
};

pub mod unread;

/// The largest body that is read, but for files that are imported.
pub const BODY_BYTES_MAX: usize = 2 << 20;

/// The problems that any endpoint can answer with, for its documentation.
#[derive(Debug)]
pub struct Problems;

impl utoipa::IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let problem = |status: &str, what: &str| {
            let content = ContentBuilder::new().schema(Some(Problem::schema())).build();
            let response = ResponseBuilder::new()
                .description(what)
                .content("application/problem+json", content)
                .build();
            (status.to_owned(), RefOr::T(response))
        };
        [
            problem("400", "The request cannot be read"),
            problem("401", "Not signed in"),
            problem("403", "Not allowed"),
            problem("404", "Not found"),
            problem("409", "Not possible as things are"),
            problem("412", "Changed since it was read"),
            problem("413", "Too large"),
            problem("415", "Media type not read here"),
            problem("422", "The request is not acceptable; each fault is listed"),
            problem("429", "Too many requests"),
            problem("503", "Not available now; nothing was done"),
            problem("504", "It may have been done, and it may not"),
        ]
        .into()
    }
}

/// The answer of a handler.
pub type Reply<T> = Result<Json<T>, Failure>;

/// A JSON body, read strictly: unknown fields, wrong types and anything that is not JSON are refused by name.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = read_json(request, state).await?;
        Ok(Self(parse(&bytes)?))
    }
}

async fn read_json<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    let json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(';')
                .next()
                .is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json"))
        });
    if !json {
        return Err(Refusal::new(
            Kind::MediaType,
            "not_json",
            "send the body as JSON, with Content-Type: application/json",
        )
        .into());
    }
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(_) => Refusal::new(
                Kind::TooLarge,
                "too_large",
                format!("a body has at most {BODY_BYTES_MAX} bytes"),
            )
            .into(),
            _ => Refusal::new(Kind::Malformed, "unreadable_body", "the body could not be read").into(),
        })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // Left alone, serde would take the values of a list for the fields of a struct, in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let fault = Fault::new("", "type", "expected an object: {...}");
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            Refusal::invalid(vec![Fault::new(pointer, "type", without_values(&inner))])
        } else {
            let detail = format!(
                "the body is not JSON: an error at line {} column {}",
                inner.line(),
                inner.column()
            );
            Refusal::new(Kind::Malformed, "not_json", detail)
        }
    })?;
    deserializer.end().map_err(|_| {
        Refusal::new(
            Kind::Malformed,
            "not_json",
            "the body holds more than one JSON value",
        )
    })?;
    Ok(read)
}

/// What serde says of a wrong type quotes the value, which could be a secret; the shape that was expected is enough. The
/// value comes first and may hold any words, so everything is looked for from the end.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let quotes = ["invalid ", "unknown variant "]
        .iter()
        .any(|start| text.starts_with(start));
    match text.rsplit_once(", expected ") {
        Some((_, expected)) if quotes => format!("expected {expected}"),
        None if quotes => "this is of another form than expected".to_owned(),
        _ => text.to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Enum { variant } => pointer.push_str(&format!("/{variant}")),
            Segment::Unknown => pointer.push_str("/?"),
        }
        pointer
    })
}

/// The id in a path; what is not a number is as unknown as a number that is nobody's.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T: From<i64> + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<i64>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(T::from(id))),
            Err(_) => Err(Refusal::not_found("thing: an id is a number").into()),
        }
    }
}

/// The query of a list, as it is written in the address.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Which items: qualifiers such as `status:active`, and words to look for.
    pub filter: Option<String>,
    /// Where the page begins: `next` of the page before.
    pub cursor: Option<String>,
    /// How many items at most, 1 to 500. A page may hold fewer although there are more: go on while there is `next`.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// A query string, read strictly.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let detail = rejection.body_text();
                let detail = detail.rsplit(": ").next().unwrap_or_default().to_owned();
                Err(Refusal::invalid(vec![Fault::new("query", "parameter", detail)]).into())
            }
        }
    }
}

/// A list query that has been read: the filter, the id after which the page begins, and its size.
#[derive(Debug)]
pub struct Listing {
    /// What to show; the list takes its qualifiers from it.
    pub filter: Filter,
    /// Only items after this key.
    pub after: Option<i64>,
    /// Items, at most.
    pub limit: i64,
}

impl ListQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// Faults of cursor and limit; those of the filter come from [`Filter::finish`].
    pub fn read(self) -> Result<Listing, Failure> {
        let mut faults = Vec::new();
        let limit = self.limit.unwrap_or(PAGE_ITEMS_DEFAULT);
        if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            faults.push(Fault::new(
                "limit",
                "range",
                format!("limit is from 1 to {PAGE_ITEMS_MAX}"),
            ));
        }
        let after = self.cursor.as_deref().and_then(|cursor| {
            let after = decode_cursor(cursor);
            if after.is_none() {
                faults.push(Fault::new(
                    "cursor",
                    "cursor",
                    "this is no cursor of this list: use next as it was given",
                ));
            }
            after
        });
        if !faults.is_empty() {
            return Err(Refusal::invalid(faults).into());
        }
        Ok(Listing {
            filter: Filter::parse(self.filter.as_deref().unwrap_or_default()),
            after,
            limit: i64::from(limit),
        })
    }
}

impl Listing {
    /// The first page of everything, as long as a page may be: for a choice among few.
    pub fn longest() -> Self {
        Self {
            filter: Filter::default(),
            after: None,
            limit: PAGE_ITEMS_MAX.into(),
        }
    }

    /// Makes the page of rows that were read with `limit + 1`, so that the last page is known to be the last.
    pub fn page<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> i64) -> Page<T> {
        let more = rows.len() as i64 > self.limit;
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let next = if more {
            rows.last().map(|row| encode_cursor(key(row)))
        } else {
            None
        };
        Page { items: rows, next }
    }

    /// How many rows to walk, at most. As many as the page holds, if that is more, so that it is full when all match.
    pub fn walked_max(&self) -> i64 {
        WALKED_MAX.max(self.fetch())
    }

    /// Makes the page of what was read of a walk, with the id after which the next goes on.
    pub fn walked<T>(&self, items: Vec<T>, after: Option<i64>) -> Page<T> {
        Page {
            items,
            next: after.map(encode_cursor),
        }
    }

    /// Takes the filter out, to be read.
    pub fn take_filter(&mut self) -> Filter {
        std::mem::take(&mut self.filter)
    }

    /// How many rows to read: one more than the page holds.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }
}

/// Rows walked for a page, at most: each may lie in a buffer of its own.
pub const WALKED_MAX: i64 = 250;

/// What a walk came across: one that matches, or the last one, after which the next page goes on.
#[derive(Debug)]
pub struct Walked<T> {
    /// What it came across.
    pub item: T,
    /// How far it had come, from 1.
    pub walked: i64,
    /// Whether this matches.
    pub matches: bool,
}

/// Makes the page of a walk that gave up to `limit + 1` items and went as far as `walked_max`, and says after which item the
/// next goes on. The page can be short although there are more: then few of those that were walked match.
pub fn walked_page<T: Clone>(
    rows: impl IntoIterator<Item = Walked<T>>,
    limit: i64,
    walked_max: i64,
) -> (Vec<T>, Option<T>) {
    let (mut items, mut end) = (Vec::new(), None);
    for row in rows {
        if items.len() as i64 == limit && row.matches {
            return (items.clone(), items.pop());
        }
        if row.walked == walked_max {
            end = Some(row.item.clone());
        }
        if row.matches {
            items.push(row.item);
        }
    }
    (items, end)
}

pub(crate) fn encode_cursor(key: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{key}"))
}

fn decode_cursor(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("1:")?.parse().ok()
}

/// An answer with the version of its row, as a strong `ETag`.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The row's version.
    pub version: i64,
    /// The body.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let tag = HeaderValue::from_str(&format!("\"{}\"", self.version))
            .expect("a number in quotes is a header value");
        response.headers_mut().insert(header::ETAG, tag);
        response
    }
}

/// The version that the caller believes the row to have, from `If-Match`; none when they do not say, or say `*`.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub Option<i64>);

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header_parameter(
            "If-Match",
            "The `ETag` of what was read: the request is refused when it has changed since.",
        )]
    }
}

/// The `Idempotency-Key` of a create, for its documentation; [`Create`] reads it.
#[derive(Debug)]
pub struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header_parameter(
            "Idempotency-Key",
            "1 to 255 visible characters: the same request with the same key is done once and answered alike.",
        )]
    }
}

fn header_parameter(name: &str, what: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(String::schema()))
        .build()
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        if value.as_bytes() == b"*" {
            return Ok(Self(None));
        }
        let version = value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok())
            .ok_or_else(|| {
                Refusal::invalid(vec![Fault::new(
                    "If-Match",
                    "etag",
                    "give the ETag as it was answered",
                )])
            })?;
        Ok(Self(Some(version)))
    }
}

impl IfMatch {
    /// Goes on when the row has the version that the caller believes it to have.
    ///
    /// # Errors
    /// That it has changed.
    pub fn check(self, what: &str, version: i64) -> Result<(), Failure> {
        if self.0.is_none_or(|believed| believed == version) {
            Ok(())
        } else {
            Err(self.missed(what, true))
        }
    }

    /// What an update that matched no row means: the row is gone, or it is another version.
    pub fn missed(self, what: &str, exists: bool) -> Failure {
        if exists && self.0.is_some() {
            let detail = format!("the {what} has changed since it was read: read it again, and decide again");
            Refusal::new(Kind::Changed, "changed", detail).into()
        } else {
            Refusal::not_found(what).into()
        }
    }
}

/// The body of a create, with its `Idempotency-Key`.
#[derive(Debug)]
pub struct Create<T> {
    /// What is to be made.
    pub body: T,
    key: Option<String>,
    hash: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Create<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let key = idempotency_key(request.headers())?;
        let path = request.uri().path().to_owned();
        let bytes = read_json(request, state).await?;
        let hash = Sha256::new()
            .chain_update(path.as_bytes())
            .chain_update([0])
            .chain_update(&bytes)
            .finalize()
            .into();
        Ok(Self {
            body: parse(&bytes)?,
            key,
            hash,
        })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Refusal::invalid(vec![Fault::new(
            "Idempotency-Key",
            "length",
            "an idempotency key has 1 to 255 visible ASCII characters",
        )])
        .into()),
    }
}

impl<T> Create<T> {
    /// Does the create in one transaction and answers 201. The same key with the same request gets the same answer again,
    /// without anything done again; with another request it is refused.
    ///
    /// # Errors
    /// Those of the operation; or that the key was used for another request.
    pub async fn once<A>(
        self,
        app: &App,
        actor: &Actor,
        operation: impl AsyncFnOnce(&mut Tx, T) -> Result<A, Failure>,
    ) -> Result<(StatusCode, Json<A>), Failure>
    where
        A: Serialize + DeserializeOwned,
    {
        let mut tx = app.db.begin(actor).await?;
        let Some(key) = self.key else {
            let answer = operation(&mut tx, self.body).await?;
            tx.commit().await?;
            return Ok((StatusCode::CREATED, Json(answer)));
        };
        let name = actor.name();
        // Waits for a request with the same key that is under way; then finds its answer.
        let first = sqlx::query_file!(
            "src/http/claim_key.sql",
            actor.tenant.0,
            name,
            key,
            &self.hash[..]
        )
        .execute(&mut *tx)
        .await?
        .rows_affected()
            == 1;
        if !first {
            let stored = sqlx::query_file!("src/http/stored_answer.sql", actor.tenant.0, name, key)
                .fetch_one(&mut *tx)
                .await?;
            if stored.request_hash != self.hash {
                return Err(Refusal::new(
                    Kind::Invalid,
                    "key_reused",
                    "this Idempotency-Key was used for another request: use a new key for a new request",
                )
                .into());
            }
            let answer = stored
                .answer
                .ok_or_else(|| crate::problem::Bug::new("a stored answer is missing"))?;
            let answer = serde_json::from_value(answer).map_err(crate::problem::Bug::new)?;
            return Ok((StatusCode::CREATED, Json(answer)));
        }
        let answer = operation(&mut tx, self.body).await?;
        let stored = serde_json::to_value(&answer).map_err(crate::problem::Bug::new)?;
        sqlx::query_file!(
            "src/http/store_answer.sql",
            actor.tenant.0,
            name,
            key,
            201_i16,
            stored
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((StatusCode::CREATED, Json(answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        port: u16,
        #[serde(default)]
        password: Option<String>,
        #[serde(default)]
        kind: Option<muster_wire::imports::ImportKind>,
    }

    #[test]
    fn a_wrong_type_is_named_and_its_value_is_not_shown() {
        let failure = parse::<Sample>(br#"{"port": "CANARY"}"#).expect_err("it is a text");
        let refusal = failure.refusal().expect("a refusal");
        assert_eq!(refusal.faults[0].pointer, "/port");
        assert!(!refusal.to_string().contains("CANARY"), "{refusal}");
        let failure = parse::<Sample>(br#"{"port": 1, "prot": 2}"#).expect_err("it is unknown");
        assert!(failure.to_string().contains("unknown field `prot`"), "{failure}");
    }

    #[test]
    fn no_words_in_a_value_make_it_shown() {
        for value in [
            "CANARY at line 1",
            "an expected CANARY",
            ", expected CANARY",
            "CANARY, expected x at line 1 column 2",
        ] {
            for body in [
                serde_json::json!({"port": value}),
                serde_json::json!({"port": 1, "kind": value}),
            ] {
                let failure =
                    parse::<Sample>(body.to_string().as_bytes()).expect_err("it is of a wrong type");
                assert!(!failure.to_string().contains("CANARY"), "{body}: {failure}");
                assert!(failure.to_string().contains("expected "), "{body}: {failure}");
            }
        }
    }

    #[test]
    fn more_than_one_value_is_not_json() {
        assert!(parse::<Sample>(br#"{"port": 1} {"port": 2}"#).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_survives_being_written_and_read(key in any::<i64>()) {
            prop_assert_eq!(decode_cursor(&encode_cursor(key)), Some(key));
        }

        #[test]
        fn no_text_makes_reading_a_cursor_panic(text in ".*") {
            let _ = decode_cursor(&text);
        }
    }
}
