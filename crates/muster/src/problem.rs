//! What goes wrong: refusals, which the caller can act on, and bugs, which we must. Here, and nowhere else, they become
//! HTTP answers and the one line in the log.

use std::{error::Error, fmt};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use muster_wire::problem::{Fault, Problem};
use tracing::error;
use uuid::Uuid;

/// When to try again what was refused because the disk is nearly full.
const NO_SPACE_RETRY_SECS: u64 = 30;

/// The kinds of refusal; each is one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The input is at fault (400 or, where it was understood but is not acceptable, 422).
    Malformed,
    /// The input was understood and is not acceptable (422).
    Invalid,
    /// Nobody is signed in, or the token is not good (401).
    Unauthenticated,
    /// The actor may not do this (403).
    Forbidden,
    /// There is no such thing, or not for this tenant (404).
    NotFound,
    /// The path exists, the method does not (405).
    MethodNotAllowed,
    /// It cannot be done in the present state (409).
    Conflict,
    /// The row has changed since it was read (412).
    Changed,
    /// The body is too large (413).
    TooLarge,
    /// The body is not of a type that is read here (415).
    MediaType,
    /// A precondition is needed (428).
    PreconditionRequired,
    /// Too many requests (429).
    TooMany,
    /// Not now (503). Nothing was done.
    Unavailable,
    /// It may have been done, and it may not (504).
    OutcomeUnknown,
}

impl Kind {
    fn status(self) -> (StatusCode, &'static str) {
        match self {
            Kind::Malformed => (StatusCode::BAD_REQUEST, "The request cannot be read"),
            Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "The request is not acceptable"),
            Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "Not signed in"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "Not found"),
            Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Kind::Conflict => (StatusCode::CONFLICT, "Not possible as things are"),
            Kind::Changed => (StatusCode::PRECONDITION_FAILED, "Changed since it was read"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
            Kind::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Media type not read here"),
            Kind::PreconditionRequired => (StatusCode::PRECONDITION_REQUIRED, "Precondition required"),
            Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not available now"),
            Kind::OutcomeUnknown => (StatusCode::GATEWAY_TIMEOUT, "The outcome is not known"),
        }
    }
}

/// Something that the caller asked for and does not get, with what they can do about it.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its kind.
    pub kind: Kind,
    /// A stable word for programs.
    pub code: &'static str,
    /// What is wrong and what to do. Never holds a secret, nor what another tenant has.
    pub detail: String,
    /// Each fault of the input.
    pub faults: Vec<Fault>,
    /// After how many seconds it is worth trying again.
    pub retry_after_secs: Option<u64>,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            faults: Vec::new(),
            retry_after_secs: None,
        }
    }

    /// There is no such thing, or it is another tenant's; the two look the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("there is no such {what}"))
    }

    /// Not as things are.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, detail)
    }

    /// The input was understood and has these faults.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => one.detail.clone(),
            many => format!("{} faults; each is listed in errors", many.len()),
        };
        Self {
            faults,
            ..Self::new(Kind::Invalid, "invalid", detail)
        }
    }

    /// Goes on when there are no faults.
    ///
    /// # Errors
    /// The faults, as a refusal.
    pub fn check(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self::invalid(faults))
        }
    }

    /// Not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry_after_secs: Some(1),
            ..Self::new(Kind::Unavailable, "unavailable", detail)
        }
    }

    /// The disk is nearly full.
    pub fn no_space() -> Self {
        Self {
            retry_after_secs: Some(NO_SPACE_RETRY_SECS),
            ..Self::new(
                Kind::Unavailable,
                "no_space",
                "the server's disk is nearly full, so it writes nothing until there is room; reading goes on",
            )
        }
    }

    /// The database was lost while it committed.
    pub fn outcome_unknown() -> Self {
        Self::new(
            Kind::OutcomeUnknown,
            "outcome_unknown",
            "the database was lost before it confirmed this, so it may have been done: send it again only with the same \
             Idempotency-Key or lease, otherwise look first",
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        for fault in &self.faults {
            write!(f, "; {}: {}", fault.pointer, fault.detail)?;
        }
        Ok(())
    }
}

