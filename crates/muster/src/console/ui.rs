//! Small pieces of pages that are made from values: times, numbers, pictures, and badges, whose meaning is in their words
//! and shape as well as in their colour.

use std::fmt::{self, Display};

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, Utc};
use muster_wire::{
    Event, State, Step,
    accounts::{AccountStatus, AttemptStatus, Basis, Count, Hold},
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
    let (tone, shape) = match kind {
        ReviewKind::Finished => (Tone::Good, "check"),
        ReviewKind::Escalated => (Tone::Bad, "alert"),
        ReviewKind::Flagged => (Tone::Warn, "flag"),
    };
    badge(tone, shape, review_name(kind))
}

/// What a kind of review is called on screens.
pub const fn review_name(kind: &ReviewKind) -> &'static str {
    match kind {
        ReviewKind::Finished => "Finished",
        ReviewKind::Escalated => "Escalated",
        ReviewKind::Flagged => "Flagged",
    }
}

/// Why no work of an account is handed out.
pub fn hold(hold: &Hold) -> Markup {
    let word = match hold {
        Hold::AccountNotActive => "Account not active",
        Hold::AuthorisationLapsed => "Authorisation lapsed",
        Hold::NoModel => "No model",
        Hold::ModelNotActive => "Model not active",
        Hold::ProxyNotActive => "Proxy not active",
        Hold::PoolEmpty => "Pool empty",
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

/// What happened, as a history says it: an event of the lifecycle, or the import that an account began with.
pub fn happened(event: &str) -> &'static str {
    event
        .parse::<Event>()
        .map_or("Imported", |event| event_name(&event))
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

/// How long it is until a moment; the script lets it run down.
pub fn clock(until: &DateTime<Utc>) -> Markup {
    let secs = (*until - Utc::now()).num_seconds().max(0);
    Markup(format!(
        "<time data-clock datetime=\"{}\">{}:{:02}</time>",
        until.to_rfc3339_opts(SecondsFormat::Secs, true),
        secs / 60,
        secs % 60
    ))
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

/// A number, by value or by reference: templates have both.
pub trait Number {
    /// The number.
    fn get(&self) -> i64;
}

impl Number for i64 {
    fn get(&self) -> i64 {
        *self
    }
}

impl<N: Number> Number for &N {
    fn get(&self) -> i64 {
        (*self).get()
    }
}

/// A number with its thousands apart.
pub fn number(number: impl Number) -> String {
    let number = number.get();
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
pub fn count(count: impl Number, one: &str, many: &str) -> String {
    let count = count.get();
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// The characters of a text that a list shows of it.
pub const LISTED_CHARS_MAX: usize = 160;

/// The beginning of a text that may be long.
pub fn clip(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number, as far as it was counted: `200`, or `200+` where there are more.
pub fn as_counted(counted: impl Number, exact: bool) -> String {
    number(counted) + if exact { "" } else { "+" }
}

/// How many match, as far as it was counted: `3 accounts`, `200+ accounts`.
pub fn counted(counted: &Count, one: &str, many: &str) -> String {
    let Count { count, exact } = *counted;
    let what = if exact && count == 1 { one } else { many };
    format!("{} {what}", as_counted(count, exact))
}

/// What stands on the button for all that match; how many they are exactly is said before anything is done.
pub fn all_of(counted: Option<&Count>) -> String {
    match counted {
        Some(Count { count, exact: true }) => format!("All {}", number(count)),
        _ => "All that match".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_said_as_people_say_them() {
        let numbers = [0, 999, 1_000, 1_234_567, -12_345].map(|n| number(n).replace('\u{202f}', " "));
        assert_eq!(numbers, ["0", "999", "1 000", "1 234 567", "−12 345"]);
        let counts = [(1, true), (1, false), (2, true), (200, false)]
            .map(|(count, exact)| counted(&Count { count, exact }, "account", "accounts"));
        assert_eq!(
            counts,
            ["1 account", "1+ accounts", "2 accounts", "200+ accounts"]
        );
        let spans = [5, 61, 7_300, 200_000].map(span);
        assert_eq!(spans, ["5 s", "1 min", "2 h", "2 d"]);
    }
}
