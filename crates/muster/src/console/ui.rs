//! Small pieces of pages that are made from values: times, numbers, pictures, and badges, whose meaning is in their words
//! and shape as well as in their colour.

use std::{
    borrow::Borrow,
    fmt::{self, Display},
};

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};
use muster_wire::{
    Event, State, Step,
    accounts::{AccountStatus, AttemptStatus, Basis, Hold},
    reviews::ReviewKind,
};

use super::assets;

/// Markup that was made here, from parts that cannot hold any.
#[derive(Debug, Clone)]
pub struct Markup(String);

impl Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// What a badge means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing particular.
    Quiet,
    /// Under way.
    Info,
    /// As it should be.
    Good,
    /// Wants an eye.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    /// Its class.
    pub const fn word(self) -> &'static str {
        match self {
            Tone::Quiet => "quiet",
            Tone::Info => "info",
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

/// A picture of `icons.svg`. It stands beside words, or in something that has a name.
pub fn icon(name: &'static str) -> Markup {
    Markup(format!(
        "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{}#{name}\"/></svg>",
        assets::icons()
    ))
}

/// A badge: a picture and a word of ours.
pub fn badge(tone: Tone, shape: &'static str, word: &'static str) -> Markup {
    Markup(format!(
        "<span class=\"badge {}\">{}{word}</span>",
        tone.word(),
        icon(shape)
    ))
}

/// The state of an account. The shape fills as the account goes along.
pub fn state(state: &State) -> Markup {
    let (tone, shape) = match state {
        State::Imported => (Tone::Quiet, "s0"),
        State::ProxyAssigned => (Tone::Quiet, "s1"),
        State::WarmingUp => (Tone::Info, "s2"),
        State::HumanReview => (Tone::Warn, "eye"),
        State::Ready => (Tone::Good, "s3"),
        State::Active => (Tone::Good, "s4"),
        State::Cleanup => (Tone::Quiet, "box"),
    };
    badge(tone, shape, state_name(state))
}

/// What a state is called on screens.
pub const fn state_name(state: &State) -> &'static str {
    match state {
        State::Imported => "Imported",
        State::ProxyAssigned => "Proxy assigned",
        State::WarmingUp => "Warming up",
        State::HumanReview => "In review",
        State::Ready => "Ready",
        State::Active => "Active",
        State::Cleanup => "Retired",
    }
}

/// What the platform says of an account.
pub fn status(status: &AccountStatus) -> Markup {
    match status {
        AccountStatus::Active => badge(Tone::Good, "check", "Active"),
        AccountStatus::Banned => badge(Tone::Bad, "cross", "Banned"),
        AccountStatus::Suspended => badge(Tone::Bad, "pause", "Suspended"),
        AccountStatus::Inactive => badge(Tone::Quiet, "pause", "Inactive"),
    }
}

/// How an attempt ended.
pub fn attempt(status: &AttemptStatus) -> Markup {
    match status {
        AttemptStatus::Pending => badge(Tone::Quiet, "s0", "Not begun"),
        AttemptStatus::InProgress => badge(Tone::Info, "s2", "Never reported"),
        AttemptStatus::Completed => badge(Tone::Good, "check", "Completed"),
        AttemptStatus::Failed => badge(Tone::Bad, "cross", "Failed"),
        AttemptStatus::RequiresReview => badge(Tone::Warn, "eye", "Asked for a person"),
    }
}

/// Why something is in review.
pub fn review(kind: &ReviewKind) -> Markup {
    match kind {
        ReviewKind::Finished => badge(Tone::Good, "check", "Finished"),
        ReviewKind::Escalated => badge(Tone::Bad, "alert", "Escalated"),
        ReviewKind::Flagged => badge(Tone::Warn, "flag", "Flagged"),
    }
}

/// Why no work of an account is handed out.
pub fn hold(hold: &Hold) -> Markup {
    let word = match hold {
        Hold::AccountNotActive => "Held: account not active",
        Hold::AuthorisationLapsed => "Held: authorisation",
        Hold::NoModel => "Held: no model",
        Hold::ModelNotActive => "Held: model not active",
        Hold::ProxyNotActive => "Held: proxy not active",
        Hold::PoolEmpty => "Held: pool empty",
    };
    badge(Tone::Warn, "pause", word)
}

/// What a step is called on screens.
pub const fn step_name(step: &Step) -> &'static str {
    match step {
        Step::ChangePfp => "Profile picture",
        Step::ChangeBio => "Biography",
        Step::PostHighlight => "Highlight",
        Step::PostStory => "Story",
        Step::PostPost => "Post",
    }
}

/// What an event is called on buttons.
pub const fn event_name(event: &Event) -> &'static str {
    match event {
        Event::AssignProxy => "Assign a proxy",
        Event::ReleaseProxy => "Release the proxy",
        Event::StartWarmup => "Start the warm-up",
        Event::FinishWarmup => "Finish the warm-up",
        Event::Escalate => "Escalate",
        Event::Approve => "Approve",
        Event::Resume => "Resume",
        Event::Activate => "Activate",
        Event::Flag => "Flag for review",
        Event::Retire => "Retire",
        Event::Restore => "Restore",
    }
}

/// What a ground of authorisation is called on screens.
pub const fn basis_name(basis: &Basis) -> &'static str {
    match basis {
        Basis::Owned => "Owned",
        Basis::ClientConsent => "Client's consent",
        Basis::Employee => "Employee",
    }
}

/// A moment as people say it, with the exact time for whoever hovers or listens.
pub fn when(at: &DateTime<Utc>) -> Markup {
    let secs = (Utc::now() - *at).num_seconds();
    let text = match secs {
        0..=9 => "just now".to_owned(),
        10.. => format!("{} ago", span(secs)),
        _ => format!("in {}", span(-secs)),
    };
    time(at, &text)
}

/// How long ago a moment is, bare: for columns of ages.
pub fn age(at: &DateTime<Utc>) -> Markup {
    time(at, &span((Utc::now() - *at).num_seconds().abs()))
}

fn time(at: &DateTime<Utc>, text: &str) -> Markup {
    Markup(format!(
        "<time datetime=\"{}\" title=\"{}\">{text}</time>",
        at.to_rfc3339_opts(SecondsFormat::Secs, true),
        at.format("%Y-%m-%d %H:%M:%S UTC")
    ))
}

fn span(secs: i64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// A number with its thousands apart.
pub fn number(number: impl Borrow<i64>) -> String {
    let number = *number.borrow();
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    if number < 0 { format!("−{out}") } else { out }
}

/// One or many: `1 account`, `3 accounts`.
pub fn count(count: impl Borrow<i64>, one: &str, many: &str) -> String {
    let count = *count.borrow();
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// The characters of a text that a list shows of it.
const BEGINNING_CHARS_MAX: usize = 160;

/// The beginning of a text, for lists.
pub fn beginning(text: &str) -> String {
    match text.char_indices().nth(BEGINNING_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_said_as_people_say_them() {
        let numbers = [0, 999, 1_000, 1_234_567, -12_345].map(|n| number(n).replace('\u{202f}', " "));
        assert_eq!(numbers, ["0", "999", "1 000", "1 234 567", "−12 345"]);
        let spans = [5, 61, 7_300, 200_000].map(span);
        assert_eq!(spans, ["5 s", "1 min", "2 h", "2 d"]);
    }
}
