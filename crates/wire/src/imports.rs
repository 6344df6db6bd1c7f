//! Imports: a file as a diff against what is stored, then committed as one request that can be undone.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::ImportId;

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
        /// What is wrong: `{column, code, message, value}` each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub faults: Option<Value>,
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
