//! Forms: how they are read, and how what is wrong in them is shown beside its field.

use std::io;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Multipart, Request, multipart::Field},
    http::{header, request::Parts},
};
use futures_util::stream;
use muster_wire::{Fault, Page};
use serde::de::DeserializeOwned;
use tokio::{io::AsyncRead, sync::mpsc};
use tokio_util::io::StreamReader;

use crate::problem::{Failure, Kind, Refusal};

/// Pieces of a file that wait to be read, at most.
const PIECES_WAITING_MAX: usize = 4;

/// A form that was sent. Fields that it does not know are refused where its type says so; an empty field is an empty text.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !form {
            let detail = "this is for the forms of the console; programs use /v1, see /docs";
            return Err(Refusal::new(Kind::MediaType, "not_a_form", detail).into());
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::new(Kind::TooLarge, "too_large", "the form is too large"))?;
        // What serde says can quote the value, which could be a secret.
        let form = serde_html_form::from_bytes(&bytes).map_err(|_| not_this_form())?;
        Ok(Self(form))
    }
}

/// A form that was sent by GET: fields of the same name are a list, as in [`Form`].
#[derive(Debug)]
pub struct FormQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for FormQuery<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        let form = serde_html_form::from_str(query).map_err(|_| {
            let detail =
                "a part of the address after ? is missing, unknown, or of another form than expected";
            Refusal::new(Kind::Malformed, "not_this_form", detail)
        })?;
        Ok(Self(form))
    }
}

/// A form with files, as it comes in: field by field, in the order of the page.
#[derive(Debug)]
pub struct FileForm(Multipart);

impl<S: Send + Sync> FromRequest<S> for FileForm {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let parts = Multipart::from_request(request, state).await.map_err(|_| {
            let detail = "this is for the forms of the console; programs use /v1, see /docs";
            Refusal::new(Kind::MediaType, "not_a_form", detail)
        })?;
        Ok(Self(parts))
    }
}

impl FileForm {
    /// The next field.
    ///
    /// # Errors
    /// When the form broke off, or is none.
    pub async fn next(&mut self) -> Result<Option<Field<'_>>, Failure> {
        self.0.next_field().await.map_err(|_| not_this_form())
    }
}

