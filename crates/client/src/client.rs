//! The HTTP client: one request, one answer; retried where that is safe.

use std::time::Duration;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use muster_wire::{
    Page, Problem,
    work::{Claim, Claimed, LeaseStates, Leases, Report, Reported},
};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// How often a request is sent at most.
const TRIES_MAX: u32 = 5;

/// The first wait between two tries; each further one is twice as long, and up to half of it is left to chance.
const RETRY_MS_FIRST: u64 = 100;

/// The longest wait between two tries, whatever the server asks for.
const RETRY_MS_MAX: u64 = 10_000;

/// How long connecting can take.
const CONNECT_SECS_MAX: u64 = 5;

/// How long a request can take, a claim's waiting included.
const REQUEST_SECS_MAX: u64 = 90;

/// A client of one server, with one token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused, and says why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The server could not be reached, or the connection broke. Whether the request was carried out is not known.
    #[error("the server cannot be reached")]
    Connection(#[source] reqwest::Error),
    /// The answer is not one that this version of the client reads.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
    /// The address of the server, or a request's, is not a URL.
    #[error("{0:?} is not the address of a server: write http://HOST:PORT or https://HOST")]
    Url(String),
}

impl ClientError {
    /// The problem, when the server refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            ClientError::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

/// Whether sending a request again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// It changes nothing the second time.
    Safe,
    /// Only when it is certain that it was not carried out.
    OnlyIfRefused,
}

