//! The page that asks why before something is done.

use askama::Template;
use muster_wire::models::Because;
use serde::Deserialize;

use super::{Faults, Shell};

/// A form for a reason. Its title asks, its button does.
#[derive(Debug, Template)]
#[template(path = "console/because.html")]
pub struct BecausePage {
    /// The frame; the title is the question.
    pub shell: Shell,
    /// What will happen, in a sentence or two.
    pub text: &'static str,
    /// Where the form is sent.
    pub action: String,
    /// What its button says.
    pub button: &'static str,
    /// Where it was asked.
    pub back: String,
    /// The reason so far.
    pub reason: String,
    /// What is wrong with it.
    pub faults: Faults,
}

/// The reason that was given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BecauseForm {
    /// In the person's words.
    pub reason: String,
}

impl BecauseForm {
    /// For the operation.
    pub fn because(&self) -> Because {
        Because {
            reason: self.reason.clone(),
        }
    }
}
