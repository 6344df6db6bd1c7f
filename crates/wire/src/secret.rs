//! Secrets on their way to the server. No answer holds this type.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 4096;

/// A password or token in a request: `Debug` shows nothing of it, and it is wiped when dropped. It is written only where a
/// client sends it.
#[derive(Debug, Clone)]
pub struct Secret(pub SecretString);

impl Secret {
    /// Whether it can be stored: not empty, and not longer than [`SECRET_BYTES_MAX`].
    pub fn is_acceptable(&self) -> bool {
        (1..=SECRET_BYTES_MAX).contains(&self.0.expose_secret().len())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
    };

    impl PartialSchema for super::Secret {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
                .description(Some("Kept sealed, and never answered."))
                .min_length(Some(1))
                .max_length(Some(super::SECRET_BYTES_MAX))
                .write_only(true)
                .into()
        }
    }

    impl ToSchema for super::Secret {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_but_not_shown() {
        let secret: Secret = serde_json::from_str(r#""CANARY""#).expect("it is read");
        assert!(!format!("{secret:?}").contains("CANARY"));
        assert_eq!(serde_json::to_string(&secret).expect("it is written"), r#""CANARY""#);
        assert!(secret.is_acceptable() && !Secret::from("").is_acceptable());
    }
}
