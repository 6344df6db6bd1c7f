//! Metrics on screen: rates, durations and causes of a period beside those of the period before, by day and by step.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use chrono::{NaiveDate, Utc};
use muster_wire::{
    Fault, Step,
    metrics::{Attempts, Day, MODELS_MAX, Metrics, ModelMetrics, PERIOD_DAYS_DEFAULT, Stock, Totals},
};
use serde::Deserialize;

use super::{Period, chart::Chart};
use crate::{
    app::App,
    console::{self, Faults, FormQuery, Shell, Visitor, ui},
    models,
    problem::{Failure, Refusal},
};

/// The page of metrics.
pub fn routes() -> Router<App> {
    Router::new().route("/daily-metrics", get(show))
}

/// The periods that one click away: so many days until today.
const PERIODS_DAYS: [i64; 3] = [7, PERIOD_DAYS_DEFAULT, 91];

/// What the form asks for, as it was written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    from: String,
    to: String,
    model: String,
}

#[derive(Template)]
#[template(path = "metrics/show.html")]
struct MetricsPage {
    shell: Shell,
    asked: Asked,
    faults: Faults,
    period: Period,
    metrics: Metrics,
    charts: Vec<Chart>,
}

/// A number of the period and the same of the one before.
struct Compared {
    label: &'static str,
    now: String,
    before: String,
    more: String,
}

impl MetricsPage {
    /// Whether nobody has counted yet, neither the server by its clock nor somebody these days.
    fn is_uncounted(&self) -> bool {
        self.metrics.counted_until.is_none() && sum(&self.metrics.period).attempts == 0
    }

    /// What the page says first.
    fn headlines(&self) -> Vec<Compared> {
        let (now, before) = (&self.metrics.period, &self.metrics.before);
        let (all, all_before) = (sum(now), sum(before));
        let stock = self.stock();
        vec![
            Compared {
                label: "of attempts completed",
                now: percent(all.success_percent()),
                before: percent(all_before.success_percent()),
                more: ui::count(all.attempts, "attempt", "attempts"),
            },
            Compared {
                label: "a warm-up took",
                now: duration(now.events.average_warmup_secs()),
                before: duration(before.events.average_warmup_secs()),
                more: format!("{} finished", ui::number(now.events.warmups_finished)),
            },
            Compared {
                label: "accounts given to people",
                now: ui::number(now.events.failed_accounts),
                before: ui::number(before.events.failed_accounts),
                more: format!(
                    "{} approved, {} sent back, {} rejected",
                    ui::number(now.events.reviews_approved),
                    ui::number(now.events.reviews_resumed),
                    ui::number(now.events.reviews_rejected)
                ),
            },
            Compared {
                label: "of bots' actions failed",
                now: percent(all.bot_error_percent()),
                before: percent(all_before.bot_error_percent()),
                more: format!("{} an action", millis(all.average_ms())),
            },
            Compared {
                label: "of proxies' places taken",
                now: percent(stock.and_then(Stock::proxy_percent)),
                before: percent(self.metrics.stock_before.as_ref().and_then(Stock::proxy_percent)),
                more: stock.map_or(String::new(), |stock| {
                    format!("{} a month", stock.proxy_monthly_cost.round_dp(2))
                }),
            },
        ]
    }

    /// What there was when it was counted last in the period.
    fn stock(&self) -> Option<&Stock> {
        self.metrics.days.iter().rev().find_map(|day| day.stock.as_ref())
    }

    /// The steps, each with what happened at it in the period and in the one before.
    fn steps(&self) -> Vec<(Step, Attempts, Attempts)> {
        let of = |totals: &Totals, step: Step| {
            let found = totals.steps.iter().find(|known| known.step == step);
            found.map_or_else(Attempts::default, |known| known.counts)
        };
        let both = |step: &Step| {
            (
                *step,
                of(&self.metrics.period, *step),
                of(&self.metrics.before, *step),
            )
        };
        Step::ALL.iter().map(both).collect()
    }

    /// The addresses of other periods of the same model.
    fn chips(&self) -> Vec<(i64, String, bool)> {
        let today = Utc::now().date_naive();
        let chip = |days: i64| {
            let from = today - chrono::Duration::days(days - 1);
            let current = (self.period.from, self.period.to) == (from, today);
            let model: String = url::form_urlencoded::byte_serialize(self.asked.model.as_bytes()).collect();
            (
                days,
                format!("/daily-metrics?from={from}&to={today}&model={model}"),
                current,
            )
        };
        PERIODS_DAYS.into_iter().map(chip).collect()
    }

    /// The address of the metrics of a model in the same period.
    fn of_model(&self, model: &ModelMetrics) -> String {
        let (from, to) = (self.period.from, self.period.to);
        format!("/daily-metrics?from={from}&to={to}&model={}", model.model_id)
    }