impl Client {
    /// A client of the server at `url` (`http://HOST:PORT`, `https://HOST`).
    ///
    /// # Errors
    /// When `url` is not an address.
    pub fn new(url: &str, token: SecretString) -> Result<Self, ClientError> {
        let url = url.trim_end_matches('/').to_owned();
        if reqwest::Url::parse(&url).map_or(true, |u| {
            !matches!(u.scheme(), "http" | "https") || u.host().is_none()
        }) {
            return Err(ClientError::Url(url));
        }
        // Another part of the program may have chosen a provider before; theirs stands.
        #[cfg(feature = "tls")]
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_SECS_MAX))
            .timeout(Duration::from_secs(REQUEST_SECS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ClientError::Connection)?;
        Ok(Self { http, url, token })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Claims steps to work. Not repeated when the connection breaks, because leases could be given twice; those of a lost
    /// answer run out by themselves.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn claim(&self, claim: &Claim) -> Result<Claimed, ClientError> {
        self.json(Again::OnlyIfRefused, || {
            self.request(Method::POST, "/v1/work/claim").json(claim)
        })
        .await
    }

    /// Reports how steps ended. Repeated when the connection breaks: the server knows each lease it has had a report of.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn report(&self, report: &Report) -> Result<Reported, ClientError> {
        self.json(Again::Safe, || {
            self.request(Method::POST, "/v1/work/report").json(report)
        })
        .await
    }

    /// Extends leases to their full length from now.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn extend(&self, leases: &Leases) -> Result<LeaseStates, ClientError> {
        self.json(Again::Safe, || {
            self.request(Method::POST, "/v1/work/extend").json(leases)
        })
        .await
    }

    /// Gives leases back; it costs no attempt.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn release(&self, leases: &Leases) -> Result<LeaseStates, ClientError> {
        self.json(Again::Safe, || {
            self.request(Method::POST, "/v1/work/release").json(leases)
        })
        .await
    }

    /// Reads something.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.json(Again::Safe, || self.request(Method::GET, path).query(query))
            .await
    }

    /// Makes something. Sent with a new `Idempotency-Key`, and so repeated safely where the server knows it.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let key = Uuid::new_v4().to_string();
        self.json(Again::Safe, || {
            self.request(Method::POST, path)
                .header("idempotency-key", &key)
                .json(body)
        })
        .await
    }

    /// Does something that is not safe to repeat.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.json(Again::OnlyIfRefused, || {
            self.request(Method::POST, path).json(body)
        })
        .await
    }

    /// Changes something.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn patch<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.patch_version(path, body, None).await
    }

    /// Changes something, where a version is given only while it still has that one.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn patch_version<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        version: Option<i64>,
    ) -> Result<T, ClientError> {
        let build = || {
            let request = self.request(Method::PATCH, path).json(body);
            match version {
                Some(version) => request.header(header::IF_MATCH, format!("\"{version}\"")),
                None => request,
            }
        };
        // Sent again after it was carried out, it would miss its own version.
        self.json(
            if version.is_some() {
                Again::OnlyIfRefused
            } else {
                Again::Safe
            },
            build,
        )
        .await
    }

    /// Puts something in its place.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.json(Again::Safe, || self.request(Method::PUT, path).json(body))
            .await
    }

    /// Removes something.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(Again::OnlyIfRefused, || self.request(Method::DELETE, path))
            .await
            .map(drop)
    }

    /// Sends a file as the body of a POST, without holding it in memory. Not repeated.
    ///
    /// # Errors
    /// When the file cannot be read, the server refuses or cannot be reached.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Result<T, ClientError> {
        let request = self
            .request(Method::POST, path)
            .query(query)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            // A file of a million rows takes as long as it takes.
            .timeout(Duration::from_secs(24 * 3600))
            .body(body);
        let response = refused(request.send().await.map_err(ClientError::Connection)?).await?;
        read(response).await
    }

    /// Reads something that is not JSON, piece by piece.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn download(&self, path: &str, query: &[(&str, &str)]) -> Result<Download, ClientError> {
        let build = || {
            self.request(Method::GET, path)
                .query(query)
                .timeout(Duration::from_secs(24 * 3600))
        };
        Ok(Download(self.send(Again::Safe, build).await?))
    }

    /// Reads a list to its end, page by page as it is consumed.
    pub fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        filter: &str,
    ) -> impl Stream<Item = Result<T, ClientError>> + use<T> {
        let (client, path, filter) = (self.clone(), path.to_owned(), filter.to_owned());
        let pages = stream::try_unfold(Some(String::new()), move |cursor: Option<String>| {
            let (client, path, filter) = (client.clone(), path.clone(), filter.clone());
            async move {
                let Some(cursor) = cursor else {
                    return Ok::<_, ClientError>(None);
                };
                let mut query = vec![("limit", "500")];
                if !filter.is_empty() {
                    query.push(("filter", &filter));
                }
                if !cursor.is_empty() {
                    query.push(("cursor", &cursor));
                }
                let page: Page<T> = client.get(&path, &query).await?;
                Ok(Some((stream::iter(page.items.into_iter().map(Ok)), page.next)))
            }
        });
        pages.try_flatten().boxed()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(self.token.expose_secret())
    }

    async fn json<T: DeserializeOwned>(
        &self,
        again: Again,
        build: impl Fn() -> RequestBuilder,
    ) -> Result<T, ClientError> {
        read(self.send(again, build).await?).await
    }

    async fn send(&self, again: Again, build: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut wait_ms = RETRY_MS_FIRST;
        for attempt in 1.. {
            let last = attempt >= TRIES_MAX;
            let asked_ms = match build().send().await {
                Ok(response) if !last && later(again, response.status()) => retry_after_ms(&response),
                Ok(response) => return refused(response).await,
                Err(error)
                    if !last && (error.is_connect() || (again == Again::Safe && !error.is_builder())) =>
                {
                    None
                }
                Err(error) => return Err(ClientError::Connection(error)),
            };
            let jitter = rand::random_range(wait_ms / 2..=wait_ms);
            tokio::time::sleep(Duration::from_millis(
                asked_ms.unwrap_or(0).max(jitter).min(RETRY_MS_MAX),
            ))
            .await;
            wait_ms = (wait_ms * 2).min(RETRY_MS_MAX);
        }
        unreachable!("the last try returns")
    }
}

/// An answer that is read piece by piece.
#[derive(Debug)]
pub struct Download(Response);

impl Download {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, ClientError> {
        self.0.chunk().await.map_err(ClientError::Connection)
    }
}

/// Whether it is worth asking again later: the server did nothing, or does not know whether it did and it does no harm.
fn later(again: Again, status: StatusCode) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::GATEWAY_TIMEOUT => again == Again::Safe,
        _ => false,
    }
}

fn retry_after_ms(response: &Response) -> Option<u64> {
    let secs: u64 = response
        .headers()
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(secs.saturating_mul(1000))
}

async fn refused(response: Response) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = response.bytes().await.map_err(ClientError::Connection)?;
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
        Err(_) => Err(ClientError::Answer(format!(
            "status {status} without a problem; is this a Muster server?"
        ))),
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let bytes = response.bytes().await.map_err(ClientError::Connection)?;
    // An answer without a body is read as null, which is what () is.
    let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| ClientError::Answer(error.to_string()))
}
