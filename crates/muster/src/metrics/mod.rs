//! Metrics: what happened by day, model and step. The rollup counts days again from the step log and the history, which only
//! grow, and stores counts and sums; whatever is read here is added up from those.

use chrono::{DateTime, Days, NaiveDate, Utc};
use muster_wire::{
    Fault, ModelId, Step,
    metrics::{
        Attempts, CAUSES_MAX, Day, Events, Failures, MODELS_MAX, Metrics, ModelMetrics, ModelTotals,
        PERIOD_DAYS_DEFAULT, PERIOD_DAYS_MAX, Rollup, StepMetrics, Stock, Totals,
    },
};

use crate::{
    actor::Actor,
    db::Tx,
    models,
    problem::{Bug, Failure, Refusal},
};

pub mod api;
mod chart;
pub mod export;
pub mod pages;

/// Counts days of the tenant again: those that are asked for, or those on which something can have happened since it was counted
/// last; gives how many. Metrics older than `keep_days` are deleted.
///
/// # Errors
/// The faults of the days, or that the database fails.
pub async fn roll_up(tx: &mut Tx, actor: &Actor, rollup: &Rollup, keep_days: u32) -> Result<i32, Failure> {
    Refusal::check(rollup.faults())?;
    tx.take_your_time().await?;
    let days = sqlx::query_file_scalar!(
        "src/metrics/roll_up.sql",
        actor.tenant.0,
        rollup.from,
        rollup.to,
        i32::try_from(keep_days).map_err(Bug::new)?
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(days)
}

/// The days that are asked about, and of which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// The model; none for all.
    pub model_id: Option<ModelId>,
}

impl Period {
    /// The period between these days, both counted; without them the last 28 days until today.
    ///
    /// # Errors
    /// When the last day is before the first, or there are more than 92, or one is out of any calendar.
    pub fn new(
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        model_id: Option<ModelId>,
        today: NaiveDate,
    ) -> Result<Self, Refusal> {
        let fault = |name: &str, detail: String| Refusal::invalid(vec![Fault::new(name, "range", detail)]);
        let default = PERIOD_DAYS_DEFAULT.unsigned_abs() - 1;
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) => (from, from.max(today)),
            (None, to) => {
                let to = to.unwrap_or(today);
                (to.checked_sub_days(Days::new(default)).unwrap_or(to), to)
            }
        };
        let period = Self { from, to, model_id };
        if to < from {
            return Err(fault("to", "to is the last day: not before from".to_owned()));
        }
        if period.days() > PERIOD_DAYS_MAX {
            return Err(fault(
                "from",
                format!("a period has at most {PERIOD_DAYS_MAX} days"),
            ));
        }
        if [from, to].iter().any(|day| !(EARLIEST..=LATEST).contains(day)) {
            return Err(fault(
                "from",
                format!("a period lies between {EARLIEST} and {LATEST}"),
            ));
        }
        Ok(period)
    }

    /// How many days it has.
    pub fn days(&self) -> i64 {
        (self.to - self.from).num_days() + 1
    }

    /// The first day of the period before, which is as long.
    pub fn before(&self) -> NaiveDate {
        self.from
            .checked_sub_days(Days::new(self.days().unsigned_abs()))
            .unwrap_or(self.from)
    }
}

/// No day before this, or after [`LATEST`], is asked about.
const EARLIEST: NaiveDate = day(2000);
/// See [`EARLIEST`].
const LATEST: NaiveDate = day(2200);

const fn day(year: i32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, 1, 1) {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}

/// The metrics of a period and of the one before it.
///
/// # Errors
/// When there is no such model, or the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, period: &Period) -> Result<Metrics, Failure> {
    if let Some(model) = period.model_id {
        models::get(tx, actor, model).await?;
    }
    let (tenant, model) = (actor.tenant.0, period.model_id.map(|id| id.0));
    let counted_until = sqlx::query_file_scalar!("src/metrics/counted_until.sql", tenant)
        .fetch_optional(&mut **tx)
        .await?
        .flatten();
    let days = sqlx::query_file_as!(
        DayRow,
        "src/metrics/days.sql",
        tenant,
        period.before(),
        period.to,
        model
    )
    .fetch_all(&mut **tx)
    .await?;
    let steps = sqlx::query_file_as!(
        StepRow,
        "src/metrics/steps.sql",
        tenant,
        period.before(),
        period.to,
        model
    )
    .fetch_all(&mut **tx)
    .await?;
    let failures = sqlx::query_file!(
        "src/metrics/failures.sql",
        tenant,
        period.from,
        period.to,
        model,
        CAUSES_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut metrics = Metrics {
        from: period.from,
        to: period.to,
        model_id: period.model_id,
        counted_until,
        period: Totals::default(),
        before: Totals::default(),
        stock_before: None,
        models: match period.model_id {
            None => by_model(tx, actor, period).await?,
            Some(_) => Vec::new(),
        },
        days: Vec::new(),
        failures: Vec::with_capacity(failures.len()),
    };
    for row in failures {
        metrics.failures.push(Failures {
            step: step(row.step_number)?,
            cause: row.cause,
            failures: row.failures,
        });
    }
    let mut steps = steps.into_iter().peekable();
    for row in days {
        let mut day = Day {
            date: row.date,
            steps: Vec::new(),
            events: row.events(),
            stock: row.stock(),
        };
        while let Some(row) = steps.next_if(|step| step.date <= day.date) {
            day.steps.push(row.step()?);
        }
        let now = day.date >= period.from;
        let totals = if now {
            &mut metrics.period
        } else {
            &mut metrics.before
        };
        totals.events.add(&day.events);
        for step in &day.steps {
            match totals.steps.iter_mut().find(|known| known.step == step.step) {
                Some(known) => known.counts.add(&step.counts),
                None => totals.steps.push(step.clone()),
            }
        }
        if now {
            metrics.days.push(day);
        } else {
            metrics.stock_before = day.stock.or(metrics.stock_before);
        }
    }
    for totals in [&mut metrics.period, &mut metrics.before] {
        totals.steps.sort_by_key(|step| step.step);
    }
    Ok(metrics)
}

