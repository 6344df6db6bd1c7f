//! Where the server is, who asks, and asking a person.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use muster_client::{Client, ClientError, Download};
use muster_wire::Page;
use secrecy::SecretString;
use serde_json::Value;

use super::{
    Exit,
    print::{self, Column},
};

/// Items that are shown when the command does not say how many.
const ITEMS_SHOWN: u64 = 50;

/// The most items that one page of the API holds.
const PAGE_ITEMS_MAX: u64 = muster_wire::page::PAGE_ITEMS_MAX as u64;

/// How often a bar without news moves.
const TICK_MS: u64 = 120;

/// The server that is asked, and how answers are printed. The token is `MUSTER_TOKEN`, or in a file.
#[derive(Debug, Args)]
pub struct Remote {
    /// The server's address.
    #[arg(
        long,
        global = true,
        env = "MUSTER_URL",
        default_value = "http://127.0.0.1:7700",
        help_heading = "Server"
    )]
    url: String,

    /// A file that holds the API token; without it the token is taken from the environment, MUSTER_TOKEN.
    #[arg(long, global = true, env = "MUSTER_TOKEN_FILE", help_heading = "Server")]
    token_file: Option<PathBuf>,

    /// Print JSON, an item a line.
    #[arg(long, global = true, help_heading = "Server")]
    pub json: bool,
}

/// How much of a list is wanted.
#[derive(Debug, Args)]
pub struct Shown {
    /// Which: qualifiers such as state:ready model:"North Side", and words to look for.
    filter: Vec<String>,

    /// How many at most.
    #[arg(long, default_value_t = ITEMS_SHOWN, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// All of them.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Remote {
    /// A client of the server.
    ///
    /// # Errors
    /// When there is no token, or the address is none.
    pub fn client(&self) -> Result<Client, Exit> {
        let token = match &self.token_file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Exit::new(
                    2,
                    format!("the token file {} cannot be read: {error}", path.display()),
                )
            })?,
            None => std::env::var("MUSTER_TOKEN").unwrap_or_default(),
        };
        if token.trim().is_empty() {
            let hint = "export MUSTER_TOKEN=mst_..., or give --token-file; `muster up` prints the first one";
            return Err(Exit::new(2, "there is no token").hint(hint));
        }
        Ok(Client::new(&self.url, SecretString::from(token.trim()))?)
    }

    /// Prints an answer: as a record, or as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&self, columns: &[Column], answer: &Value) -> Result<(), Exit> {
        if self.json {
            print::json(answer)
        } else {
            print::record(columns, answer)
        }
    }

    /// Prints items: as a table, or as JSON, one a line.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn items(&self, columns: &[Column], items: &[Value]) -> Result<(), Exit> {
        if self.json {
            items.iter().try_for_each(print::json)
        } else {
            print::table(columns, items)
        }
    }

    /// Prints the list at a path. JSON is printed as it arrives.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn list(&self, path: &str, columns: &[Column], shown: &Shown) -> Result<(), Exit> {
        let client = self.client()?;
        let filter = filter(&shown.filter);
        let (mut left, mut cursor, mut rows) =
            (if shown.all { u64::MAX } else { shown.limit }, None, Vec::new());
        loop {
            let limit = left.min(PAGE_ITEMS_MAX).to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(filter.as_deref().map(|filter| ("filter", filter)));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page<Value> = client.get(path, &query).await?;
            left = left.saturating_sub(page.items.len() as u64);
            if self.json {
                page.items.iter().try_for_each(print::json)?;
            } else {
                rows.extend(page.items);
            }
            cursor = page.next;
            if cursor.is_none() || left == 0 {
                break;
            }
        }
        if !self.json {
            print::table(columns, &rows)?;
        }
        if cursor.is_some() {
            eprintln!("There are more: --all shows them, --limit how many.");
        }
        Ok(())
    }

    /// Does something bodiless, or with a body, and prints the answer as a record.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn act(&self, path: &str, body: &Value, columns: &[Column]) -> Result<(), Exit> {
        let answer: Value = self.client()?.post(path, body).await?;
        self.record(columns, &answer)
    }

    /// Prints an answer that holds a secret, which is not shown again: the secret alone on standard output, for a script or a
    /// person to keep.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn secret(&self, columns: &[Column], answer: &Value, secret: &str) -> Result<(), Exit> {
        if self.json {
            return print::json(answer);
        }
        for (heading, name) in columns {
            let value = print::field(answer, name);
            if !value.is_null() {
                eprintln!("{heading:8} {}", print::harmless(&value.to_string()));
            }
        }
        eprintln!("Shown this once:");
        print::line(secret)
    }

    /// Words for people: on standard output, or beside JSON on standard error.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn say(&self, words: &str) -> Result<(), Exit> {
        if self.json {
            eprintln!("{words}");
            Ok(())
        } else {
            print::line(words)
        }
    }
}

