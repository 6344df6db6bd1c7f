//! The commands of metrics: showing them, and counting again.

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use muster_wire::metrics::{Metrics as Answer, RolledUp, Rollup};
use serde_json::{Value, json};

use super::{
    Exit,
    print::{self, Column},
    remote::Remote,
};

/// What is shown of the steps of a period.
const STEPS: &[Column] = &[
    ("STEP", "step"),
    ("ATTEMPTS", "attempts"),
    ("COMPLETED", "completed"),
    ("FAILED", "failed"),
    ("TO PEOPLE", "given_to_people"),
    ("UNREPORTED", "unreported"),
    ("BOT ERRORS", "bot_errors"),
    ("BOT MS", "average_ms"),
    ("SUCCESS %", "success_percent"),
    ("BEFORE %", "before_percent"),
];

/// What happened, by day, model and step.
#[derive(Debug, Args)]
pub struct Metrics {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    verb: MetricsVerb,
}

#[derive(Debug, Subcommand)]
enum MetricsVerb {
    /// Show the steps of a period, beside the period before; with --json every day of it.
    Show {
        /// The first day, in UTC; without both days the last 28 until today.
        #[arg(long)]
        from: Option<NaiveDate>,
        /// The last day.
        #[arg(long)]
        to: Option<NaiveDate>,
        /// Only those of the model with this id.
        #[arg(long)]
        model: Option<i64>,
    },
    /// Count days again now; without both days those on which something can have happened since the last time.
    Rollup {
        /// The first day, in UTC.
        #[arg(long, requires = "to")]
        from: Option<NaiveDate>,
        /// The last day.
        #[arg(long, requires = "from")]
        to: Option<NaiveDate>,
    },
}

impl Metrics {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        let client = self.remote.client()?;
        match self.verb {
            MetricsVerb::Show { from, to, model } => {
                let parameters = [
                    ("from", from.map(|day| day.to_string())),
                    ("to", to.map(|day| day.to_string())),
                    ("model_id", model.map(|id| id.to_string())),
                ];
                let query: Vec<_> = parameters
                    .iter()
                    .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
                    .collect();
                let answer: Answer = client.get("/v1/metrics", &query).await?;
                if self.remote.json {
                    return print::json(&serde_json::to_value(&answer)?);
                }
                print::table(STEPS, &steps(&answer)?)?;
                print::line(&format!(
                    "From {} to {}: {} warm-ups were finished, {} accounts were given to people.",
                    answer.from,
                    answer.to,
                    answer.period.events.warmups_finished,
                    answer.period.events.failed_accounts
                ))
            }
            MetricsVerb::Rollup { from, to } => {
                let done: RolledUp = client.post("/v1/metrics/rollup", &Rollup { from, to }).await?;
                if self.remote.json {
                    return print::json(&serde_json::to_value(&done)?);
                }
                let days = if done.days == 1 { "day was" } else { "days were" };
                print::line(&format!("{} {days} counted", done.days))
            }
        }
    }
}

/// A row for each step of the period.
fn steps(answer: &Answer) -> Result<Vec<Value>, Exit> {
    let rounded = |percent: Option<f64>| percent.map(|percent| (percent * 10.0).round() / 10.0);
    let rows = answer.period.steps.iter().map(|step| {
        let before = answer.before.steps.iter().find(|before| before.step == step.step);
        let mut row = serde_json::to_value(step.counts)?;
        row["step"] = json!(step.step);
        row["average_ms"] = json!(step.counts.average_ms());
        row["success_percent"] = json!(rounded(step.counts.success_percent()));
        row["before_percent"] = json!(rounded(before.and_then(|before| before.counts.success_percent())));
        Ok(row)
    });
    rows.collect()
}
