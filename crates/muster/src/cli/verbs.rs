//! What is done to entities beyond adding and changing them.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum};
use muster_client::Body;
use muster_wire::{content::ContentType, lifecycle::Event};
use serde_json::{Value, json};

use super::{
    Exit,
    entities::Entity,
    import::{options, write_to},
    print::{self, Column},
    remote::{Remote, Shown, confirm, filter, progress},
};

/// What is told of a token that was just made.
pub const ISSUED: [Column; 3] = [
    ("token", "token.id"),
    ("name", "token.name"),
    ("expires", "token.expires_at"),
];

const HISTORY: &[Column] = &[
    ("AT", "at"),
    ("EVENT", "event"),
    ("FROM", "from"),
    ("TO", "to"),
    ("BY", "triggered_by"),
    ("OPERATOR", "operator"),
    ("BOT", "bot"),
    ("REASON", "reason"),
];

const ATTEMPTS: &[Column] = &[
    ("LEASE", "lease"),
    ("STEP", "name"),
    ("STATUS", "status"),
    ("STARTED", "started_at"),
    ("MS", "execution_time_ms"),
    ("BOT", "bot_id"),
    ("OPERATOR", "operator_id"),
    ("ERROR", "error"),
];

const AUTHORISATIONS: &[Column] = &[
    ("RECORDED", "recorded_at"),
    ("BASIS", "basis"),
    ("REFERENCE", "reference"),
    ("EXPIRES", "expires_at"),
    ("BY", "operator_id"),
];

const ROWS: &[Column] = &[
    ("LINE", "line"),
    ("VERDICT", "verdict"),
    ("KEY", "key"),
    ("DATA", "data"),
    ("BEFORE", "before"),
    ("FAULTS", "faults"),
];

const REFUSED: &[Column] = &[("ACCOUNT", "id"), ("CODE", "code"), ("REASON", "reason")];
const UNPLACED: &[Column] = &[("REASON", "reason"), ("COUNT", "count"), ("EXAMPLES", "examples")];
const TESTED: &[Column] = &[
    ("PROXY", "proxy_id"),
    ("STATUS", "status"),
    ("MS", "latency_ms"),
    ("EXIT ADDRESS", "exit_ip"),
    ("ERROR", "error"),
];
const PLACED: &[Column] = &[("ACCOUNT", "account_id"), ("PROXY", "proxy_id")];
#[derive(Debug, Subcommand)]
enum AccountVerb {
    /// Show the changes of an account's state, the newest first.
    History(Of),
    /// Show the attempts at an account's steps, the newest first.
    Attempts(Of),
    /// Show the authorisations that an account has had.
    Authorisations(Of),
    /// Move accounts in their lifecycle, by an event such as retire.
    Do {
        /// The event.
        event: Event,
        #[command(flatten)]
        which: Which,
    },
    /// Open an account's secrets; who asked, and why, is written down.
    Reveal {
        /// The account.
        id: i64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Give an account this proxy.
    Proxy {
        /// The account.
        id: i64,
        /// The proxy.
        #[arg(long)]
        to: i64,
    },
}

#[derive(Debug, Args)]
struct Of {
    /// Its id.
    id: i64,
    #[command(flatten)]
    shown: Shown,
}

/// Which accounts something is done to, and why.
#[derive(Debug, Args)]
struct Which {
    /// The accounts.
    #[arg(required_unless_present = "filter", conflicts_with = "filter")]
    ids: Vec<i64>,

    /// All accounts that match: qualifiers such as state:ready model:"North Side".
    #[arg(long)]
    filter: Option<String>,

    /// How many accounts the filter matches; nothing is done when it matches more or fewer.
    #[arg(long, requires = "filter")]
    expect: Option<i64>,

