//! What statements touched, as `auto_explain` writes it to PostgreSQL's log.

use anyhow::{Context, Result};
use serde::Deserialize;

/// A statement that was run.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its first line, which in this code says what it does.
    pub what: String,
    /// Pages of tables and indexes that it looked at, in memory or not.
    pub buffers: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Explained {
    #[serde(rename = "Query Text")]
    text: String,
    plan: Plan,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(rename = "Shared Hit Blocks", default)]
    hit: u64,
    #[serde(rename = "Shared Read Blocks", default)]
    read: u64,
}

/// Every statement of a part of the log. In it a plan begins on the line after its duration, with a brace of its own, and goes on
/// in lines that begin with a tab.
///
/// # Errors
/// When a plan is not understood.
pub fn statements(log: &str) -> Result<Vec<Statement>> {
    let mut found = Vec::new();
    for (_, plan) in log
        .split("duration: ")
        .filter_map(|entry| entry.split_once(" plan:\n"))
    {
        let plan: String = plan.lines().take_while(|line| line.starts_with('\t')).collect();
        let explained: Explained =
            serde_json::from_str(&plan).with_context(|| format!("a plan in the log: {plan}"))?;
        let what = explained
            .text
            .trim_start()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("-- ")
            .to_owned();
        found.push(Statement {
            what,
            buffers: explained.plan.hit + explained.plan.read,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_in_a_log() {
        let log = "2026-01-01 00:00:00 UTC [7] LOG:  duration: 0.1 ms  plan:\n\t{\n\t  \"Query Text\": \"-- Lists things.\\nselect 1\",\n\
            \t  \"Plan\": {\n\t    \"Node Type\": \"Result\",\n\t    \"Shared Hit Blocks\": 3,\n\t    \"Shared Read Blocks\": 2\n\t  }\n\t}\n\
            2026-01-01 00:00:01 UTC [7] LOG:  something else\n";
        let found = statements(log).expect("it is understood");
        assert_eq!(
            found,
            [Statement {
                what: "Lists things.".to_owned(),
                buffers: 5
            }]
        );
        assert_eq!(statements("nothing").expect("it is understood"), []);
    }
}
