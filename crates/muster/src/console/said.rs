//! What a page has to say about what was just done: carried by a cookie across the redirect, shown once, and perhaps with
//! the way to take it back.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::access::BACKGROUND;

/// The cookie that carries it.
const COOKIE: &str = "__Host-muster-said";

/// The longest text: a cookie has room for about 4000 characters.
const SAID_CHARS_MAX: usize = 1_000;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The sentence.
    pub text: String,
    /// Where a form takes it back, and what the form has to say.
    pub undo: Option<Undo>,
}

/// How something is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Where the form is sent.
    pub path: String,
    /// What is sent: name and value.
    pub fields: Vec<(String, String)>,
    /// For how many seconds it can be done.
    pub secs: u32,
}

impl Said {
    /// Something was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            undo: None,
        }
    }

    /// Something was done, and can be taken back.
    pub fn undoable(text: impl Into<String>, undo: Undo) -> Self {
        Self {
            text: text.into(),
            undo: Some(undo),
        }
    }

    /// The cookie that carries it to the next page.
    pub fn cookie(&self) -> HeaderValue {
        let short = Self {
            text: self.text.chars().take(SAID_CHARS_MAX).collect(),
            undo: self.undo.clone(),
        };
        let json = serde_json::to_vec(&short).unwrap_or_default();
        let value = URL_SAFE_NO_PAD.encode(json);
        HeaderValue::try_from(format!(
            "{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"
        ))
        .unwrap_or(HeaderValue::from_static(""))
    }

    /// What the browser brought, for the page that it shows. Where a page reads itself again nobody looks at the answer as a page:
    /// what is to be said waits for the page that was asked for.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(BACKGROUND) {
            return None;
        }
        let value = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
    }
}

/// Takes the cookie from the browser with the page that shows it.
pub async fn said_once(request: Request, next: Next) -> Response {
    let brought = Said::read(request.headers()).is_some();
    let mut response = next.run(request).await;
    let page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if brought && page {
        let gone = HeaderValue::from_static(
            "__Host-muster-said=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
        );
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_comes_through_the_cookie_as_it_was() {
        let undo = Undo {
            path: "/reviews/undo".to_owned(),
            fields: vec![("id".to_owned(), "7".to_owned())],
            secs: 10,
        };
        let said = Said::undoable("Gave “ñandú; path=/” back\r\nSet-Cookie: x=y", undo);
        let cookie = said.cookie();
        let cookie = cookie
            .to_str()
            .expect("visible ASCII")
            .split(';')
            .next()
            .expect("a pair");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {cookie}").parse().expect("a value"));
        assert_eq!(Said::read(&headers), Some(said));
        headers.insert(BACKGROUND, HeaderValue::from_static("1"));
        assert_eq!(
            Said::read(&headers),
            None,
            "a page that reads itself again takes nothing away"
        );
    }
}
