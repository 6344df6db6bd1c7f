//! Models: the brands or creators that sets of accounts represent.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::{Fault, Filter, ModelId, Step, check, patch};

/// The longest name of a model.
pub const MODEL_NAME_CHARS_MAX: usize = 255;

/// The longest description of a model.
pub const MODEL_DESCRIPTION_CHARS_MAX: usize = 10_000;

/// The largest posting schedule, as JSON.
pub const POSTING_SCHEDULE_BYTES_MAX: usize = 16 << 10;

/// The longest reason that a person gives for what they do.
pub const REASON_CHARS_MAX: usize = 500;

crate::words! {
    /// Whether a model's accounts are worked.
    pub enum ModelStatus {
        /// They are.
        Active = "active",
        /// They are not: the model is out of use.
        Inactive = "inactive",
        /// They are not, for now.
        Paused = "paused",
    }
}

/// Warm-up steps: their names in JSON, their numbers in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Steps(pub Vec<Step>);

impl Steps {
    /// Their numbers, in order, each once.
    pub fn numbers(&self) -> Vec<i16> {
        let steps: std::collections::BTreeSet<Step> = self.0.iter().copied().collect();
        steps.into_iter().map(Step::number).collect()
    }
}

#[cfg(feature = "sql")]
impl sqlx::Type<sqlx::Postgres> for Steps {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <Vec<i16> as sqlx::Type<sqlx::Postgres>>::type_info()
    }
}

#[cfg(feature = "sql")]
impl<'r> sqlx::Decode<'r, sqlx::Postgres> for Steps {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let numbers = <Vec<i16> as sqlx::Decode<sqlx::Postgres>>::decode(value)?;
        let step = |number| Step::from_number(number).ok_or(format!("there is no step {number}"));
        Ok(Self(numbers.into_iter().map(step).collect::<Result<_, _>>()?))
    }
}

crate::wire! {
    /// A model.
    pub struct Model {
        /// Its id.
        pub id: ModelId,
        /// Its name, unique in the tenant.
        pub name: String,
        /// What it is about.
        pub description: Option<String>,
        /// Whether its accounts are worked.
        pub status: ModelStatus,
        /// Why it is paused, while it is and somebody said so.
        pub pause_reason: Option<String>,
        /// A stored policy, in percent. Nothing acts on it.
        pub unfollow_ratio: i32,
        /// A stored policy. Nothing acts on it.
        pub daily_follow_limit: i32,
        /// When to post, in the words of the organisation. Stored only.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        pub posting_schedule: Value,
        /// The steps that only people may do.
        pub people_steps: Steps,
        /// Its accounts.
        pub total_accounts: i32,
        /// Those of them that are in use.
        pub active_accounts: i32,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// When it was last changed.
        pub updated_at: DateTime<Utc>,
        /// The version of what is stored; quoted, it is the `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// A model that is to be made.
    #[serde(deny_unknown_fields)]
    pub struct NewModel {
        /// Its name, unique in the tenant.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
        pub name: String,
        /// What it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
        pub description: Option<String>,
        /// Whether its accounts are worked; `active` when absent.
        #[serde(default = "active")]
        pub status: ModelStatus,
        /// A stored policy, in percent; 90 when absent. Nothing acts on it.
        #[serde(default = "unfollow_ratio")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
        pub unfollow_ratio: i32,
        /// A stored policy; 50 when absent. Nothing acts on it.
        #[serde(default = "daily_follow_limit")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
        pub daily_follow_limit: i32,
        /// When to post, in the words of the organisation; at most 16 KiB. Stored only.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        pub posting_schedule: Map<String, Value>,
        /// The steps that only people may do.
        #[serde(default)]
        pub people_steps: Steps,
    }
}

fn active() -> ModelStatus {
    ModelStatus::Active
}

fn unfollow_ratio() -> i32 {
    90
}

fn daily_follow_limit() -> i32 {
    50
}

crate::wire! {
    /// A change of a model: what is absent stays as it is.
    #[derive(Default)]
    #[serde(deny_unknown_fields)]
    pub struct ModelChange {
        /// Its name, unique in the tenant.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255, nullable = false))]
        pub name: Option<String>,
        /// What it is about; `null` clears it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 10000))]
        pub description: Option<Option<String>>,
        /// Whether its accounts are worked.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub status: Option<ModelStatus>,
        /// A stored policy, in percent. Nothing acts on it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100, nullable = false))]
        pub unfollow_ratio: Option<i32>,
        /// A stored policy. Nothing acts on it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000, nullable = false))]
        pub daily_follow_limit: Option<i32>,
        /// When to post, in the words of the organisation; at most 16 KiB. Replaces what is stored, as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>, nullable = false))]
        pub posting_schedule: Option<Map<String, Value>>,
        /// The steps that only people may do. Replaces those that are stored.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub people_steps: Option<Steps>,
    }
}

impl NewModel {
    /// A model of this name, and of the rest what is usual.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            status: active(),
            unfollow_ratio: unfollow_ratio(),
            daily_follow_limit: daily_follow_limit(),
            posting_schedule: Map::new(),
            people_steps: Steps::default(),
        }
    }

    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let NewModel {
            name,
            description,
            status,
            unfollow_ratio,
            daily_follow_limit,
            posting_schedule,
            people_steps,
        } = self.clone();
        ModelChange {
            name: Some(name),
            description: Some(description),
            status: Some(status),
            unfollow_ratio: Some(unfollow_ratio),
            daily_follow_limit: Some(daily_follow_limit),
            posting_schedule: Some(posting_schedule),
            people_steps: Some(people_steps),
        }
        .faults()
    }
}

