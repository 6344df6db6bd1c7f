//! What is to be reached, each as a ratio or a figure of the same report.

use serde::Serialize;

use crate::{
    bench::Sizes,
    report::{Report, Run, shown},
    scenarios::{drain, due, import, neighbours, read, single, steady},
};

/// A bound that a number is to keep.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// A target, and what was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub what: String,
    pub wanted: Wanted,
    /// Nothing where this report did not measure it.
    pub reached: Option<f64>,
    pub met: Option<bool>,
    unit: &'static str,
}

impl Verdict {
    fn new(what: impl Into<String>, wanted: Wanted, unit: &'static str, reached: Option<f64>) -> Self {
        let met = reached.map(|reached| match wanted {
            Wanted::AtLeast(bound) => reached >= bound,
            Wanted::AtMost(bound) => reached <= bound,
        });
        Self {
            what: what.into(),
            wanted,
            reached,
            met,
            unit,
        }
    }

    /// The bound, for people.
    #[must_use]
    pub fn wanted(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(bound) => format!("at least {bound}{}", self.unit),
            Wanted::AtMost(bound) => format!("at most {bound}{}", self.unit),
        }
    }

    /// What was reached, for people.
    #[must_use]
    pub fn reached(&self) -> String {
        self.reached.map_or_else(
            || "not measured".to_owned(),
            |reached| shown(Some(reached)) + self.unit,
        )
    }

    /// Whether the bound was kept, for people.
    #[must_use]
    pub fn met(&self) -> &'static str {
        match self.met {
            None => "-",
            Some(true) => "met",
            Some(false) => "not met",
        }
    }
}

/// Every target, held against a report of runs of these sizes.
#[must_use]
pub fn judge(report: &Report, sizes: &Sizes) -> Vec<Verdict> {
    use Wanted::{AtLeast, AtMost};
    let drained = |subject, against| report.rates(drain::NAME, subject, against);
    let percent_slower = |ratio: f64| (1.0 - ratio) * 100.0;
    let wal = |run: &Run| Some(run.cost.as_ref()?.wal_bytes as f64 / run.count as f64);
    let burst =
        |run: &Run| Some(run.figures.get(steady::BURST_AFTER)? / run.figures.get(steady::BURST_BEFORE)?);
    let small_p99 = |subject| {
        report.median(neighbours::NAME, subject, |run| {
            Some(run.latencies.get(neighbours::CLAIM)?.p99_ms)
        })
    };
    let read_among = || sizes.read_accounts.iter().copied();
    let (fewest, most) = (
        read_among().min().unwrap_or_default(),
        read_among().max().unwrap_or_default(),
    );
    let (few, many) = (read::figure(fewest), read::figure(most));
    let dearest = |of: &dyn Fn(&Run) -> Option<f64>| {
        let reads = report.runs.iter().filter(|run| run.scenario == read::NAME);
        reads.filter_map(of).max_by(f64::total_cmp)
    };
    let memory = report
        .runs
        .iter()
        .filter_map(|run| run.cost.as_ref()?.server_memory_peak_bytes)
        .max();
    vec![
        Verdict::new(
            "drain at batch 500, over HTTP, against graphile_worker with its local queue",
            AtLeast(1.1),
            " times its rate",
            drained(drain::OURS_500, drain::GRAPHILE_LOCAL),
        ),
        Verdict::new(
            "drain at batch 500, over HTTP, against awa",
            AtLeast(5.0),
            " times its rate",
            drained(drain::OURS_500, drain::AWA),
        ),
        Verdict::new(
            "drain at batch 50, over HTTP, against graphile_worker with its local queue",
            AtLeast(0.7),
            " times its rate",
            drained(drain::OURS_50, drain::GRAPHILE_LOCAL),
        ),
        Verdict::new(
            "drain at batch 500, over HTTP, against our own ceiling inside PostgreSQL",
            AtLeast(0.7),
            " times its rate",
            drained(drain::OURS_500, drain::CEILING_500),
        ),
        Verdict::new(
            "one at a time with 64 bots, over HTTP, against graphile_worker without local queue",
            AtLeast(1.0),
            " times its rate",
            report.rates(single::NAME, single::OURS, single::GRAPHILE),
        ),
        Verdict::new(
            "price of row-level security at batch 50, inside PostgreSQL",
            AtMost(10.0),
            " %",
            drained(drain::CEILING_50, drain::NO_RLS_50).map(percent_slower),
        ),
        Verdict::new(
            "WAL per completed step at batch 500: claim, report, log, account",
            AtMost(1800.0),
            " bytes",
            report.median(drain::NAME, drain::OURS_500, wal),
        ),
        Verdict::new(
            format!(
                "drain after {} seconds of steady load beside a transaction that goes on, against before",
                sizes.pinned_secs
            ),
            AtMost(10.0),
            " % slower",
            report
                .median(steady::NAME, steady::PINNED, burst)
                .map(percent_slower),
        ),
        Verdict::new(
            "small tenants' p99 of a claim beside a large one that is drained, against alone",
            AtMost(2.0),
            " times",
            small_p99(neighbours::BESIDE)
                .zip(small_p99(neighbours::ALONE))
                .map(|(beside, alone)| beside / alone),
        ),
        Verdict::new(
            format!(
                "claims of {} ready steps beside {} that are not due, against of as many accounts without them",
                sizes.ready_accounts,
                sizes.large_accounts - sizes.ready_accounts
            ),
            AtMost(5.0),
            " % slower",
            report
                .rates(due::NAME, due::BESIDE, due::WITHOUT)
                .map(percent_slower),
        ),
        Verdict::new(
            "import against binary COPY into the same tables with the same indexes",
            AtLeast(0.5),
            " times its rate",
            report.rates(import::NAME, import::OURS, import::COPY),
        ),
        Verdict::new(
            format!("any list, count or dashboard at {most} accounts, a page of 50"),
            AtMost(500.0),
            " buffers",
            dearest(&|run| run.figures.get(&many).copied()),
        ),
        Verdict::new(
            format!("any list, count or dashboard at {most} accounts, against at {fewest}"),
            AtMost(2.0),
            " times the buffers",
            dearest(&|run| Some(run.figures.get(&many)? / run.figures.get(&few)?)),
        ),
        Verdict::new(
            "server memory through all of it",
            AtMost(250.0),
            " MB",
            memory.map(|bytes| bytes as f64 / 1e6),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_kept_when_it_is_just_reached() {
        let met = |wanted, reached| Verdict::new("a thing", wanted, "", reached).met;
        assert_eq!(met(Wanted::AtLeast(1.1), Some(1.1)), Some(true));
        assert_eq!(met(Wanted::AtLeast(1.1), Some(1.09)), Some(false));
        assert_eq!(met(Wanted::AtMost(10.0), Some(10.1)), Some(false));
        assert_eq!(met(Wanted::AtMost(10.0), None), None);
    }

    #[test]
    fn what_was_not_measured_says_so() {
        let verdict = Verdict::new("a thing", Wanted::AtMost(250.0), " MB", None);
        assert_eq!(
            (verdict.wanted().as_str(), verdict.reached().as_str()),
            ("at most 250 MB", "not measured")
        );
        assert_eq!(verdict.met(), "-");
    }
}
