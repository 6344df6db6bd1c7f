//! The command line: for people first, for scripts second.
//!
//! Exit codes: 0 done; 1 failed; 2 not understood; 3 not found; 4 not possible as things are; 5 the input has faults;
//! 6 the doctor has findings, or a drill of backups.

use std::{error::Error, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use muster_client::ClientError;

mod backup;
mod copy;
mod demo;
mod entities;
mod import;
mod master_key;
mod metrics;
mod print;
mod remote;
mod replica;
mod serve;
mod tenant;
mod verbs;

/// What went wrong, and with which exit code the process ends.
#[derive(Debug)]
pub struct Exit {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Exit {
    /// An end with this code and message.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// A failure and everything that caused it, in one line; a refusal of the server with its faults, each on its own.
impl<E: Error + 'static> From<E> for Exit {
    fn from(error: E) -> Self {
        let client = (&error as &(dyn Error + 'static)).downcast_ref::<ClientError>();
        if let Some(exit) = client.and_then(remote::exit) {
            return exit;
        }
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        let exit = Self::new(1, message);
        if client.is_some() {
            exit.hint(remote::WHERE)
        } else {
            exit
        }
    }
}

/// Muster: accounts, proxies and content; their lifecycle; and the work on them.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    arg_required_else_help = true,
    propagate_version = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything here: an embedded PostgreSQL, the server, and its timers.
    Up(serve::Up),
    /// Serve on a PostgreSQL of yours.
    Serve(serve::Serve),
    /// Bring a PostgreSQL of yours up to date.
    Migrate(serve::Migrate),
    /// Make a tenant on a PostgreSQL of yours, with its owner.
    CreateTenant(serve::CreateTenant),
    /// Exchange the master key, while servers run.
    #[command(subcommand)]
    MasterKey(master_key::MasterKey),
    /// Back the embedded PostgreSQL up, and restore it.
    Backup(backup::Backup),
    /// Copy one tenant into an encrypted file, and restore it into an empty tenant of any server.
    Copy(copy::Copy),
    /// A copy of a PostgreSQL that follows it all the time, and can take its place.
    Replica(replica::Replica),
    /// The main job, from files to active accounts, on a temporary database with simulated bots.
    Demo(demo::Demo),
    /// Import a file: compare it with what is stored, show the difference, and store it.
    Import(import::Import),
    /// Export everything of a kind as CSV that imports again unchanged.
    Export(import::Export),
    /// Show the tenant, pause it, or let it go on.
    Tenant(tenant::Tenant),
    /// Show or rotate the keys that seal the tenant's secrets.
    Keys(tenant::Keys),
    /// Show what happened by day, model and step, or count it again.
    Metrics(metrics::Metrics),
    /// Check every invariant, and say the cure of what is wrong.
    Doctor(tenant::Doctor),
    /// Print the document of the API (OpenAPI 3.1); no server is asked.
    Openapi,
    /// Write the completions of a shell to standard output.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// The whole command line: the commands above, and those of every entity.
fn command() -> clap::Command {
    let document = entities::Document::new();
    entities::ENTITIES
        .iter()
        .fold(Arguments::command(), |command, entity| {
            command.subcommand(entity.command(&document))
        })
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(&matches));
    // A read of standard input that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.message.is_empty() {
                eprintln!("error: {}", exit.message);
            }
            if let Some(hint) = &exit.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(exit.code)
        }
    }
}

async fn run(matches: &ArgMatches) -> Result<(), Exit> {
    if let Some((name, under)) = matches.subcommand()
        && let Some(entity) = entities::entity(name)
    {
        return entity.run(under).await;
    }
    match Arguments::from_arg_matches(matches)?.command {
        Command::Up(up) => up.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::CreateTenant(create) => create.run().await,
        Command::MasterKey(key) => key.run().await,
        Command::Backup(backup) => backup.run().await,
        Command::Copy(copy) => copy.run().await,
        Command::Replica(replica) => replica.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Import(import) => import.run().await,
        Command::Export(export) => export.run().await,
        Command::Tenant(tenant) => tenant.run().await,
        Command::Keys(keys) => keys.run().await,
        Command::Metrics(metrics) => metrics.run().await,
        Command::Doctor(doctor) => doctor.run().await,
        Command::Openapi => print::line(&serde_json::to_string_pretty(&crate::app::document())?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "muster", &mut script);
            print::bytes(&script)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    /// The lines of a page's shell examples, each with what it goes on to, without variables before and comments behind.
    fn commands(page: &str) -> Vec<Vec<String>> {
        let examples = page
            .split("```sh\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        let lines: Vec<String> = examples
            .flat_map(|example| {
                example
                    .replace("\\\n", " ")
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        lines
            .iter()
            .filter_map(|line| {
                let line = line.split(['#', '>']).next()?;
                let words = line
                    .split_whitespace()
                    .map(|word| word.trim_matches(['\'', '"']).to_owned());
                let words: Vec<_> = words.skip_while(|word| word != "muster").collect();
                (!words.is_empty()).then_some(words)
            })
            .collect()
    }

    #[test]
    fn the_commands_of_the_runbook_are_ours() {
        let commands = commands(include_str!("../../../../docs/operate.md"));
        assert!(commands.len() > 15, "{commands:?}");
        for words in commands {
            let parsed = command().try_get_matches_from(&words);
            // What is required may come from the environment, which the example sets before.
            let fault = parsed
                .err()
                .filter(|error| error.kind() != ErrorKind::MissingRequiredArgument);
            assert!(fault.is_none(), "{words:?}: {fault:?}");
        }
        let unknown = command().try_get_matches_from(["muster", "backup", "drill", "--to-moment", "x"]);
        assert_eq!(
            unknown.map_err(|error| error.kind()).err(),
            Some(ErrorKind::UnknownArgument),
            "the control"
        );
    }

    #[test]
    fn every_command_can_be_built() {
        command().debug_assert();
    }
}
