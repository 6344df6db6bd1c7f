//! The commands of the tenant as a whole: pausing it, its keys, its doctor.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Exit,
    print::{self, Column},
    remote::Remote,
};

const FINDINGS: &[Column] = &[
    ("CODE", "code"),
    ("COUNT", "count"),
    ("WHAT", "what"),
    ("CURE", "cure"),
    ("EXAMPLES", "examples"),
];

/// The code of a process whose doctor has findings.
const FINDINGS_CODE: u8 = 6;

/// What lists show of the versions of a tenant's keys.
const KEYS: &[Column] = &[
    ("VERSION", "version"),
    ("MASTER KEY", "master_key_id"),
    ("SECRETS", "sealed"),
    ("SINCE", "created_at"),
];

/// The tenant.
#[derive(Debug, Args)]
pub struct Tenant {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    verb: TenantVerb,
}

#[derive(Debug, Subcommand)]
enum TenantVerb {
    /// Show it.
    Show,
    /// Hand out no more work of it.
    Pause {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Hand its work out again.
    Resume,
}

/// The keys that seal the tenant's secrets.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Show them, and how many secrets each seals.
    Show,
    /// Make a new one, and seal every secret anew with it.
    Rotate,
}

/// Check every invariant, and say the cure of what is wrong.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    remote: Remote,
}

impl Tenant {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        let columns: &[Column] = &[("", "id"), ("", "name"), ("", "paused_at"), ("", "pause_reason")];
        match self.verb {
            TenantVerb::Show => {
                let answer: Value = self.remote.client()?.get("/v1/tenant", &[]).await?;
                self.remote.record(columns, &answer)
            }
            TenantVerb::Pause { reason } => {
                self.remote
                    .act("/v1/tenant/pause", &json!({"reason": reason}), columns)
                    .await
            }
            TenantVerb::Resume => self.remote.act("/v1/tenant/resume", &json!({}), columns).await,
        }
    }
}

impl Keys {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        let client = self.remote.client()?;
        let answer: Value = match self.verb {
            KeysVerb::Show => client.get("/v1/keys", &[]).await?,
            KeysVerb::Rotate => client.post("/v1/keys/rotate", &json!({})).await?,
        };
        if self.remote.json {
            return print::json(&answer);
        }
        print::table(
            KEYS,
            answer["versions"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default(),
        )?;
        print::line(&format!(
            "version {} seals; {} secrets are still under older ones",
            answer["current"], answer["left"]
        ))
    }
}

impl Doctor {
    /// Runs the command; findings end it with a code of their own.
    pub async fn run(self) -> Result<(), Exit> {
        let answer: Value = self.remote.client()?.get("/v1/doctor", &[]).await?;
        let findings = answer["findings"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if self.remote.json {
            print::json(&answer)?;
        } else if findings.is_empty() {
            print::line("Everything is as it should be.")?;
        } else {
            print::table(FINDINGS, findings)?;
        }
        match findings.len() {
            0 => Ok(()),
            1 => Err(Exit::new(FINDINGS_CODE, "the doctor has 1 finding")),
            count => Err(Exit::new(
                FINDINGS_CODE,
                format!("the doctor has {count} findings"),
            )),
        }
    }
}