/// What a field with a file begins with: one byte more than so many, at most, by which what is too long is known.
///
/// # Errors
/// When the form broke off.
pub async fn beginning(mut field: Field<'_>, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|_| not_this_form())? {
        let room = (bytes_max + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    Ok(bytes)
}

/// A field with a text, of at most so many bytes, its ends of lines as one character.
///
/// # Errors
/// When it is longer, or the form broke off.
pub async fn text(field: Field<'_>, bytes_max: usize) -> Result<String, Failure> {
    let bytes = beginning(field, bytes_max).await?;
    if bytes.len() > bytes_max {
        let detail = format!(
            "a text of this form has at most {bytes_max} bytes: send a file instead, where there can be one"
        );
        return Err(Refusal::new(Kind::TooLarge, "too_large", detail).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| not_this_form())?;
    Ok(text.replace("\r\n", "\n"))
}

/// What goes from a form to the reader of its file: pieces of it, and at its end that it is whole.
enum Piece {
    Bytes(Bytes),
    End,
}

/// A field with a file as a source that can be read by another task, and what carries the file there: both have to run. A file
/// whose sender goes away before its end breaks off: it is not taken for a shorter one.
pub fn carried(
    mut field: Field<'_>,
) -> (
    impl AsyncRead + Send + Unpin + 'static,
    impl Future<Output = ()> + '_,
) {
    let (pieces, arriving) = mpsc::channel(PIECES_WAITING_MAX);
    let stream = stream::try_unfold(arriving, |mut arriving: mpsc::Receiver<Piece>| async move {
        match arriving.recv().await {
            Some(Piece::Bytes(bytes)) => Ok(Some((bytes, arriving))),
            Some(Piece::End) => Ok(None),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    });
    let carrying = async move {
        while let Ok(piece) = field.chunk().await {
            let (piece, last) = match piece {
                Some(bytes) => (Piece::Bytes(bytes), false),
                None => (Piece::End, true),
            };
            if pieces.send(piece).await.is_err() || last {
                return;
            }
        }
    };
    (StreamReader::new(Box::pin(stream)), carrying)
}

/// What is said of a form that is not the page's.
pub fn not_this_form() -> Failure {
    let detail = "a field is missing, or is of another form than expected: load the page again";
    Refusal::new(Kind::Malformed, "not_this_form", detail).into()
}

/// What is wrong in a form, to be shown beside the fields; what belongs to no field is shown above them.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    fields: Vec<&'static str>,
}

impl Faults {
    /// None: the form is shown for the first time.
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes what an operation refused; what the form cannot show goes on.
    ///
    /// `fields` are the pointers of the form's fields, as in `/reason`.
    ///
    /// # Errors
    /// The failure, when it is none of input or state.
    pub fn of(failure: Failure, fields: &[&'static str]) -> Result<Self, Failure> {
        let Some(refusal) = failure.refusal() else {
            return Err(failure);
        };
        let shown = matches!(
            refusal.kind,
            Kind::Invalid | Kind::Conflict | Kind::Changed | Kind::Unauthenticated | Kind::TooMany
        );
        if !shown {
            return Err(failure);
        }
        let faults = if refusal.faults.is_empty() {
            vec![Fault::new("", refusal.code, refusal.detail.clone())]
        } else {
            refusal.faults.clone()
        };
        Ok(Self {
            faults,
            fields: fields.to_vec(),
        })
    }

    /// The page of a list with none; or an empty page, and what is wrong with the filter that was asked for.
    ///
    /// # Errors
    /// As [`Faults::of`].
    pub fn of_list<T>(listed: Result<Page<T>, Failure>) -> Result<(Page<T>, Self), Failure> {
        match listed {
            Ok(page) => Ok((page, Self::none())),
            Err(failure) => {
                let faults = Self::of(failure, &["filter"])?;
                let nothing = Page {
                    items: Vec::new(),
                    next: None,
                };
                Ok((nothing, faults))
            }
        }
    }

    /// Lets what is wrong with a field of the operation be wrong with the field of the form that it comes from.
    pub fn rename(&mut self, fields: &[(&str, &str)]) {
        for fault in &mut self.faults {
            if let Some((_, here)) = fields.iter().find(|(there, _)| *there == fault.pointer) {
                fault.pointer = (*here).to_owned();
            }
        }
    }

    /// Lets what is wrong with the parts of a list be wrong with the field that gives them all, each by its name.
    pub fn gather(&mut self, list: &str, field: &str, name: impl Fn(usize) -> String) {
        for fault in &mut self.faults {
            if let Some(at) = fault.pointer.strip_prefix(list).and_then(|at| at.parse().ok()) {
                fault.detail = format!("{}: {}", name(at), fault.detail);
                fault.pointer = field.to_owned();
            }
        }
    }

    /// Everything that is wrong with a field.
    pub fn all_at(&self, pointer: &str) -> Vec<&str> {
        let here = self.faults.iter().filter(|fault| fault.pointer == pointer);
        here.map(|fault| fault.detail.as_str()).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is wrong with a field.
    pub fn at(&self, pointer: &str) -> Option<&str> {
        let fault = self.faults.iter().find(|fault| fault.pointer == pointer)?;
        Some(&fault.detail)
    }

    /// What is wrong and belongs to no field of the form.
    pub fn others(&self) -> Vec<&str> {
        let elsewhere = |fault: &&Fault| !self.fields.contains(&fault.pointer.as_str());
        self.faults
            .iter()
            .filter(elsewhere)
            .map(|fault| fault.detail.as_str())
            .collect()
    }
}
