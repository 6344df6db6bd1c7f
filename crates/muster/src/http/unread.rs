//! The rest of a body that nobody read. A request may be refused before its body has come; were the connection closed then,
//! whoever still sends would see it reset and lose the answer, which says what is wrong.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How long the rest of a body is read after the answer, as nginx' `lingering_close` does.
const LINGER: Duration = Duration::from_secs(10);

/// A body whose rest is read and thrown away when it is dropped before its end, for up to ten seconds.
#[derive(Debug)]
pub struct Unread(Body);

impl Unread {
    /// Wraps a body that has something to be read.
    pub fn wrap(body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self(body))
    }
}

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.0.is_end_stream() {
            return;
        }
        let mut rest = std::mem::take(&mut self.0);
        tokio::spawn(tokio::time::timeout(LINGER, async move {
            while let Some(Ok(_)) = rest.frame().await {}
        }));
    }
}
