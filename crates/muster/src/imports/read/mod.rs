//! Reads the files people really have, row by row, and writes the files Muster exports. Knows neither the database nor
//! HTTP.
//!
//! [`open`] looks at the first [`SAMPLE_BYTES_MAX`] bytes, says what it found ([`Detected`]) or refuses the whole file
//! with every reason ([`Refused`]); the [`Reader`] then yields one [`Item`] a row. Memory does not grow with the length
//! of the file: one row is held at a time, and notes are counted by kind. What [`mod@write`] writes, the reader reads
//! back unchanged.
//!
//! The files that hold accounts must be labelled by a header: lists of the shape `login:password:mail:mailpassword` are
//! the shape of bought accounts and are refused whole, whatever the options say.

mod cells;
mod columns;
mod dates;
mod decode;
mod detect;
mod lines;
mod reader;
mod records;
mod rows;
#[cfg(test)]
mod tests;
pub mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use cells::MASK;
pub use reader::{Reader, open, reopen, slipped};
pub use rows::{
    ACCOUNT_STATUSES, AUTHORISATION_BASES, AccountRow, CONTENT_TYPES, ContentRow, MODEL_STATUSES, ModelRow,
    PROXY_STATUSES, ProxyRow, Row, SCHEMES, TEXT_TYPES, TextRow, UNKNOWN,
};

/// How much of a file is looked at to find out what it is.
pub const SAMPLE_BYTES_MAX: usize = 64 * 1024;
/// The longest row that is read; a longer one is a fault.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// The most cells of one row; a row with more is a fault.
pub const CELLS_MAX: usize = 1000;
/// How much of a faulty value is repeated in its fault.
pub const VALUE_CHARS_MAX: usize = 100;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Accounts.
    Accounts,
    /// Proxies.
    Proxies,
    /// Models.
    Models,
    /// Content of models.
    Content,
    /// Texts of models.
    Texts,
}

/// How the characters of a file are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, little end first (what Excel calls Unicode text).
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big end first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Windows-1252, the ANSI code page of western Europe.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1252 => "Windows-1252",
        })
    }
}

/// Which number of a date such as 03/04/2026 comes first. Dates that begin with the year are always read as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// The day: 3 April 2026.
    Dmy,
    /// The month: 4 March 2026.
    Mdy,
    /// The year: only 2026-04-03 and its like are dates.
    Ymd,
}

/// The family of files that a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The columns that Muster writes.
    Canonical,
    /// A table whose columns have other names, or in which some are not ours.
    Spreadsheet,
    /// An export of Bitwarden.
    Bitwarden,
    /// An export of Dashlane.
    Dashlane,
    /// An export of LastPass.
    Lastpass,
    /// One proxy a line, in any of the usual shapes.
    ProxyLines,
    /// The CSV file of Oxylabs.
    OxylabsCsv,
    /// The JSON list of Webshare.
    WebshareJson,
}

/// What the person who imports decides, instead of what would be detected or missing. All are optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The encoding; a byte order mark in the file is believed before this.
    pub encoding: Option<Encoding>,
    /// The delimiter of cells: any ASCII character but a quote or a line break.
    pub delimiter: Option<char>,
    /// Whether the first row that is not blank names the columns.
    pub header: Option<bool>,
    /// From the name of a column, or its number counted from 1, to a field of the kind; to an empty name to ignore it.
    pub mapping: BTreeMap<String, String>,
    /// How to read dates such as 03/04/2026.
    pub date_order: Option<DateOrder>,
    /// Whether decimals are written with a comma, as in 12,50.
    pub decimal_comma: Option<bool>,
    /// The name of the model of rows that name none.
    pub default_model: Option<String>,
    /// Accounts: the e-mail address of rows that have none.
    pub default_email: Option<String>,
    /// Accounts: the authorisation basis of rows that have none.
    pub default_authorisation_basis: Option<String>,
    /// Accounts: the authorisation reference of rows that have none.
    pub default_authorisation_reference: Option<String>,
    /// Proxies: the scheme of rows that have none (otherwise `http`).
    pub scheme: Option<String>,
    /// Proxies: the provider of rows that have none.
    pub provider: Option<String>,
    /// Proxies: the location of rows that have none.
    pub location: Option<String>,
    /// Proxies: the monthly cost of rows that have none.
    #[schema(value_type = Option<String>)]
    pub monthly_cost: Option<Decimal>,
}