/// A failure of ours. The caller is shown an id; the log has the id and the cause.
#[derive(Debug)]
pub struct Bug(Box<dyn Error + Send + Sync>);

impl Bug {
    /// A failure and its cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Why an operation did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The caller can act on it.
    Refused(Box<Refusal>),
    /// We must.
    Bug(Bug),
}

impl Failure {
    /// The refusal, when it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Failure::Refused(refusal) => Some(refusal),
            Failure::Bug(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refusal) => refusal.fmt(f),
            Failure::Bug(bug) => bug.fmt(f),
        }
    }
}

impl Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(Box::new(refusal))
    }
}

impl From<Bug> for Failure {
    fn from(bug: Bug) -> Self {
        Failure::Bug(bug)
    }
}

/// What the database says in a standard code is said to the caller in our words; the database's own words, which can
/// name constraints and values, go to the log at most.
impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|e| e.code().map(|c| c.into_owned()));
        let refusal = match (&error, code.as_deref()) {
            (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_), _) => {
                Refusal::unavailable("the database cannot be reached in time; try again")
            }
            // Crash, shutdown, too many connections, disk full, read-only standby, deadlock, serialisation, time-outs.
            (_, Some(c)) if c.starts_with("57P") || c.starts_with("08") || c.starts_with("53") => {
                Refusal::unavailable("the database cannot serve this now; try again")
            }
            (_, Some("40001" | "40P01" | "55P03" | "57014" | "25006" | "25P03")) => {
                Refusal::unavailable("the database was too busy for this; try again")
            }
            (_, Some("23505")) => {
                Refusal::conflict("already_exists", "something with this name or key exists already")
            }
            (_, Some("23503")) => Refusal::conflict(
                "reference",
                "it names something that does not exist, or is still in use",
            ),
            (_, Some("23514")) => {
                Refusal::conflict("not_allowed_now", "what it would lead to is not allowed")
            }
            (_, Some("MU001")) => {
                Refusal::conflict("illegal_transition", "the lifecycle has no such transition")
            }
            (_, Some(c)) if c.starts_with("22") => Refusal::new(
                Kind::Invalid,
                "invalid",
                "a value is outside what can be stored, for example a NUL in a text",
            ),
            _ => return Failure::Bug(Bug::new(error)),
        };
        tracing::debug!(
            code = code.as_deref().unwrap_or(""),
            "the database refused: {}",
            refusal.code
        );
        refusal.into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let refusal = match self {
            Failure::Refused(refusal) => *refusal,
            Failure::Bug(bug) => {
                let id = Uuid::now_v7();
                error!(bug.id = %id, error = %bug, "bug {id}");
                return answer(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    Problem {
                        kind: "about:blank#bug".to_owned(),
                        title: "A fault of ours".to_owned(),
                        status: 500,
                        detail: format!("the server's log tells more under {id}"),
                        code: "bug".to_owned(),
                        request_id: None,
                        errors: Vec::new(),
                    },
                    None,
                );
            }
        };
        let (status, title) = refusal.kind.status();
        answer(
            status,
            Problem {
                kind: format!("about:blank#{}", refusal.code),
                title: title.to_owned(),
                status: status.as_u16(),
                detail: refusal.detail,
                code: refusal.code.to_owned(),
                request_id: None,
                errors: refusal.faults,
            },
            refusal.retry_after_secs,
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}

/// The body is written by the outermost layer, which knows the request's id.
fn answer(status: StatusCode, problem: Problem, retry_after_secs: Option<u64>) -> Response {
    let mut response = status.into_response();
    if let Some(secs) = retry_after_secs {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    if status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(Box::new(problem));
    response
}
