//! The scenarios, a module each.

pub mod assign;
pub mod drain;
pub mod due;
pub mod import;
pub mod neighbours;
pub mod read;
pub mod single;
pub mod steady;

use crate::report::Run;

/// Says on the terminal what a run came to, so that who waits sees it go on.
fn told(run: Run) -> Run {
    eprintln!(
        "{}: {}: {:.0} {} a second",
        run.scenario,
        run.subject,
        run.rate(),
        run.unit
    );
    run
}
