//! The tenant that the caller acts in: its settings, its pause, and its data keys.

use chrono::{DateTime, Utc};

use crate::{Fault, TenantId, check, patch, tokens::REQUESTS_PER_MINUTE_MAX};

/// The longest name of a tenant.
pub const TENANT_NAME_CHARS_MAX: usize = 100;

crate::wire! {
    /// A tenant.
    pub struct Tenant {
        /// Its id.
        pub id: TenantId,
        /// Its name.
        pub name: String,
        /// Since when everything stands still, while it does.
        pub paused_at: Option<DateTime<Utc>>,
        /// Why, while it does.
        pub pause_reason: Option<String>,
        /// How many requests a minute all its tokens may make together.
        pub requests_per_minute: i32,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// The version of what is stored; quoted, it is the `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// What is to change about the tenant.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct TenantChange {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub name: Option<String>,
        /// How many requests a minute all its tokens may make together.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000000))]
        pub requests_per_minute: Option<i32>,
    }
}

impl TenantChange {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = &self.name {
            check::text(&mut faults, "/name", name, 1..=TENANT_NAME_CHARS_MAX);
        }
        if let Some(number) = self.requests_per_minute {
            check::range(
                &mut faults,
                "/requests_per_minute",
                number,
                1..=REQUESTS_PER_MINUTE_MAX,
            );
        }
        faults
    }
}

crate::wire! {
    /// The data keys of the tenant, and how far a rotation has come.
    pub struct Keys {
        /// The version that seals now.
        pub current: i32,
        /// Whether it still seals anew what older versions have sealed.
        pub resealing: bool,
        /// Every version there is, oldest first. Old ones stay, because backups hold what they sealed.
        pub versions: Vec<KeyVersion>,
    }
}

crate::wire! {
    /// One version of the tenant's data key.
    pub struct KeyVersion {
        /// The version.
        pub version: i32,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// Names the master key that wraps it, without telling it.
        pub master_key_id: String,
        /// How many secrets that older versions had sealed it has sealed anew.
        pub resealed: i64,
        /// How many of those did not open, and stay as they are; the server's log says which. Counted at the end.
        pub failed: i64,
        /// When nothing that opens was left to be sealed anew; absent while that goes on.
        pub resealed_at: Option<DateTime<Utc>>,
    }
}
