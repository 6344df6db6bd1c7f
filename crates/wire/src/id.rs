//! Ids: one type per thing, so that an account's id cannot be passed where a proxy's is asked for.

use std::{fmt, str::FromStr};

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "sql", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }
    )+};
}

ids! {
    /// A tenant: an organisation; the unit of isolation.
    TenantId,
    /// An operator: a person who signs in.
    OperatorId,
    /// A bot: a program with an API token that works steps.
    BotId,
    /// An API token.
    TokenId,
    /// A model: the brand or creator that a set of accounts represents.
    ModelId,
    /// An account.
    AccountId,
    /// A proxy: network egress.
    ProxyId,
    /// An item of content: a picture, perhaps with a text.
    ContentId,
    /// A text.
    TextId,
    /// An import: one file, staged, committed, perhaps undone.
    ImportId,
    /// A batch: one change of many accounts.
    BatchId,
    /// A view: a list that is looked at again.
    ViewId,
}
