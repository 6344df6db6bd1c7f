//! Transitions that are asked for, of one account or of many.

use crate::{AccountId, Event, Fault, check};

/// The longest reason that somebody can give for what they do.
pub const REASON_CHARS_MAX: usize = 500;

/// The most accounts that one request can name by their ids; a filter has no such limit.
pub const IDS_MAX: usize = 10_000;

/// The most refused accounts that one answer lists; they are all counted.
pub const REFUSALS_LISTED_MAX: usize = 1000;

/// What is wrong with a reason, where one is given.
pub fn reason_faults(reason: Option<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(reason) = reason {
        check::text(&mut faults, "/reason", reason, 1..=REASON_CHARS_MAX);
        if !reason.is_empty() && reason.trim().is_empty() {
            faults.push(Fault::new("/reason", "blank", "say why, in words"));
        }
    }
    faults
}

crate::wire! {
    /// Asks for one account to be moved.
    #[serde(deny_unknown_fields)]
    pub struct NewTransition {
        /// What is to happen: `release_proxy`, `start_warmup`, `activate`, `flag`, `retire` or `restore`.
        pub event: Event,
        /// Why, 1 to 500 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: Option<String>,
    }
}

impl NewTransition {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = reason_faults(self.reason.as_deref());
        event_faults(&mut faults, self.event);
        faults
    }
}

crate::wire! {
    /// Asks for many accounts to be moved: all that match the filter, or those named.
    #[serde(deny_unknown_fields)]
    pub struct NewTransitions {
        /// What is to happen: `release_proxy`, `start_warmup`, `activate`, `flag`, `retire` or `restore`.
        pub event: Event,
        /// Why, 1 to 500 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: Option<String>,
        /// Which accounts, in the grammar of the list; an empty text is all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Exactly these accounts, at most 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_items = 10000))]
        pub ids: Option<Vec<AccountId>>,
        /// How many accounts the caller believes these to be; with another number nothing is done. A filter needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0))]
        pub expected_count: Option<i64>,
        /// Says what would happen, and does nothing.
        #[serde(default)]
        pub dry_run: bool,
    }
}

impl NewTransitions {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = reason_faults(self.reason.as_deref());
        event_faults(&mut faults, self.event);
        which_faults(
            &mut faults,
            self.filter.as_deref(),
            self.ids.as_deref(),
            self.expected_count,
            self.dry_run,
        );
        faults
    }
}

fn event_faults(faults: &mut Vec<Fault>, event: Event) {
    let detail = match event {
        Event::AssignProxy => "proxies are assigned by POST /v1/proxies/assign",
        Event::Approve | Event::Resume => "reviews are decided by POST /v1/reviews",
        Event::FinishWarmup | Event::Escalate => "this follows from reported work, and is not asked for",
        _ => return,
    };
    faults.push(Fault::new("/event", "elsewhere", detail));
}

/// What is wrong with how a request says which accounts it is about.
pub fn which_faults(
    faults: &mut Vec<Fault>,
    filter: Option<&str>,
    ids: Option<&[AccountId]>,
    expected_count: Option<i64>,
    dry_run: bool,
) {
    match (filter, ids) {
        (Some(_), Some(_)) | (None, None) => {
            let detail = "say which accounts either by filter or by ids";
            faults.push(Fault::new("/filter", "either", detail));
        }
        (Some(_), None) if expected_count.is_none() && !dry_run => {
            let detail =
                "say how many accounts the filter matches: ask with dry_run first, and give its matched";
            faults.push(Fault::new("/expected_count", "missing", detail));
        }
        (None, Some(ids)) if ids.len() > IDS_MAX => {
            let detail = format!("name at most {IDS_MAX} accounts a request, or use a filter");
            faults.push(Fault::new("/ids", "length", detail));
        }
        _ => {}
    }
    if expected_count.is_some_and(|count| count < 0) {
        faults.push(Fault::new("/expected_count", "range", "a count is not negative"));
    }
}

crate::words! {
    /// Why an account was not moved.
    pub enum NotMoved {
        /// There is no such account.
        NotFound = "not_found",
        /// The lifecycle has no such transition from its state.
        IllegalTransition = "illegal_transition",
        /// It is not in review, so there is nothing to decide.
        NotInReview = "not_in_review",
        /// No authorisation is recorded.
        NotAuthorised = "not_authorised",
        /// Its authorisation has lapsed.
        AuthorisationLapsed = "authorisation_lapsed",
        /// It belongs to no model.
        NoModel = "no_model",
    }
}

crate::wire! {
    /// An account that was not moved, and why.
    pub struct RefusedAccount {
        /// The account.
        pub id: AccountId,
        /// Why.
        pub code: NotMoved,
        /// Why, and what to do about it, for people.
        pub reason: String,
    }
}

crate::wire! {
    /// What became of a request to move many accounts.
    pub struct Transitions {
        /// The accounts that it was about.
        pub matched: i64,
        /// Those that were moved, or would be in a dry run.
        pub moved: i64,
        /// Those that were not.
        pub refused_count: i64,
        /// The first 1000 of these, and why.
        pub refused: Vec<RefusedAccount>,
        /// Whether nothing was done.
        pub dry_run: bool,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_accounts_are_meant_is_said_once_and_a_filter_with_its_count() {
        let codes = |json: &str| {
            let asked: NewTransitions = serde_json::from_str(json).expect("it is read");
            asked.faults().into_iter().map(|f| f.pointer).collect::<Vec<_>>()
        };
        assert_eq!(codes(r#"{"event":"retire"}"#), ["/filter"]);
        assert_eq!(codes(r#"{"event":"retire","filter":"","ids":[]}"#), ["/filter"]);
        assert_eq!(
            codes(r#"{"event":"approve","filter":""}"#),
            ["/event", "/expected_count"]
        );
        assert!(codes(r#"{"event":"retire","filter":"","dry_run":true}"#).is_empty());
        assert!(codes(r#"{"event":"retire","ids":[1]}"#).is_empty());
    }
}
