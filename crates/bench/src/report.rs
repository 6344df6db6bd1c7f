//! What the benchmark found: as JSON with every run, and as tables for people with the median of each subject's runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{
    cluster::Settings,
    metrics::{Cost, Percentiles, median},
    targets::Verdict,
};

/// One measured run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Which scenario it belongs to.
    pub scenario: &'static str,
    /// What was measured, and how it was set.
    pub subject: String,
    /// What was counted: steps, jobs, accounts.
    pub unit: &'static str,
    /// How many of them.
    pub count: u64,
    /// How long it took.
    pub secs: f64,
    /// Latencies, by the kind of request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub latencies: BTreeMap<String, Percentiles>,
    /// What it used, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Whatever else was found, each with its unit in the name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
}

impl Run {
    /// A run of which no more is known yet.
    #[must_use]
    pub fn new(scenario: &'static str, subject: &str, unit: &'static str, count: u64, secs: f64) -> Self {
        let subject = subject.to_owned();
        Self {
            scenario,
            subject,
            unit,
            count,
            secs,
            latencies: BTreeMap::new(),
            cost: None,
            figures: BTreeMap::new(),
        }
    }

    /// Adds latencies, where there were any.
    #[must_use]
    pub fn latency(mut self, of: &str, found: Option<Percentiles>) -> Self {
        self.latencies
            .extend(found.map(|percentiles| (of.to_owned(), percentiles)));
        self
    }

    /// Adds what it used.
    #[must_use]
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }

    /// How many were done a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.secs
    }

    fn per_unit(&self, of: impl Fn(&Cost) -> f64) -> Option<f64> {
        self.cost.as_ref().map(|cost| of(cost) / self.count as f64)
    }
}

/// Everything that was found, and what it was found on.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether the sizes were small.
    pub quick: bool,
    /// What it ran on.
    pub machine: String,
    /// The binary that was measured.
    pub binary: String,
    /// The database that was used.
    pub postgres: Settings,
    /// How long all of it took.
    pub took_secs: f64,
    /// Every run, in the order they were made.
    pub runs: Vec<Run>,
    /// What was to be reached, and whether it was.
    pub targets: Vec<Verdict>,
}

