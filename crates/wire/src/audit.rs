//! The audit log: what was done that is not a transition, by whom, with before and after.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{BotId, Fault, Filter, OperatorId, filter::Age};

crate::words! {
    /// The kinds of actors.
    pub enum TriggeredBy {
        /// A person.
        User = "user",
        /// A bot.
        Bot = "bot",
        /// The server itself.
        System = "system",
        /// One of the server's timers.
        Scheduler = "scheduler",
    }
}

crate::wire! {
    /// One thing that was done.
    pub struct AuditEntry {
        /// When.
        pub at: DateTime<Utc>,
        /// Names the entry.
        pub id: Uuid,
        /// What kind of actor did it.
        pub triggered_by: TriggeredBy,
        /// Which operator.
        pub operator_id: Option<OperatorId>,
        /// Which bot.
        pub bot_id: Option<BotId>,
        /// The name that they have now; absent for the server and its timers, and for those who are gone.
        pub actor_name: Option<String>,
        /// Because of which request.
        pub request_id: Option<Uuid>,
        /// From which address.
        pub address: Option<String>,
        /// What was done, as `object.verb`.
        pub action: String,
        /// The kind of thing that it was done to.
        pub object_type: String,
        /// Which one; absent where it was done to many.
        pub object_id: Option<String>,
        /// Why, where somebody said so.
        pub reason: Option<String>,
        /// What was there before.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub before: Option<Value>,
        /// What was there after.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub after: Option<Value>,
    }
}

/// Who did it, as a filter says it: `operator:7`, `bot:3`, `operator`, `system`, `scheduler`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorName {
    /// The kind.
    pub kind: TriggeredBy,
    /// Which one; all of the kind when absent.
    pub id: Option<i64>,
}

impl FromStr for ActorName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no actor: write operator:7, bot:3, system or scheduler");
        let (kind, id) = match text.split_once(':') {
            Some((kind, id)) => (kind, Some(id.parse().map_err(|_| refused())?)),
            None => (text, None),
        };
        let kind = match kind {
            "operator" => TriggeredBy::User,
            "bot" => TriggeredBy::Bot,
            "system" if id.is_none() => TriggeredBy::System,
            "scheduler" if id.is_none() => TriggeredBy::Scheduler,
            _ => return Err(refused()),
        };
        Ok(Self { kind, id })
    }
}

/// Which entries a list shows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what this actor did.
    pub actor: Option<ActorName>,
    /// Only this action, `token.create`, or those of one kind of thing, `token`.
    pub action: Option<String>,
    /// Only what was done to this kind of thing, and to which one.
    pub object: Option<(String, Option<String>)>,
    /// Only what this request did.
    pub request: Option<Uuid>,
    /// Only what is younger or older than this.
    pub since: Option<Age>,
}

impl AuditFilter {
    /// Reads it: `actor:`, `action:`, `object:account:12`, `request:` and `since:<2d`.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            actor: filter.read("actor"),
            action: filter.take("action"),
            object: filter.take("object").map(|object| match object.split_once(':') {
                Some((kind, id)) => (kind.to_owned(), Some(id.to_owned())),
                None => (object, None),
            }),
            request: filter.read("request"),
            since: filter.read("since"),
        };
        filter.finish().map(|()| this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_as_it_is_written() {
        let read = |text: &str| text.parse::<ActorName>().map(|actor| (actor.kind, actor.id));
        assert_eq!(read("operator:7"), Ok((TriggeredBy::User, Some(7))));
        assert_eq!(read("bot"), Ok((TriggeredBy::Bot, None)));
        assert_eq!(read("system"), Ok((TriggeredBy::System, None)));
        for wrong in ["operator:x", "system:1", "user:1", "", "bot:"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_object_is_a_kind_and_perhaps_an_id() {
        let read = |text| {
            AuditFilter::read(Filter::parse(text))
                .expect("it is a filter")
                .object
        };
        assert_eq!(
            read("object:account:12"),
            Some(("account".to_owned(), Some("12".to_owned())))
        );
        assert_eq!(read("object:account"), Some(("account".to_owned(), None)));
    }
}