    /// The address of a file of the same period and model.
    fn file(&self, table: &str) -> String {
        let model = self
            .period
            .model_id
            .map_or(String::new(), |id| format!("&model_id={id}"));
        format!(
            "/v1/metrics/export?table={table}&from={}&to={}{model}",
            self.period.from, self.period.to
        )
    }
}

fn sum(totals: &Totals) -> Attempts {
    let mut all = Attempts::default();
    totals.steps.iter().for_each(|step| all.add(&step.counts));
    all
}

fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.1} %"))
}

fn millis(value: Option<i64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(ms @ ..1_000) => format!("{ms} ms"),
        Some(ms) => format!("{:.1} s", ms as f64 / 1_000.0),
    }
}

fn duration(secs: Option<i64>) -> String {
    match secs {
        None => "–".to_owned(),
        Some(secs @ ..60) => format!("{secs} s"),
        Some(secs @ ..3_600) => format!("{:.1} min", secs as f64 / 60.0),
        Some(secs @ ..172_800) => format!("{:.1} h", secs as f64 / 3_600.0),
        Some(secs) => format!("{:.1} d", secs as f64 / 86_400.0),
    }
}

/// The charts of a period.
fn charts(period: &Period, days: &[Day]) -> Vec<Chart> {
    let span = (period.from, period.to);
    let attempts = |day: &Day| {
        let mut all = Attempts::default();
        day.steps.iter().for_each(|step| all.add(&step.counts));
        all
    };
    let numbers = |of: &dyn Fn(&Day) -> Option<f64>| -> Vec<(NaiveDate, [f64; 1])> {
        days.iter()
            .filter_map(|day| Some((day.date, [of(day)?])))
            .collect()
    };
    let worked: Vec<_> = days
        .iter()
        .map(|day| (day.date, attempts(day)))
        .map(|(date, all)| {
            (
                date,
                [all.completed as f64, (all.attempts - all.completed) as f64],
            )
        })
        .collect();
    let whole = |value: f64| ui::number(value as i64);
    vec![
        Chart::new(
            ("attempts", "Attempts"),
            [
                ("completed", "Completed"),
                ("failed", "Failed or given to people"),
            ],
            span,
            &worked,
            whole,
        ),
        Chart::new(
            ("warmups", "How long warm-ups took"),
            [("completed", "Average, from start to finish")],
            span,
            &numbers(&|day| day.events.average_warmup_secs().map(|secs| secs as f64)),
            |secs| duration(Some(secs as i64)),
        ),
        Chart::new(
            ("bots", "How long bots took"),
            [("completed", "Average of an action")],
            span,
            &numbers(&|day| attempts(day).average_ms().map(|ms| ms as f64)),
            |ms| millis(Some(ms as i64)),
        ),
        Chart::new(
            ("proxies", "Proxies' places taken"),
            [("completed", "Of all places, when they were counted last")],
            span,
            &numbers(&|day| day.stock.as_ref().and_then(Stock::proxy_percent)),
            |value| percent(Some(value)),
        ),
    ]
}

/// The day that is written, if one is.
fn day(text: &str, name: &'static str) -> Result<Option<NaiveDate>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| Fault::new(name, "date", "a day is written as 2026-01-31");
    text.parse().map(Some).map_err(wrong)
}

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    FormQuery(asked): FormQuery<Asked>,
) -> Result<Response, Failure> {
    let today = Utc::now().date_naive();
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let read = async {
        let (from, to) = (day(&asked.from, "from"), day(&asked.to, "to"));
        let faults: Vec<_> = [&from, &to]
            .into_iter()
            .filter_map(|day| day.clone().err())
            .collect();
        Refusal::check(faults)?;
        let model = match asked.model.trim() {
            "" => None,
            named => Some(models::find(&mut tx, &visitor.actor, named).await?),
        };
        Ok::<_, Failure>(Period::new(
            from.unwrap_or_default(),
            to.unwrap_or_default(),
            model,
            today,
        )?)
    };
    let (period, faults) = match read.await {
        Ok(period) => (period, Faults::none()),
        Err(failure) => {
            let mut faults = Faults::of(failure, &["from", "to", "model"])?;
            faults.rename(&[("filter", "model")]);
            (Period::new(None, None, None, today)?, faults)
        }
    };
    let metrics = super::get(&mut tx, &visitor.actor, &period).await?;
    tx.commit().await?;
    console::page(&MetricsPage {
        shell: Shell::new("Metrics", visitor),
        charts: charts(&period, &metrics.days),
        asked,
        faults,
        period,
        metrics,
    })
}