impl Report {
    /// The runs of a subject in a scenario.
    pub fn of<'a>(&'a self, scenario: &'a str, subject: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs
            .iter()
            .filter(move |run| run.scenario == scenario && run.subject == subject)
    }

    /// The median of something over the runs of a subject; nothing where it was not measured.
    #[must_use]
    pub fn median(&self, scenario: &str, subject: &str, of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        median(&self.of(scenario, subject).filter_map(of).collect::<Vec<_>>())
    }

    /// The median rate of one subject divided by that of another.
    #[must_use]
    pub fn rates(&self, scenario: &str, subject: &str, against: &str) -> Option<f64> {
        let rate = |subject| self.median(scenario, subject, |run| Some(run.rate()));
        Some(rate(subject)? / rate(against)?)
    }

    /// Writes `report.json` and `report.md` into a folder, and the same tables to the standard output.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("report.json"), serde_json::to_vec_pretty(self)?)?;
        let text = self.tables();
        std::fs::write(folder.join("report.md"), &text)?;
        println!("\n{text}");
        println!("written to {0}/report.json and {0}/report.md", folder.display());
        Ok(())
    }

    fn tables(&self) -> String {
        let mut text = format!("# Benchmark\n\n{}\n\n{}\n\n", self.machine, self.postgres);
        if self.quick {
            text.push_str("Sizes were small (--quick): the numbers show that all of it works, and are too noisy to judge by.\n\n");
        }
        let mut scenarios: Vec<&str> = Vec::new();
        for run in &self.runs {
            if !scenarios.contains(&run.scenario) {
                scenarios.push(run.scenario);
            }
        }
        for scenario in scenarios {
            let _ = writeln!(text, "## {scenario}\n");
            for table in self.scenario(scenario) {
                let _ = writeln!(text, "{table}\n");
            }
        }
        let mut targets = table(&["what", "to reach", "reached", "verdict"]);
        for verdict in &self.targets {
            targets.add_row([
                verdict.what.clone(),
                verdict.wanted(),
                verdict.reached(),
                verdict.met().to_owned(),
            ]);
        }
        let _ = writeln!(
            text,
            "## What was to be reached\n\n{targets}\n\nIt took {:.0} seconds in all.",
            self.took_secs
        );
        text
    }

    /// What a scenario's runs come to: rates and costs, then latencies, then other figures.
    fn scenario(&self, scenario: &str) -> Vec<Table> {
        let mut rates = table(&[
            "subject",
            "unit",
            "count",
            "a second",
            "runs",
            "WAL bytes each",
            "commits each",
            "dead rows",
            "growth MB",
            "PostgreSQL CPU s/1000",
            "server CPU s/1000",
            "bench CPU s/1000",
            "server peak MB",
        ]);
        let mut latencies = table(&[
            "subject",
            "latency of",
            "count",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
        ]);
        let mut subjects: Vec<&str> = Vec::new();
        for run in self.runs.iter().filter(|run| run.scenario == scenario) {
            if !subjects.contains(&run.subject.as_str()) {
                subjects.push(&run.subject);
            }
        }
        let names: BTreeSet<&String> = self
            .runs
            .iter()
            .filter(|run| run.scenario == scenario)
            .flat_map(|run| run.figures.keys())
            .collect();
        let mut figures = table(
            &["subject"]
                .into_iter()
                .chain(names.iter().map(|name| name.as_str()))
                .collect::<Vec<_>>(),
        );
        for subject in subjects {
            let runs: Vec<&Run> = self.of(scenario, subject).collect();
            let middle = |of: &dyn Fn(&Run) -> Option<f64>| self.median(scenario, subject, of);
            let cost = |of: fn(&Cost) -> f64| middle(&|run| run.per_unit(of));
            let thousand = |of: fn(&Cost) -> f64| cost(of).filter(|v| *v > 0.0).map(|each| each * 1000.0);
            let whole = |of: fn(&Cost) -> f64| middle(&|run| run.cost.as_ref().map(of));
            if runs[0].count > 0 {
                rates.add_row([
                    subject.to_owned(),
                    runs[0].unit.to_owned(),
                    runs[0].count.to_string(),
                    shown(middle(&|run| Some(run.rate()))),
                    runs.iter()
                        .map(|run| shown(Some(run.rate())))
                        .collect::<Vec<_>>()
                        .join(" "),
                    shown(cost(|c| c.wal_bytes as f64)),
                    shown(cost(|c| c.commits as f64)),
                    shown(whole(|c| c.dead_tuples as f64)),
                    shown(whole(|c| c.table_growth_bytes as f64 / 1e6)),
                    shown(thousand(|c| c.postgres_cpu_secs)),
                    shown(thousand(|c| c.server_cpu_secs)),
                    shown(thousand(|c| c.own_cpu_secs)),
                    shown(middle(&|run| {
                        Some(run.cost.as_ref()?.server_memory_peak_bytes? as f64 / 1e6)
                    })),
                ]);
            }
            for of in runs[0].latencies.keys() {
                let at = |field: fn(&Percentiles) -> f64| middle(&|run| run.latencies.get(of).map(field));
                latencies.add_row([
                    subject.to_owned(),
                    of.clone(),
                    shown(at(|p| p.count as f64)),
                    shown(at(|p| p.p50_ms)),
                    shown(at(|p| p.p99_ms)),
                    shown(at(|p| p.p999_ms)),
                    shown(at(|p| p.max_ms)),
                ]);
            }
            if !runs[0].figures.is_empty() {
                let values = names
                    .iter()
                    .map(|name| shown(middle(&|run| run.figures.get(*name).copied())));
                figures.add_row([subject.to_owned()].into_iter().chain(values));
            }
        }
        [rates, latencies, figures]
            .into_iter()
            .filter(|table| table.row_count() > 0)
            .collect()
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    table
}

/// A number with three digits that mean something.
#[must_use]
pub fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(v) if v.abs() >= 100.0 || v == 0.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 10.0 => format!("{v:.1}"),
        Some(v) if v.abs() >= 1.0 => format!("{v:.2}"),
        Some(v) => format!("{v:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_mean_something() {
        let all = [
            None,
            Some(0.0),
            Some(0.0123),
            Some(1.234),
            Some(12.34),
            Some(71_234.5),
        ];
        assert_eq!(all.map(shown), ["-", "0", "0.012", "1.23", "12.3", "71234"]);
    }
}