impl ModelChange {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = &self.name {
            check::text(&mut faults, "/name", name, 1..=MODEL_NAME_CHARS_MAX);
        }
        if let Some(Some(description)) = &self.description {
            check::text(
                &mut faults,
                "/description",
                description,
                0..=MODEL_DESCRIPTION_CHARS_MAX,
            );
        }
        if let Some(ratio) = self.unfollow_ratio {
            check::range(&mut faults, "/unfollow_ratio", ratio, 0..=100);
        }
        if let Some(limit) = self.daily_follow_limit {
            check::range(&mut faults, "/daily_follow_limit", limit, 1..=1000);
        }
        if let Some(schedule) = &self.posting_schedule {
            let schedule = Value::Object(schedule.clone());
            check::object(
                &mut faults,
                "/posting_schedule",
                &schedule,
                POSTING_SCHEDULE_BYTES_MAX,
            );
        }
        faults
    }
}

crate::wire! {
    /// Why something is done.
    #[serde(deny_unknown_fields)]
    pub struct Because {
        /// The reason, for those who read the audit log.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
    }
}

impl Because {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/reason", &self.reason, 1..=REASON_CHARS_MAX);
        faults
    }
}

/// Which models a list shows: `status:paused`, and words that their names hold.
#[derive(Debug, Clone, Default)]
pub struct ModelFilter {
    /// Only those of this status.
    pub status: Option<ModelStatus>,
    /// Only those whose name holds this, in any case.
    pub words: Option<String>,
}

impl ModelFilter {
    /// Takes what it knows from a filter.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            status: filter.read("status"),
            words: filter.words(),
        };
        filter.finish()?;
        Ok(this)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_model_tells_all_its_faults_at_once() {
        let new: NewModel = serde_json::from_value(json!({
            "name": "", "description": "\0", "unfollow_ratio": 101, "daily_follow_limit": 0,
            "posting_schedule": {"mon": "x".repeat(POSTING_SCHEDULE_BYTES_MAX)},
        }))
        .expect("its types are right");
        let pointers: Vec<_> = new.faults().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/name",
                "/description",
                "/unfollow_ratio",
                "/daily_follow_limit",
                "/posting_schedule"
            ]
        );
        assert!(NewModel::named("North Side").faults().is_empty());
    }

    #[test]
    fn steps_are_kept_in_order_and_once() {
        let steps = Steps(vec![Step::PostPost, Step::ChangePfp, Step::PostPost]);
        assert_eq!(steps.numbers(), [1, 5]);
    }
}
