//! Changes: in the body of a PATCH a field that is absent stays as it is, and one that is `null` is cleared.
//!
//! Each field of a change is read by [`value`] or by [`nullable`], and is left out when it is `None`:
//! `#[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]`.

use serde::{Deserialize, Deserializer};

/// Reads a field that cannot be cleared: `null` is refused, like any other wrong type.
///
/// # Errors
/// When it is not a `T`.
pub fn value<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a field that can be cleared: `Some(None)` is `null`.
///
/// # Errors
/// When it is neither `null` nor a `T`.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::patch;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "patch::value"
        )]
        port: Option<u16>,
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "patch::nullable"
        )]
        note: Option<Option<String>>,
    }

    #[test]
    fn absent_null_and_a_value_are_three_things_both_ways() {
        for (json, note) in [
            ("{}", None),
            (r#"{"note":null}"#, Some(None)),
            (r#"{"note":"x"}"#, Some(Some("x".to_owned()))),
        ] {
            let change: Change = serde_json::from_str(json).expect("it is read");
            assert_eq!(change, Change { port: None, note });
            assert_eq!(serde_json::to_string(&change).expect("it is written"), json);
        }
    }

    #[test]
    fn what_cannot_be_cleared_refuses_null() {
        assert!(serde_json::from_str::<Change>(r#"{"port":null}"#).is_err());
        assert!(serde_json::from_str::<Change>(r#"{"port":1}"#).is_ok());
    }
}
