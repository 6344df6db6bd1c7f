//! Operators: people, what they may do in a tenant, their passwords and their sessions.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use crate::{Fault, OperatorId, Role, TenantId, check, patch, secret::Secret};

/// The longest e-mail address.
pub const EMAIL_CHARS_MAX: usize = 255;

/// The longest name of a person.
pub const OPERATOR_NAME_CHARS_MAX: usize = 100;

/// The shortest password.
pub const PASSWORD_CHARS_MIN: usize = 12;

/// The longest password: bcrypt would ignore what comes after.
pub const PASSWORD_BYTES_MAX: usize = 72;

crate::wire! {
    /// A member of the tenant.
    pub struct Operator {
        /// Their id.
        pub id: OperatorId,
        /// Their e-mail address, by which they sign in.
        pub email: String,
        /// Their name.
        pub name: String,
        /// What they may do here.
        pub role: Role,
        /// Since when they belong to the tenant.
        pub created_at: DateTime<Utc>,
        /// Whether they present a code beside their password here.
        pub second_factor: bool,
        /// Until when a link to set a password works that was made for them here and that they have not used.
        pub invited_until: Option<DateTime<Utc>>,
        /// The version of the membership; quoted, it is the `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// A person who is to become a member.
    #[serde(deny_unknown_fields)]
    pub struct NewOperator {
        /// Their e-mail address. Upper and lower case are the same.
        #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 255))]
        pub email: String,
        /// Their name; that of a person who is known to the server already stays as they have it.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub name: String,
        /// What they may do; at most what the caller may.
        pub role: Role,
    }
}

impl NewOperator {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        email(&mut faults, "/email", &self.email);
        check::text(&mut faults, "/name", &self.name, 1..=OPERATOR_NAME_CHARS_MAX);
        faults
    }
}

fn email(faults: &mut Vec<Fault>, pointer: &str, text: &str) {
    check::text(faults, pointer, text, 3..=EMAIL_CHARS_MAX);
    let parts = text.split_once('@');
    let sound = parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if !sound || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        faults.push(Fault::new(
            pointer,
            "email",
            "this is no e-mail address: write name@example.com",
        ));
    }
}

crate::wire! {
    /// What is to change about a member.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct OperatorChange {
        /// What they may do from now on.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        pub role: Option<Role>,
    }
}

crate::wire! {
    /// What lets one person set their password, once.
    pub struct PasswordLink {
        /// The token for `POST /v1/password`. Shown this once.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        pub token: Secret,
        /// Until when it works.
        pub expires_at: DateTime<Utc>,
    }
}

crate::wire! {
    /// A password that a person sets for themselves.
    #[serde(deny_unknown_fields)]
    pub struct NewPassword {
        /// The token of the link.
        pub token: Secret,
        /// The password: at least 12 characters and at most 72 bytes.
        pub password: Secret,
    }
}

impl NewPassword {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let password = self.password.0.expose_secret();
        let mut faults = Vec::new();
        if password.chars().count() < PASSWORD_CHARS_MIN {
            let detail =
                format!("a password has at least {PASSWORD_CHARS_MIN} characters: a few words will do");
            faults.push(Fault::new("/password", "length", detail));
        }
        faults.extend(too_long(password));
        faults
    }
}

fn too_long(password: &str) -> Option<Fault> {
    (password.len() > PASSWORD_BYTES_MAX).then(|| {
        let detail =
            format!("a password has at most {PASSWORD_BYTES_MAX} bytes: what comes after would not count");
        Fault::new("/password", "length", detail)
    })
}

crate::wire! {
    /// Signs a person in.
    #[serde(deny_unknown_fields)]
    pub struct SignIn {
        /// Their e-mail address.
        #[cfg_attr(feature = "openapi", schema(max_length = 255))]
        pub email: String,
        /// Their password.
        pub password: Secret,
        /// The code that their device shows, where they have set up a second factor in the tenant; or one of their recovery codes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 6, max_length = 40))]
        pub code: Option<String>,
        /// The tenant to enter; the first of theirs when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tenant: Option<TenantId>,
    }
}

impl SignIn {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/email", &self.email, 1..=EMAIL_CHARS_MAX);
        faults.extend(too_long(self.password.0.expose_secret()));
        faults
    }
}

crate::wire! {
    /// Who has signed in, and where.
    pub struct SignedIn {
        /// Who.
        pub operator_id: OperatorId,
        /// Their name.
        pub name: String,
        /// The tenant that they are in now.
        pub tenant_id: TenantId,
        /// What they may do there.
        pub role: Role,
        /// When the session ends unless it is used.
        pub expires_at: DateTime<Utc>,
        /// All tenants that they may enter, each by signing in to it.
        pub tenants: Vec<OpenTenant>,
    }
}

crate::wire! {
    /// A tenant that a person may enter.
    pub struct OpenTenant {
        /// Its id.
        pub tenant_id: TenantId,
        /// Its name.
        pub name: String,
        /// What they may do there.
        pub role: Role,
    }
}

crate::wire! {
    /// A session of the caller's.
    pub struct Session {
        /// Names it; not the secret.
        pub id: String,
        /// When they signed in.
        pub created_at: DateTime<Utc>,
        /// When it was last used, to the minute.
        pub last_seen_at: DateTime<Utc>,
        /// When it ends unless it is used.
        pub expires_at: DateTime<Utc>,
        /// From where they signed in.
        pub address: Option<String>,
        /// With what they signed in.
        pub user_agent: Option<String>,
        /// Whether this request was made with it.
        pub current: bool,
    }
}
