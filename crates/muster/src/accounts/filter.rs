//! Which accounts are meant: the qualifiers of the list of accounts, of reviews, and of "all that match".

use std::{fmt, str::FromStr};

use muster_wire::{
    Filter, State, Step,
    accounts::{AccountStatus, Hold},
    filter::{Age, YesNo},
    problem::Fault,
    reviews::ReviewKind,
};
use serde::Serialize;

use crate::{
    actor::Actor,
    db::Tx,
    problem::{Bug, Failure, Refusal},
};

/// A filter of accounts that has been read; what is absent does not restrict. The database reads it in
/// `account_matches` and `walk_accounts`, by these names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountFilter {
    pub(super) state: Option<State>,
    pub(super) status: Option<AccountStatus>,
    pub(super) model_id: Option<i64>,
    pub(super) no_model: Option<bool>,
    pub(super) proxy_id: Option<i64>,
    pub(super) no_proxy: Option<bool>,
    pub(super) step: Option<i16>,
    pub(super) review: Option<bool>,
    pub(super) username: Option<String>,
    pub(super) stuck_longer_secs: Option<i64>,
    pub(super) stuck_shorter_secs: Option<i64>,
    pub(super) unauthorised: Option<bool>,
    pub(super) lapsed: Option<bool>,
    pub(super) lapses_within_secs: Option<i64>,
    pub(super) lasts_secs: Option<i64>,
    pub(super) hold: Option<String>,
    pub(super) review_event: Option<&'static str>,
    pub(super) undecided: Option<bool>,
}

impl AccountFilter {
    /// Reads the filter of a list of accounts: `model:`, `state:`, `status:`, `proxy:`, `step:`, `stuck:`,
    /// `authorisation:`, `review:`, `hold:`, and words, with which user names begin.
    ///
    /// # Errors
    /// Every fault of the filter; or the database's.
    pub async fn accounts(tx: &mut Tx, actor: &Actor, mut filter: Filter) -> Result<Self, Failure> {
        let read = Self {
            state: filter.read("state"),
            ..Self::default()
        };
        read.rest(tx, actor, filter).await
    }

    /// Reads the filter of a list of reviews: as that of accounts, but for `state:`; and `kind:`.
    ///
    /// # Errors
    /// As [`AccountFilter::accounts`].
    pub async fn reviews(tx: &mut Tx, actor: &Actor, mut filter: Filter) -> Result<Self, Failure> {
        let read = Self {
            state: Some(State::HumanReview),
            review_event: filter.read::<ReviewKind>("kind").map(|kind| kind.event().word()),
            ..Self::default()
        };
        read.rest(tx, actor, filter).await
    }

    /// Leaves out those that a batch is about to move. They are counted until it has.
    pub fn undecided(mut self) -> Self {
        self.undecided = Some(true);
        self
    }

    async fn rest(mut self, tx: &mut Tx, actor: &Actor, mut filter: Filter) -> Result<Self, Failure> {
        self.status = filter.read("status");
        self.step = filter.read("step").map(|StepTerm(number)| number);
        self.review = filter.read::<YesNo>("review").map(bool::from);
        self.hold = filter
            .read("hold")
            .map(|HoldTerm(hold)| hold.map_or("none", Hold::word).to_owned());
        self.username = filter
            .words()
            .map(|words| words.trim_start_matches('@').to_lowercase());
        match filter.read::<ProxyTerm>("proxy") {
            Some(ProxyTerm(Some(id))) => self.proxy_id = Some(id),
            Some(ProxyTerm(None)) => self.no_proxy = Some(true),
            None => {}
        }
        match filter.read::<Age>("stuck") {
            Some(age) if age.longer => self.stuck_longer_secs = Some(age.secs),
            Some(age) => self.stuck_shorter_secs = Some(age.secs),
            None => {}
        }
        match filter.read("authorisation") {
            Some(AuthorisationTerm::None) => self.unauthorised = Some(true),
            Some(AuthorisationTerm::Lapsed) => self.lapsed = Some(true),
            Some(AuthorisationTerm::Ends(age)) if age.longer => self.lasts_secs = Some(age.secs),
            Some(AuthorisationTerm::Ends(age)) => self.lapses_within_secs = Some(age.secs),
            None => {}
        }
        let model = filter.take("model");
        filter.finish().map_err(Refusal::invalid)?;
        match model.as_deref() {
            Some("none") => self.no_model = Some(true),
            Some(model) => self.model_id = Some(model_named(tx, actor, model).await?),
            None => {}
        }
        Ok(self)
    }

    /// Where the counters of accounts know how many match: the model they are counted for, as the statement reads it.
    pub(super) fn counted(&self) -> Option<Option<i64>> {
        let counted = Self {
            state: self.state,
            status: self.status,
            model_id: self.model_id,
            no_model: self.no_model,
            ..Self::default()
        };
        let model = if self.no_model.is_some() {
            Some(-1)
        } else {
            self.model_id
        };
        (*self == counted).then_some(model)
    }

    /// As the database reads it.
    ///
    /// # Errors
    /// None that is known; a failure would be ours.
    pub fn json(&self) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::to_value(self).map_err(Bug::new)?)
    }
}

async fn model_named(tx: &mut Tx, actor: &Actor, model: &str) -> Result<i64, Failure> {
    sqlx::query_file_scalar!("src/accounts/model_named.sql", actor.tenant.0, model)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| {
            let detail = "model: there is no model of this name or id";
            Refusal::invalid(vec![Fault::new("filter", "no_such_model", detail)]).into()
        })
}

struct StepTerm(i16);

impl FromStr for StepTerm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbered = text.parse().ok().and_then(Step::from_number);
        let step = numbered.or_else(|| text.parse::<Step>().ok());
        step.map(|step| Self(step.number()))
            .ok_or_else(|| format!("{text:?} is no step: write 1 to 5, or a name such as change_bio"))
    }
}

struct ProxyTerm(Option<i64>);

impl FromStr for ProxyTerm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|id| Self(Some(id)))
                .map_err(|_| format!("{text:?} is no proxy: write its id, or none")),
        }
    }
}

struct HoldTerm(Option<Hold>);

impl FromStr for HoldTerm {
    type Err = muster_wire::problem::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|hold| Self(Some(hold))),
        }
    }
}

enum AuthorisationTerm {
    None,
    Lapsed,
    Ends(Age),
}

impl FromStr for AuthorisationTerm {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        match text {
            "none" => Ok(Self::None),
            "lapsed" => Ok(Self::Lapsed),
            _ => text.parse().map(Self::Ends).map_err(|_| TermError),
        }
    }
}

struct TermError;

impl fmt::Display for TermError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write lapsed, none, or when it ends, as in <30d or >30d")
    }
}
