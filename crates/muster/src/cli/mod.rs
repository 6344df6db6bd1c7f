//! The command line: for people first, for scripts second.
//!
//! Exit codes: 0 done; 1 failed; 2 not understood; 3 not found; 4 not possible as things are; 5 the input has faults;
//! 6 the doctor has findings.

use std::{error::Error, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

mod demo;
mod serve;

/// What went wrong, and with which exit code the process ends.
#[derive(Debug)]
pub struct Exit {
    code: u8,
    message: String,
}

impl Exit {
    /// An end with this code and message.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A failure and everything that caused it, in one line.
impl<E: Error + 'static> From<E> for Exit {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self::new(1, message)
    }
}

/// Muster: accounts, proxies and content; their lifecycle; and the work on them.
#[derive(Debug, Parser)]
#[command(name = "muster", version, arg_required_else_help = true, propagate_version = true)]
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
    /// The main job, from files to active accounts, on a temporary database with simulated bots.
    Demo(demo::Demo),
    /// Write the completions of a shell to standard output.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.message.is_empty() {
                eprintln!("error: {}", exit.message);
            }
            ExitCode::from(exit.code)
        }
    }
}

async fn run(command: Command) -> Result<(), Exit> {
    match command {
        Command::Up(up) => up.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::CreateTenant(create) => create.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "muster", &mut std::io::stdout());
            Ok(())
        }
    }
}
