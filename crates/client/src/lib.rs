//! The client of Muster's API, and the loop that bots are written with.
//!
//! A bot, whole:
//!
//! ```no_run
//! use muster_client::{Client, Done, StepError, Worker};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new(&std::env::var("MUSTER_URL")?, std::env::var("MUSTER_TOKEN")?.into())?;
//!     Worker::new(client)
//!         .concurrency(8)
//!         .run(
//!             async |item| {
//!                 let text = item.text.map(|t| t.text).ok_or_else(|| StepError::failed("no text was chosen"))?;
//!                 println!("{}: {} with {text:?}", item.account.username, item.name);
//!                 Ok(Done::default())
//!             },
//!             async { drop(tokio::signal::ctrl_c().await) },
//!         )
//!         .await?;
//!     Ok(())
//! }
//! ```

mod client;
mod worker;

pub use client::{Client, ClientError, Download};
pub use muster_wire as wire;
/// The body of an upload: bytes, a file, or a stream.
pub use reqwest::Body;
pub use worker::{Done, StepError, Tally, Worker};