/// A column of a file, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// Its number, counted from 1.
    pub number: usize,
    /// Its name in the file; empty when the file has no header.
    pub header: String,
    /// The field it is read into, if any.
    pub field: Option<String>,
    /// Why it is not read, if it is not.
    pub ignored: Option<String>,
}

/// What a file was found to be. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detected {
    /// What it holds.
    pub kind: Kind,
    /// All that follows, in one sentence for people.
    pub summary: String,
    /// Its encoding.
    pub encoding: Encoding,
    /// Whether it begins with a byte order mark.
    pub byte_order_mark: bool,
    /// Its family.
    pub dialect: Dialect,
    /// The delimiter of its cells; none when it is not a table.
    pub delimiter: Option<char>,
    /// The line of its header; none when it has none.
    pub header_line: Option<u64>,
    /// How its dates are read; none when the sample has none that need an order.
    pub date_order: Option<DateOrder>,
    /// Whether its decimals are written with a comma.
    pub decimal_comma: bool,
    /// Its columns, in order; empty when it is not a table.
    pub columns: Vec<Column>,
    /// The fields of its columns, and those that options supply. A value that a row has is always to be stored. Where a
    /// row has none, a field that is not listed here keeps what is stored, and one that is listed is to be cleared,
    /// except for secrets and for fields that cannot be blank, which keep what is stored.
    pub fields: Vec<String>,
}

/// One thing that is wrong, with its cure. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The field, or the file's own name for the column, or `row`, or `file`.
    pub column: String,
    /// A stable name of this sort of fault, in snake case.
    pub code: Cow<'static, str>,
    /// What is wrong and what to do.
    pub message: String,
    /// The start of the value; `***` where it is or may be a secret.
    pub value: Option<String>,
}

/// Something people should know about the file that is not a fault, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// A stable name of this sort of note, in snake case.
    pub code: Cow<'static, str>,
    /// What was done and why.
    pub message: String,
    /// The first line it is about; none when it is about the whole file.
    pub number: Option<u64>,
    /// How many times it was so; 0 when it is about the whole file.
    pub count: u64,
}

/// A file that is not read at all, with every reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refused {
    /// What is wrong with the file.
    pub faults: Vec<Fault>,
    /// What it was found to be, when it came so far.
    pub detected: Option<Box<Detected>>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            write!(
                f,
                "{}{}: {}",
                if index == 0 { "" } else { "\n" },
                fault.column,
                fault.message
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// One row of a file.
#[derive(Debug)]
pub struct Item {
    /// The line of the file on which the row begins, counted from 1.
    pub number: u64,
    /// The row, or everything that is wrong with it (at least one fault).
    pub row: Result<Row, Vec<Fault>>,
    /// The cells as they stand in the file, so that a row that is rejected, here or later, can be written back by
    /// [`write::write_rejected_row`]. Empty when the row was too long to keep.
    pub raw: Vec<Raw>,
}

/// A cell as it stands in the file.
#[derive(Clone, Debug)]
pub enum Raw {
    /// A cell that is known to be no secret.
    Plain(String),
    /// A cell that is, or may be, a secret: of a secret field, of a column that is not read, or beyond the header.
    Secret(SecretString),
}

impl Raw {
    /// The cell's text, also where it is a secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose_secret(),
        }
    }
}

impl Fault {
    fn file(code: &'static str, message: impl Into<String>) -> Self {
        Self::new("file", code, message)
    }

    fn new(column: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            code: code.into(),
            message: message.into(),
            value: None,
        }
    }
}

impl Kind {
    /// The name of the kind, as in URLs and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Proxies => "proxies",
            Self::Models => "models",
            Self::Content => "content",
            Self::Texts => "texts",
        }
    }

    /// Whether the values of a field may never be shown.
    #[must_use]
    pub fn is_secret(self, field: &str) -> bool {
        columns::position(self, field).is_some_and(|position| columns::fields(self)[position].secret)
    }

    /// The columns that an export has, in order.
    pub fn columns(self) -> impl Iterator<Item = &'static str> {
        columns::fields(self).iter().map(|field| field.name)
    }
}