/// What happened to the accounts of each model.
async fn by_model(tx: &mut Tx, actor: &Actor, period: &Period) -> Result<Vec<ModelMetrics>, Failure> {
    let rows = sqlx::query_file!(
        "src/metrics/by_model.sql",
        actor.tenant.0,
        period.before(),
        period.from,
        period.to,
        MODELS_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut models: Vec<ModelMetrics> = Vec::new();
    for row in rows {
        let totals = ModelTotals {
            attempts: Attempts {
                attempts: row.attempts,
                completed: row.completed,
                failed: row.failed,
                given_to_people: row.given_to_people,
                unreported: row.unreported,
                bot_actions: row.bot_actions,
                bot_errors: row.bot_errors,
                timed: row.timed,
                time_ms: row.time_ms,
            },
            events: Events {
                failed_accounts: row.failed_accounts,
                warmups_finished: row.warmups_finished,
                warmup_secs: row.warmup_secs,
                reviews_approved: row.reviews_approved,
                reviews_resumed: row.reviews_resumed,
                reviews_rejected: row.reviews_rejected,
            },
        };
        if models.last().is_none_or(|last| last.model_id != row.model_id) {
            models.push(ModelMetrics {
                model_id: row.model_id,
                model: row.model,
                period: ModelTotals::default(),
                before: ModelTotals::default(),
            });
        }
        if let Some(model) = models.last_mut() {
            let of = if row.now {
                &mut model.period
            } else {
                &mut model.before
            };
            *of = totals;
        }
    }
    Ok(models)
}

fn step(number: i16) -> Result<Step, Bug> {
    Step::from_number(number).ok_or_else(|| Bug::new("the database knows five steps"))
}

struct DayRow {
    date: NaiveDate,
    failed_accounts: i32,
    warmups_finished: i32,
    warmup_secs: i64,
    reviews_approved: i32,
    reviews_resumed: i32,
    reviews_rejected: i32,
    counted_at: Option<DateTime<Utc>>,
    total_accounts: i32,
    active_accounts: i32,
    warming_up_accounts: i32,
    active_proxies: i32,
    proxy_places: i32,
    proxy_accounts: i32,
    proxy_monthly_cost: rust_decimal::Decimal,
}

impl DayRow {
    fn events(&self) -> Events {
        Events {
            failed_accounts: self.failed_accounts.into(),
            warmups_finished: self.warmups_finished.into(),
            warmup_secs: self.warmup_secs,
            reviews_approved: self.reviews_approved.into(),
            reviews_resumed: self.reviews_resumed.into(),
            reviews_rejected: self.reviews_rejected.into(),
        }
    }

    fn stock(&self) -> Option<Stock> {
        Some(Stock {
            counted_at: self.counted_at?,
            total_accounts: self.total_accounts.into(),
            active_accounts: self.active_accounts.into(),
            warming_up_accounts: self.warming_up_accounts.into(),
            active_proxies: self.active_proxies.into(),
            proxy_places: self.proxy_places.into(),
            proxy_accounts: self.proxy_accounts.into(),
            proxy_monthly_cost: self.proxy_monthly_cost,
        })
    }
}

struct StepRow {
    date: NaiveDate,
    step_number: i16,
    attempts: i32,
    completed: i32,
    failed: i32,
    given_to_people: i32,
    unreported: i32,
    bot_actions: i32,
    bot_errors: i32,
    timed: i32,
    time_ms: i64,
}

impl StepRow {
    fn step(&self) -> Result<StepMetrics, Bug> {
        Ok(StepMetrics {
            step: step(self.step_number)?,
            counts: Attempts {
                attempts: self.attempts.into(),
                completed: self.completed.into(),
                failed: self.failed.into(),
                given_to_people: self.given_to_people.into(),
                unreported: self.unreported.into(),
                bot_actions: self.bot_actions.into(),
                bot_errors: self.bot_errors.into(),
                timed: self.timed.into(),
                time_ms: self.time_ms,
            },
        })
    }
}
