//! What the server answers when it does not do as asked: `application/problem+json` (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing wrong with a request. All faults of a request are reported at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    /// Where: a JSON pointer into the body (`/port`), or the name of a parameter or header.
    pub pointer: String,
    /// What, as a stable word.
    pub code: String,
    /// What, and what to do, for people. Never holds a secret.
    pub detail: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        }
    }
}

/// The body of every answer that is a refusal or a failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank#CODE`; two problems of one kind have the same type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status, again.
    pub status: u16,
    /// What is wrong here, and what to do about it.
    pub detail: String,
    /// A stable word for programs, for example `not_found`.
    pub code: String,
    /// The request's id, which the server's log and the audit log hold too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Each fault of the input, where the input is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.title, self.code, self.detail)?;
        for fault in &self.errors {
            write!(f, "\n  {}: {}", fault.pointer, fault.detail)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "\n  request {id}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// A word that is not of its closed set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// What was given, cut to forty characters.
    pub given: String,
    /// What would have been right.
    pub allowed: &'static [&'static str],
}

impl UnknownWord {
    /// What would have been right, without what was given, which in the body of a request could be a secret.
    pub fn expected(&self) -> String {
        format!("expected one of {}", self.allowed.join(", "))
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not one of {}", self.given, self.allowed.join(", "))
    }
}

impl std::error::Error for UnknownWord {}
