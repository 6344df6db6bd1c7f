//! What crosses Muster's API: requests, answers, ids, the lifecycle and the problems.
//!
//! This crate does no I/O and reads no clock; it is shared by the server, the client and the command line, so that each
//! word of the API is written once. Requests refuse unknown fields; answers may gain fields within `/v1`.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod batches;
pub mod board;
pub mod bots;
pub mod check;
pub mod content;
pub mod doctor;
pub mod filter;
pub mod id;
pub mod imports;
pub mod lifecycle;
pub mod metrics;
pub mod models;
pub mod operators;
pub mod page;
pub mod patch;
pub mod problem;
pub mod proxies;
pub mod reviews;
pub mod secret;
pub mod tenants;
pub mod texts;
pub mod today;
pub mod tokens;
pub mod views;
pub mod work;

pub use access::Role;
pub use filter::Filter;
pub use id::*;
pub use lifecycle::{Event, State, Step};
pub use page::Page;
pub use problem::{Fault, Problem};
pub use secret::Secret;

/// Derives what every type of the API has: serde both ways, `Debug`, `Clone`, and the OpenAPI schema in the server.
#[macro_export]
macro_rules! wire {
    ($(#[$meta:meta])* pub struct $($rest:tt)*) => {
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        $(#[$meta])*
        pub struct $($rest)*
    };
}

/// Makes a closed set of words: an enum that is written in JSON, SQL, URLs and on screens by the same snake_case words.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:tt,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of their definition.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word it is written as.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::problem::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::problem::UnknownWord {
                        given: text.chars().take(40).collect(),
                        allowed: &[$($word,)+],
                    }),
                }
            }
        }

        // Read as a text: of a derived enum that is given a number, serde_json says that it is no JSON.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?
                    .parse()
                    .map_err(|unknown: $crate::problem::UnknownWord| serde::de::Error::custom(unknown.expected()))
            }
        }

        #[cfg(feature = "sql")]
        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <str as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(ty: &sqlx::postgres::PgTypeInfo) -> bool {
                <str as sqlx::Type<sqlx::Postgres>>::compatible(ty)
            }
        }

        #[cfg(feature = "sql")]
        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?.parse()?)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.word().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::problem::UnknownWord;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}