    /// Why; it is kept.
    #[arg(long)]
    reason: Option<String>,

    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decision {
    Approve,
    Resume,
    Reject,
}

#[derive(Debug, Subcommand)]
enum ReviewVerb {
    /// Decide: approve, resume the warm-up, or reject.
    Decide {
        /// The decision.
        decision: Decision,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Subcommand)]
enum ProxyVerb {
    /// Give every account that waits for one a proxy with room, and say who got none and why.
    Assign {
        /// Only accounts that match.
        #[arg(long)]
        filter: Option<String>,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Connect through proxies, and record how it went.
    Test {
        /// Ids; or qualifiers such as status:active, and words to look for. All proxies when there is none.
        which: Vec<String>,
    },
    /// Move the accounts of a proxy to another, or to any with room.
    Move {
        /// The proxy they leave.
        id: i64,
        /// The proxy they get.
        #[arg(long)]
        to: Option<i64>,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
enum PauseVerb {
    /// Hand out no more of its work.
    Pause {
        /// Its id.
        id: i64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Hand its work out again.
    Resume {
        /// Its id.
        id: i64,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Make a token that replaces this one; it is printed this once.
    Rotate {
        /// The token.
        id: i64,
        /// How many hours the old one still is good for.
        #[arg(long)]
        overlap_hours: Option<i64>,
    },
}

#[derive(Debug, Subcommand)]
enum OperatorVerb {
    /// Make a link with which an operator sets a password; it is printed this once.
    PasswordLink {
        /// The operator.
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
enum ImportVerb {
    /// Show the rows of an import: the diff.
    Rows(Of),
    /// Read the file of an import that is not decided again, otherwise.
    Read {
        /// The import.
        id: i64,
        /// How to read it, as with `muster import`; what is not given is detected.
        #[arg(long, value_name = "KEY=VALUE")]
        option: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum ContentVerb {
    /// Upload pictures, which Muster keeps; each becomes an item of content.
    Upload {
        /// The model that they belong to: its id.
        #[arg(long)]
        model: i64,
        /// What they are for: pfp, post, highlight, story or any.
        #[arg(long = "type", value_name = "TYPE")]
        content_type: ContentType,
        /// The text that goes with each.
        #[arg(long)]
        text: Option<String>,
        /// The pictures: JPEG, PNG or WebP.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Write the audit log as NDJSON.
    Export {
        /// Which entries.
        filter: Vec<String>,
        /// Into this file.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

/// Adds to an entity's command what is done to it.
pub fn augment(entity: &str, command: Command) -> Command {
    match entity {
        "accounts" => AccountVerb::augment_subcommands(command),
        "reviews" => ReviewVerb::augment_subcommands(command),
        "proxies" => ProxyVerb::augment_subcommands(command),
        "bots" | "models" => PauseVerb::augment_subcommands(command),
        "tokens" => TokenVerb::augment_subcommands(command),
        "operators" => OperatorVerb::augment_subcommands(command),
        "imports" => ImportVerb::augment_subcommands(command),
        "content" => ContentVerb::augment_subcommands(command),
        "audit" => AuditVerb::augment_subcommands(command),
        _ => command,
    }
}

/// Runs what [`augment`] added.
///
/// # Errors
/// Those of the command.
pub async fn run(entity: &Entity, matches: &ArgMatches, remote: &Remote) -> Result<(), Exit> {
    match entity.name {
        "accounts" => AccountVerb::from_arg_matches(matches)?.run(remote).await,
        "reviews" => {
            let ReviewVerb::Decide { decision, which } = ReviewVerb::from_arg_matches(matches)?;
            let word = format!("{decision:?}").to_lowercase();
            if which.reason.is_none() {
                return Err(Exit::new(2, "a decision needs a reason").hint("give --reason"));
            }
            which.run(remote, entity.path, "decision", &word).await
        }
        "proxies" => ProxyVerb::from_arg_matches(matches)?.run(remote).await,
        "bots" | "models" => match PauseVerb::from_arg_matches(matches)? {
            PauseVerb::Pause { id, reason } => {
                remote
                    .act(
                        &format!("{}/{id}/pause", entity.path),
                        &json!({"reason": reason}),
                        entity.columns,
                    )
                    .await
            }
            PauseVerb::Resume { id, reason } => {
                let body = reason.map_or(json!({}), |reason| json!({"reason": reason}));
                remote
                    .act(&format!("{}/{id}/resume", entity.path), &body, entity.columns)
                    .await
            }
        },
        "tokens" => {
            let TokenVerb::Rotate { id, overlap_hours } = TokenVerb::from_arg_matches(matches)?;
            let body = overlap_hours.map_or(json!({}), |hours| json!({"overlap_hours": hours}));
            let answer: Value = remote
                .client()?
                .post(&format!("/v1/tokens/{id}/rotate"), &body)
                .await?;
            remote.secret(&ISSUED, &answer, answer["secret"].as_str().unwrap_or_default())
        }
        "operators" => {
            let OperatorVerb::PasswordLink { id } = OperatorVerb::from_arg_matches(matches)?;
            let answer: Value = remote
                .client()?
                .post(&format!("/v1/operators/{id}/password-link"), &json!({}))
                .await?;
            remote.secret(
                &[("expires", "expires_at")],
                &answer,
                answer["token"].as_str().unwrap_or_default(),
            )
        }
        "imports" => match ImportVerb::from_arg_matches(matches)? {
            ImportVerb::Rows(of) => {
                remote
                    .list(&format!("/v1/imports/{}/rows", of.id), ROWS, &of.shown)
                    .await
            }
            ImportVerb::Read { id, option } => {
                remote
                    .act(
                        &format!("/v1/imports/{id}/read"),
                        &options(&option)?,
                        entity.columns,
                    )
                    .await
            }
        },
        "content" => {
            let ContentVerb::Upload {
                model,
                content_type,
                text,
                files,
            } = ContentVerb::from_arg_matches(matches)?;
            let model = model.to_string();
            let mut query = vec![
                ("model_id", model.as_str()),
                ("content_type", content_type.word()),
            ];
            query.extend(text.as_deref().map(|text| ("text_content", text)));
            let client = remote.client()?;
            let mut made: Vec<Value> = Vec::with_capacity(files.len());
            for file in &files {
                let cannot = |error| Exit::new(2, format!("{} cannot be read: {error}", file.display()));
                let picture = tokio::fs::read(file).await.map_err(cannot)?;
                made.push(
                    client
                        .upload("/v1/content/upload", &query, Body::from(picture))
                        .await?,
                );
            }
            remote.items(entity.columns, &made)
        }
        "audit" => {
            let AuditVerb::Export {
                filter: words,
                output,
            } = AuditVerb::from_arg_matches(matches)?;
            let filter = filter(&words);
            let query: Vec<_> = filter
                .as_deref()
                .map(|filter| ("filter", filter))
                .into_iter()
                .collect();
            write_to(
                remote.client()?.download("/v1/audit/export", &query).await?,
                output.as_deref(),
                false,
            )
            .await
        }
        name => Err(Exit::new(2, format!("{name} has no such command"))),
    }
}

impl AccountVerb {
    async fn run(self, remote: &Remote) -> Result<(), Exit> {
        match self {
            AccountVerb::History(of) => {
                remote
                    .list(&format!("/v1/accounts/{}/history", of.id), HISTORY, &of.shown)
                    .await
            }
            AccountVerb::Attempts(of) => {
                remote
                    .list(&format!("/v1/accounts/{}/attempts", of.id), ATTEMPTS, &of.shown)
                    .await
            }
            AccountVerb::Authorisations(of) => {
                remote
                    .list(
                        &format!("/v1/accounts/{}/authorisations", of.id),
                        AUTHORISATIONS,
                        &of.shown,
                    )
                    .await
            }
            AccountVerb::Do { event, which } => {
                which
                    .run(remote, "/v1/accounts/transitions", "event", event.word())
                    .await
            }
            AccountVerb::Reveal { id, reason } => {
                remote
                    .act(
                        &format!("/v1/accounts/{id}/reveal"),
                        &json!({"reason": reason}),
                        &[],
                    )
                    .await
            }
            AccountVerb::Proxy { id, to } => {
                remote
                    .act(
                        &format!("/v1/accounts/{id}/proxy"),
                        &json!({"proxy_id": to}),
                        PLACED,
                    )
                    .await
            }
        }
    }
}

impl Which {
    /// Does `what` (an event or a decision) to them. Of a filter, the count is always stated, and checked by the server.
    async fn run(self, remote: &Remote, path: &str, kind: &str, what: &str) -> Result<(), Exit> {
        let client = remote.client()?;
        let mut body = json!({kind: what, "dry_run": self.dry_run});
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason);
        }
        let Some(filter) = &self.filter else {
            body["ids"] = json!(self.ids);
            let answer: Value = client.post(path, &body).await?;
            return told(remote, what, &answer);
        };
        body["filter"] = json!(filter);
        if !self.dry_run {
            let expect = match self.expect {
                Some(expect) => expect,
                None => {
                    body["dry_run"] = json!(true);
                    let answer: Value = client.post(path, &body).await?;
                    body["dry_run"] = json!(false);
                    let matched = answer["matched"].as_i64().unwrap_or_default();
                    if self.yes {
                        let hint = format!("it matches {matched} now: give --expect {matched}");
                        return Err(
                            Exit::new(2, "with --yes, say how many accounts the filter matches").hint(hint),
                        );
                    }
                    matched
                }
            };
            confirm(&format!("This does {what} to {expect} accounts."), self.yes)?;
            body["expected_count"] = json!(expect);
        }
        let answer: Value = client.post(path, &body).await?;
        told(remote, what, &answer)
    }
}

/// Says what was done to how many accounts. Accounts that refused make the command fail.
fn told(remote: &Remote, what: &str, answer: &Value) -> Result<(), Exit> {
    let refused = answer["refused"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if remote.json {
        print::json(answer)?;
    } else {
        if !refused.is_empty() {
            print::table(REFUSED, refused)?;
        }
        let would = if answer["dry_run"] == true {
            "would be done"
        } else {
            "was done"
        };
        print::line(&format!(
            "{what} {would} to {} of {} accounts",
            answer["moved"], answer["matched"]
        ))?;
    }
    let count = answer["refused_count"].as_i64().unwrap_or_default();
    if count == 0 || answer["dry_run"] == true {
        return Ok(());
    }
    let code = if refused.iter().all(|one| one["code"] == "not_found") {
        3
    } else {
        4
    };
    Err(Exit::new(
        code,
        format!("{count} of {} accounts refused", answer["matched"]),
    ))
}

impl ProxyVerb {
    async fn run(self, remote: &Remote) -> Result<(), Exit> {
        match self {
            ProxyVerb::Assign { filter, dry_run } => assign(remote, filter, dry_run).await,
            ProxyVerb::Test { which } => test(remote, &which).await,
            ProxyVerb::Move { id, to, dry_run } => {
                let mut body = json!({"dry_run": dry_run});
                if let Some(to) = to {
                    body["to"] = json!(to);
                }
                let answer: Value = remote
                    .client()?
                    .post(&format!("/v1/proxies/{id}/move"), &body)
                    .await?;
                if remote.json {
                    print::json(&answer)?;
                } else {
                    print::table(
                        PLACED,
                        answer["moved"].as_array().map(Vec::as_slice).unwrap_or_default(),
                    )?;
                }
                match answer["unplaced"].as_array().map(Vec::len) {
                    None | Some(0) => Ok(()),
                    Some(count) => Err(Exit::new(4, format!("{count} accounts found no proxy with room"))),
                }
            }
        }
    }
}

/// Assigns, call by call until every account was looked at.
async fn assign(remote: &Remote, filter: Option<String>, dry_run: bool) -> Result<(), Exit> {
    let client = remote.client()?;
    let mut body = json!({"dry_run": dry_run});
    if let Some(filter) = filter {
        body["filter"] = json!(filter);
    }
    let bar = progress(None, "{spinner} {msg} ({elapsed})");
    let (mut assigned, mut unplaced): (i64, Vec<Value>) = (0, Vec::new());
    loop {
        let answer: Value = client.post("/v1/proxies/assign", &body).await?;
        assigned += answer["assigned"].as_i64().unwrap_or_default();
        for group in answer["unplaced"].as_array().into_iter().flatten() {
            match unplaced
                .iter_mut()
                .find(|known| known["reason"] == group["reason"])
            {
                Some(known) => {
                    known["count"] =
                        json!(known["count"].as_i64().unwrap_or(0) + group["count"].as_i64().unwrap_or(0))
                }
                None => unplaced.push(group.clone()),
            }
        }
        bar.set_message(format!("{assigned} assigned"));
        if answer["next"].is_null() {
            break;
        }
        body["after"] = answer["next"].clone();
    }
    bar.finish_and_clear();
    if remote.json {
        return print::json(&json!({"assigned": assigned, "unplaced": unplaced, "dry_run": dry_run}));
    }
    if !unplaced.is_empty() {
        print::table(UNPLACED, &unplaced)?;
    }
    print::line(&format!(
        "{assigned} accounts {} a proxy",
        if dry_run { "would get" } else { "got" }
    ))
}

/// Tests, call by call until every proxy was tested.
async fn test(remote: &Remote, which: &[String]) -> Result<(), Exit> {
    let client = remote.client()?;
    let ids: Option<Vec<i64>> = which.iter().map(|word| word.parse().ok()).collect();
    let mut body = match ids {
        Some(ids) if !ids.is_empty() => json!({"proxy_ids": ids}),
        _ => filter(which).map_or(json!({}), |filter| json!({"filter": filter})),
    };
    let bar = progress(None, "{spinner} {pos} tested, {per_sec} {msg} ({elapsed})");
    let (mut passed, mut failed, mut results) = (0, 0, Vec::new());
    loop {
        let answer: Value = client.post("/v1/proxies/test", &body).await?;
        passed += answer["passed"].as_i64().unwrap_or_default();
        failed += answer["failed"].as_i64().unwrap_or_default();
        let tested = answer["results"].as_array().cloned().unwrap_or_default();
        bar.inc(tested.len() as u64);
        bar.set_message(format!("{failed} failed"));
        results.extend(tested);
        if answer["next"].is_null() {
            break;
        }
        body["after"] = answer["next"].clone();
    }
    bar.finish_and_clear();
    remote.items(TESTED, &results)?;
    remote.say(&format!("{passed} passed, {failed} failed"))
}
