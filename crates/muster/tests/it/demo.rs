//! The main job from files to active accounts, by the real binary on a cluster of its own.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_leads_every_account_to_active_and_leaves_the_doctor_nothing_to_say() {
    let ran = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["demo", "--accounts", "150", "--json"])
        .output()
        .expect("muster starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let summary: Value = serde_json::from_str(&said).expect("one JSON object");
    let count = |name: &str| summary[name].as_i64().unwrap_or(-1);
    assert_eq!(
        [
            "imported",
            "rejected",
            "proxies_assigned",
            "approved",
            "active",
            "doctor_findings"
        ]
        .map(count),
        [150, 1, 150, 150, 150, 0],
        "{summary}"
    );
    assert_eq!(count("steps_completed"), 150 * 5, "{summary}");
    assert!(
        summary["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0),
        "{summary}"
    );
}
