//! Imports: a file as a diff against what is stored, then committed as one request that can be undone.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{Fault, ImportId, Secret};

/// Rows that one request corrects, at most.
pub const ROWS_CORRECTED_MAX: usize = 100;

/// The longest name of an imported file, in characters.
pub const FILE_NAME_CHARS_MAX: usize = 255;

crate::words! {
    /// What an import or an export holds.
    pub enum ImportKind {
        /// Accounts.
        Accounts = "accounts",
        /// Proxies.
        Proxies = "proxies",
        /// Models.
        Models = "models",
        /// Content of models.
        Content = "content",
        /// Texts of models.
        Texts = "texts",
    }
}

crate::words! {
    /// How far an import has come.
    pub enum ImportState {
        /// The file is being read.
        Reading = "reading",
        /// The file was read and compared; nothing is stored yet.
        Staged = "staged",
        /// Its rows are stored.
        Committed = "committed",
        /// It was committed, and taken back.
        Undone = "undone",
        /// It was given up before it was committed.
        Discarded = "discarded",
        /// Reading broke off; nothing was stored.
        Failed = "failed",
    }
}

crate::words! {
    /// What a row of a file is, compared with what is stored.
    pub enum RowVerdict {
        /// Nothing like it is stored.
        New = "new",
        /// It is stored, with other values.
        Changed = "changed",
        /// It is stored just so.
        Same = "same",
        /// It has faults.
        Rejected = "rejected",
    }
}

crate::wire! {
    /// An import.
    pub struct Import {
        /// Its id.
        pub id: ImportId,
        /// What the file holds.
        pub kind: ImportKind,
        /// How far it has come.
        pub state: ImportState,
        /// The file's name, as the sender called it.
        pub file_name: String,
        /// What the file was found to be: encoding, delimiter, dialect, columns.
        pub detected: Value,
        /// Things to know about the file that are no faults.
        pub notes: Value,
        /// What is wrong with the file as a whole, where it was refused.
        pub faults: Vec<Fault>,
        /// Whether the file is kept, sealed, so that it can be read again otherwise: until the import is decided, when it has
        /// at most 8 MiB.
        pub file_kept: bool,
        /// Rows that are new.
        pub new_rows: i64,
        /// Rows that change something.
        pub changed_rows: i64,
        /// Rows that are stored just so.
        pub same_rows: i64,
        /// Rows with faults.
        pub rejected_rows: i64,
        /// When it was read.
        pub created_at: DateTime<Utc>,
        /// When it was committed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub committed_at: Option<DateTime<Utc>>,
        /// When it was undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub undone_at: Option<DateTime<Utc>>,
    }
}

crate::wire! {
    /// A row of an import: one line of the diff. Secrets are never shown.
    pub struct ImportRow {
        /// The line of the file on which it begins.
        pub line: i64,
        /// What it is.
        pub verdict: RowVerdict,
        /// What identifies the thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<String>,
        /// The fields that the row sets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub data: Option<Value>,
        /// What these fields hold now, where the row changes them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<Value>,
        /// Whether it sets a password.
        pub sets_password: bool,
        /// Whether it sets an access token.
        pub sets_access_token: bool,
        /// What is wrong: `{column, code, message, value}` each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub faults: Option<Value>,
        /// The cells of a rejected row as they stand in the file, by column; null where one is or may be a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cells: Option<Vec<Option<String>>>,
    }
}

crate::wire! {
    /// Corrects rejected rows of a staged import; they are checked and compared anew.
    #[serde(deny_unknown_fields)]
    pub struct CorrectRows {
        /// The rows, at most 100.
        pub rows: Vec<RowCorrection>,
    }
}

crate::wire! {
    /// What a rejected row is to say: some of its cells, or all of it. With neither it is checked again as it stands.
    #[serde(deny_unknown_fields)]
    pub struct RowCorrection {
        /// The line of the file on which it begins.
        pub line: i64,
        /// Cells that are to be otherwise; the others stay.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub cells: Vec<CellCorrection>,
        /// The whole row, as a line of the file would have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub text: Option<Secret>,
    }
}

crate::wire! {
    /// What a cell is to say.
    #[serde(deny_unknown_fields)]
    pub struct CellCorrection {
        /// Its column, counted from 1.
        pub column: u32,
        /// Its text; none makes it empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub text: Option<Secret>,
    }
}

crate::words! {
    /// Which rows a commit stores.
    pub enum CommitRows {
        /// All; refused while any row has faults.
        All = "all",
        /// Those without faults.
        Good = "good",
    }
}

crate::wire! {
    /// Commits a staged import.
    #[serde(deny_unknown_fields)]
    pub struct Commit {
        /// Which rows.
        pub rows: CommitRows,
    }
}

crate::wire! {
    /// What undoing an import did.
    pub struct Undone {
        /// The import.
        pub import: Import,
        /// Things that were made, and are gone again.
        pub removed: i64,
        /// Things that were changed, and are as before again.
        pub restored: i64,
        /// Things that were touched since, and were left as they are.
        pub kept: i64,
    }
}
