//! A lean HTTP client: one connection, kept open, for one bearer of a token. What the load costs is taken from the server
//! that shares the machine with it.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;

/// A connection to the server under test.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    bearer: HeaderValue,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        bearer.set_sensitive(true);
        Ok(Self {
            sender,
            host: HeaderValue::from_str(address)?,
            bearer,
        })
    }

    /// Sends a request, and gives the body of its answer.
    ///
    /// # Errors
    /// When the server refuses, or the connection breaks.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.bearer)
            .header(CONTENT_TYPE, kind)
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path} answers {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Posts JSON that is written already, and gives the JSON of the answer as it is.
    ///
    /// # Errors
    /// When the server refuses, or the connection breaks.
    pub async fn post_raw(&mut self, path: &str, body: Vec<u8>) -> Result<Bytes> {
        self.send(Method::POST, path, "application/json", Bytes::from(body))
            .await
    }

    /// Posts, and reads the answer.
    ///
    /// # Errors
    /// When the server refuses, the connection breaks, or the answer is another than expected.
    pub async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T> {
        let answer = self.post_raw(path, serde_json::to_vec(body)?).await?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {path}"))
    }

    /// Gets, and reads the answer.
    ///
    /// # Errors
    /// When the server refuses, the connection breaks, or the answer is another than expected.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        let answer = self
            .send(Method::GET, path, "application/json", Bytes::new())
            .await?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {path}"))
    }
}