/// The words of a command line as one filter: the shell has taken the quotes away, and blanks need them.
pub fn filter(words: &[String]) -> Option<String> {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            let quoted = word.contains(char::is_whitespace) && !word.contains('"');
            let key = word
                .bytes()
                .take_while(|b| b.is_ascii_lowercase() || *b == b'_')
                .count();
            match word.split_at(key) {
                (key, value) if quoted && !key.is_empty() && value.starts_with(':') => {
                    // More than one term in one word of the shell is left as it is.
                    if value[1..].contains(':') {
                        word.clone()
                    } else {
                        format!("{key}:\"{}\"", &value[1..])
                    }
                }
                _ if quoted && !word.contains(':') => format!("\"{word}\""),
                _ => word.clone(),
            }
        })
        .collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

/// Asks a person, where there is one.
///
/// # Errors
/// When there is no terminal to ask on, or the answer is no.
pub fn confirm(question: &str, yes: bool) -> Result<(), Exit> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Exit::new(2, format!("{question} Nobody can be asked here")).hint("give --yes"));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Exit::new(1, "not done")),
    }
}

/// A bar on a terminal's standard error, with rate and time left; nothing elsewhere. Without a length it spins.
pub fn progress(length: Option<u64>, template: &'static str) -> ProgressBar {
    let bar = match length {
        Some(length) => ProgressBar::new(length),
        None => ProgressBar::new_spinner(),
    };
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are ours"));
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    bar
}

/// Copies a download to a sink, piece by piece; says how many bytes there were.
///
/// # Errors
/// When the connection breaks, or the sink refuses.
pub async fn copy(mut from: Download, mut sink: impl FnMut(&[u8]) -> Result<(), Exit>) -> Result<u64, Exit> {
    let mut count = 0;
    while let Some(chunk) = from.chunk().await? {
        sink(chunk.as_ref())?;
        count += chunk.as_ref().len() as u64;
    }
    Ok(count)
}

/// What a refusal means for the process: its code, every fault, what to do, and the request's id.
pub fn exit(error: &ClientError) -> Option<Exit> {
    let exit = match error {
        ClientError::Problem(problem) => {
            let code = match problem.status {
                404 => 3,
                409 | 412 => 4,
                400 | 413 | 415 | 422 => 5,
                _ => 1,
            };
            let mut message = match problem.errors.as_slice() {
                [] => print::harmless(&problem.detail).into_owned(),
                _ => "the request has faults".to_owned(),
            };
            for fault in &problem.errors {
                message.push_str(&format!(
                    "\n  {}: {}",
                    fault.pointer,
                    print::harmless(&fault.detail)
                ));
            }
            if let Some(id) = &problem.request_id {
                message.push_str(&format!("\nrequest: {id}"));
            }
            let exit = Exit::new(code, message);
            match problem.status {
                401 => exit.hint("export MUSTER_TOKEN with a token that is valid; an owner makes one with `muster tokens add`"),
                403 => exit.hint("another role may do this; `muster operators list` shows who has it"),
                _ => exit,
            }
        }
        ClientError::Connection(_) => return None,
        ClientError::Answer(_) | ClientError::Url(_) => Exit::new(1, error.to_string()).hint(WHERE),
    };
    Some(exit)
}

/// What to do when there is no server where one was looked for.
pub const WHERE: &str = "--url or MUSTER_URL says where the server is; `muster up` starts one";

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn quotes_that_the_shell_took_away_are_given_back() {
        let read = |words: &[&str]| {
            filter(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(
            read(&["state:ready", "model:North Side", "two words", "ana"]),
            r#"state:ready model:"North Side" "two words" ana"#
        );
        assert_eq!(
            read(&[r#"state:ready model:"North Side""#]),
            r#"state:ready model:"North Side""#
        );
        assert_eq!(read(&["state:ready status:active"]), "state:ready status:active");
        assert_eq!(read(&[]), "");
    }
}
