//! The cells of one row, read into values. Every fault is collected; none ends the reading of the row.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value;

use super::columns::{Field, fields, position};
use super::dates;
use super::reader::Notes;
use super::{DateOrder, Fault, Kind, VALUE_CHARS_MAX};

/// What stands for a secret.
pub const MASK: &str = "***";
/// The longest handle of an Instagram account.
const HANDLE_CHARS_MAX: usize = 30;
/// Longer runs of digits are ids, and Excel keeps no more than this many digits.
const EXACT_DIGITS_MAX: usize = 14;
const EMAIL_CHARS_MAX: usize = 255;
/// The longest name of a host.
const HOST_CHARS_MAX: usize = 253;
/// Path segments of instagram.com that are not handles.
const NOT_HANDLES: &[&str] = &[
    "p", "reel", "reels", "explore", "stories", "accounts", "tv", "direct",
];

/// The cells of a row by field, and the faults found in them so far.
pub(super) struct Cells<'a> {
    pub kind: Kind,
    pub number: u64,
    /// One for each field of the kind; none where the cell is blank or the column absent.
    pub values: Vec<Option<String>>,
    pub faults: Vec<Fault>,
    pub notes: &'a mut Notes,
    pub date_order: Option<DateOrder>,
    pub decimal_comma: bool,
    /// Set when cells may have slipped into the wrong column, so that any of them may be a secret.
    pub mask_all: bool,
}

/// White space and characters that cannot be seen, which spreadsheets leave at the ends of cells.
fn invisible(character: char) -> bool {
    character.is_whitespace() || character.is_control() || zero_width(character)
}

fn zero_width(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

fn quotation(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | '‘' | '’' | '“' | '”' | '„' | '‚' | '«' | '»'
    )
}

/// `text` without the invisible characters at its ends.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(invisible)
}

/// A word of our own vocabulary or of the network: nothing invisible in it, and no quotation marks around it.
fn word(text: &str) -> String {
    let text = text.trim_matches(|character| invisible(character) || quotation(character));
    text.chars().filter(|character| !zero_width(*character)).collect()
}

/// Whether a spreadsheet turned a long number into powers of ten, and so lost its last digits.
fn ruined_by_spreadsheet(text: &str) -> bool {
    let Some((digits, power)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let Some(power) = power.strip_prefix(['+', '-']) else {
        return false;
    };
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, rest) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    numeric(power) && numeric(whole) && numeric(rest)
}

const RUINED: &str = "a spreadsheet rounded this to a power of ten and its digits are lost: format the column as text, \
    enter the value again, and save anew";

const NUL: &str = "holds the character U+0000, which cannot be kept: remove it";

impl Cells<'_> {
    fn field(&self, name: &str) -> &'static Field {
        &fields(self.kind)[position(self.kind, name).expect("only called with fields of the kind")]
    }

    /// Records a fault of a field.
    pub(super) fn fault(
        &mut self,
        name: &str,
        code: &'static str,
        message: impl Into<String>,
        value: Option<&str>,
    ) {
        let secret = self.field(name).secret || self.mask_all;
        let value = value.map(|value| {
            if secret {
                MASK.to_owned()
            } else {
                value.chars().take(VALUE_CHARS_MAX).collect()
            }
        });
        self.faults.push(Fault {
            value,
            ..Fault::new(name, code, message)
        });
    }

    /// Takes a field's value, unless no database could keep it.
    pub(super) fn raw(&mut self, name: &str) -> Option<String> {
        let position = position(self.kind, name).expect("only called with fields of the kind");
        let value = self.values[position].take()?;
        if !value.contains('\0') {
            return Some(value);
        }
        self.fault(name, "character_not_allowed", NUL, None);
        None
    }

    /// Whether a field has something in it.
    pub(super) fn has(&self, name: &str) -> bool {
        position(self.kind, name).is_some_and(|position| self.values[position].is_some())
    }

    /// Puts a value into a field, as if it stood in the file.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        let position = position(self.kind, name).expect("only called with fields of the kind");
        self.values[position] = value;
    }

    /// What `read` makes of a field; a field that is blank but must not be is a fault.
    pub(super) fn required<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if !self.has(name) {
            self.fault(
                name,
                "required",
                format!("`{name}` is blank: every row needs it"),
                None,
            );
            return None;
        }
        read(self)
    }

    fn within(&mut self, name: &str, text: String, chars_max: usize) -> Option<String> {
        let chars = text.chars().count();
        if chars <= chars_max {
            return Some(text);
        }
        self.fault(
            name,
            "too_long",
            format!("{chars} characters, and at most {chars_max} fit: shorten it"),
            Some(&text),
        );
        None
    }

    /// A name or a label: one line, without invisible characters at its ends.
    pub(super) fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let raw = self.raw(name)?;
        self.within(name, trimmed(&raw).to_owned(), chars_max)
    }

    /// A text kept exactly as it is.
    pub(super) fn verbatim(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let raw = self.raw(name)?;
        self.within(name, raw, chars_max)
    }

    /// A secret, kept exactly as it is.
    pub(super) fn secret(&mut self, name: &str) -> Option<SecretString> {
        let raw = self.raw(name)?;
        if ruined_by_spreadsheet(trimmed(&raw)) {
            self.fault(name, "spreadsheet_number", RUINED, Some(&raw));
            return None;
        }
        Some(raw.into())
    }

    /// One of a few words.
    pub(super) fn choice(&mut self, name: &str, choices: &[&str]) -> Option<String> {
        let raw = self.raw(name)?;
        let given = word(&raw).to_lowercase().replace([' ', '-'], "_");
        if choices.contains(&given.as_str()) {
            return Some(given);
        }
        self.fault(
            name,
            "not_a_choice",
            format!("must be one of {}", choices.join(", ")),
            Some(&raw),
        );
        None
    }

    /// A whole number.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let raw = self.raw(name)?;
        let given = word(&raw);
        let whole = match given.split_once(['.', ',']) {
            Some((whole, rest))
                if !rest.is_empty() && rest.bytes().all(|byte| byte == b'0') && rest.len() < 3 =>
            {
                whole
            }
            _ => &given,
        };
        match whole.parse() {
            Ok(number) if range.contains(&number) => return Some(number),
            Ok(_) => {
                let message = format!("must lie between {} and {}", range.start(), range.end());
                self.fault(name, "out_of_range", message, Some(&raw));
            }
            Err(_) => {
                let message = format!(
                    "must be a whole number between {} and {}",
                    range.start(),
                    range.end()
                );
                self.fault(name, "not_a_number", message, Some(&raw));
            }
        }
        None
    }

    /// An amount of money: not negative, at most two decimals, below `limit`.
    pub(super) fn money(&mut self, name: &str, limit: Decimal) -> Option<Decimal> {
        let raw = self.raw(name)?;
        let given = word(&raw);
        let number =
            given.trim_matches(|character: char| "$€£".contains(character) || character.is_whitespace());
        match money(number, self.decimal_comma) {
            Some(amount) if amount < limit && !amount.is_sign_negative() => return Some(amount),
            Some(_) => self.fault(
                name,
                "out_of_range",
                format!("must lie between 0 and {limit}"),
                Some(&raw),
            ),
            None => {
                let (right, mark) = if self.decimal_comma {
                    ("12,50", "comma")
                } else {
                    ("12.50", "point")
                };
                let message = format!(
                    "must be an amount such as {right}, with at most two decimals: this file is read with a decimal {mark}; \
                    say so if that is wrong"
                );
                self.fault(name, "not_an_amount", message, Some(&raw));
            }
        }
        None
    }

    /// Yes or no.
    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        let raw = self.raw(name)?;
        match word(&raw).to_lowercase().as_str() {
            "true" | "yes" | "y" | "t" | "1" | "1.0" | "x" | "wahr" | "ja" | "vrai" | "oui" => Some(true),
            "false" | "no" | "n" | "f" | "0" | "0.0" | "falsch" | "nein" | "faux" | "non" => Some(false),
            _ => {
                self.fault(name, "not_yes_or_no", "must be true or false", Some(&raw));
                None
            }
        }
    }

    /// A date without a time.
    pub(super) fn date(&mut self, name: &str) -> Option<NaiveDate> {
        self.dated(name, dates::date)
    }

    /// An instant; a date alone is the end of that day in UTC.
    pub(super) fn instant(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.dated(name, dates::instant)
    }

    fn dated<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, Option<DateOrder>) -> Result<(T, bool), (&'static str, String)>,
    ) -> Option<T> {
        let raw = self.raw(name)?;
        match read(&word(&raw), self.date_order) {
            Ok((value, serial)) => {
                if serial {
                    let message = "day numbers of a spreadsheet (such as 45000) were read as dates";
                    self.notes.add("date_from_day_number", message, self.number);
                }
                Some(value)
            }
            Err((code, message)) => {
                self.fault(name, code, message, Some(&raw));
                None
            }
        }
    }

    /// JSON; an object where `object` says so.
    pub(super) fn json(&mut self, name: &str, object: bool) -> Option<Value> {
        let raw = self.raw(name)?;
        let parsed = serde_json::from_str(&raw).or_else(|error| {
            let straight = raw.replace(['“', '”', '„'], "\"").replace('\u{A0}', " ");
            serde_json::from_str(&straight).map_err(|_| error)
        });
        match parsed {
            Ok(value) if holds_nul(&value) => {
                self.fault(name, "character_not_allowed", NUL, Some(&raw));
            }
            Ok(Value::Object(object)) => return Some(Value::Object(object)),
            Ok(value) if !object => return Some(value),
            Ok(_) => self.fault(
                name,
                "json_not_an_object",
                "must be a JSON object, as in {\"monday\": [9, 17]}",
                Some(&raw),
            ),
            Err(error) => self.fault(name, "json_invalid", format!("is not JSON: {error}"), Some(&raw)),
        }
        None
    }

    /// The address of a picture: one that Muster keeps, or on the web.
    pub(super) fn picture(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let position = position(self.kind, name)?;
        let given = self.values[position].as_deref().map(trimmed);
        match given.filter(|given| muster_wire::content::kept_picture(given).is_some()) {
            Some(kept) => Some(kept.to_owned()),
            None => self.web_address(name, chars_max),
        }
    }

    /// The address of something on the web, kept as it is written.
    pub(super) fn web_address(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let text = self.text(name, chars_max)?;
        let parsed = url::Url::parse(&text).ok();
        if parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Some(text);
        }
        self.fault(
            name,
            "url_invalid",
            "must be a whole address that begins with https:// or http://",
            Some(&text),
        );
        None
    }

    /// An e-mail address.
    pub(super) fn email(&mut self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        let given = self.within(name, word(&raw), EMAIL_CHARS_MAX)?;
        if is_email(&given) {
            return Some(given);
        }
        let shown = before_separator(&raw);
        self.fault(
            name,
            "email_invalid",
            "must be one e-mail address, as in ana@example.com",
            Some(&shown),
        );
        None
    }

    /// The handle of an account, from `handle`, `@handle` or the address of the profile.
    pub(super) fn handle(&mut self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        match handle(&word(&raw)) {
            Ok(handle) => Some(handle),
            Err((code, message)) => {
                self.fault(name, code, message, Some(&before_separator(&raw)));
                None
            }
        }
    }

    /// The name or the address of a host, in lower case and without brackets.
    pub(super) fn host(&mut self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        let given = word(&raw).to_lowercase();
        let bare = given
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(&given);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(address.to_string());
        }
        if is_host_name(bare) {
            return Some(bare.to_owned());
        }
        self.fault(
            name,
            "host_invalid",
            "must be an IP address or the name of a host, without a scheme or port",
            Some(&raw),
        );
        None
    }

    /// An IP address.
    pub(super) fn ip(&mut self, name: &str) -> Option<IpAddr> {
        let raw = self.raw(name)?;
        let parsed = word(&raw).parse().ok();
        if parsed.is_none() {
            self.fault(
                name,
                "ip_invalid",
                "must be an IP address, as in 203.0.113.10",
                Some(&raw),
            );
        }
        parsed
    }
}

/// What may be shown of a cell that should be a handle or an address: a whole line of credentials may have been pasted.
fn before_separator(raw: &str) -> String {
    match raw.split_once([':', ';', '|', '\t', ' ']) {
        Some((start, rest)) if !rest.starts_with("//") => format!("{start}{MASK}"),
        _ => raw.to_owned(),
    }
}

fn money(text: &str, decimal_comma: bool) -> Option<Decimal> {
    let (decimal, thousands) = if decimal_comma { (',', '.') } else { ('.', ',') };
    let (whole, decimals) = text.split_once(decimal).unwrap_or((text, ""));
    let groups: Vec<&str> = whole.split(thousands).collect();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = groups.len() == 1 || groups[1..].iter().all(|group| group.len() == 3);
    let negative = whole.starts_with('-');
    let all_digits = groups.iter().enumerate().all(|(index, group)| {
        let group = if index == 0 {
            group.strip_prefix('-').unwrap_or(group)
        } else {
            group
        };
        !group.is_empty() && digits(group)
    });
    let fits = decimals.trim_end_matches('0').len() <= 2 && digits(decimals);
    if !grouped || !all_digits || !fits || (negative && whole == "-") {
        return None;
    }
    let decimals = &decimals[..decimals.len().min(2)];
    format!("{}.{decimals:0<2}", groups.concat()).parse().ok()
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(items) => items
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// Whether `text` has the form of an e-mail address.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let ordinary = |text: &str| {
        !text.is_empty()
            && !text
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || "@,;:<>()[]\"|".contains(c))
    };
    ordinary(local) && ordinary(domain) && domain.contains('.') && !domain.split('.').any(str::is_empty)
}

/// Whether `text` has the form of a host's name.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric_end = text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= HOST_CHARS_MAX && text.split('.').all(label) && !numeric_end
}

/// The handle that `text` names, in lower case; or the code and message of what is wrong with it.
pub(super) fn handle(text: &str) -> Result<String, (&'static str, String)> {
    if ruined_by_spreadsheet(text) {
        return Err(("spreadsheet_number", RUINED.into()));
    }
    if is_email(text) {
        return Err((
            "handle_is_email",
            "this is an e-mail address: give the handle of the account".into(),
        ));
    }
    let handle = if text.contains('/') {
        from_profile(text)?
    } else {
        text.trim_start_matches('@').to_lowercase()
    };
    if let Some(strange) = handle
        .chars()
        .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_'))
    {
        let message = if strange.is_ascii() {
            format!(
                "a handle has no `{}`: only letters a to z, digits, `.` and `_`",
                strange.escape_default()
            )
        } else {
            format!(
                "holds `{strange}` (U+{:04X}), which is not in the alphabet of handles though it may look so: type it again",
                u32::from(strange)
            )
        };
        return Err(("handle_character", message));
    }
    if !(1..=HANDLE_CHARS_MAX).contains(&handle.len()) {
        return Err((
            "handle_length",
            format!("a handle has 1 to {HANDLE_CHARS_MAX} characters"),
        ));
    }
    if handle.starts_with('.') || handle.ends_with('.') {
        return Err((
            "handle_full_stop",
            "a handle neither begins nor ends with a full stop: correct it".into(),
        ));
    }
    if handle.len() > EXACT_DIGITS_MAX && handle.bytes().all(|byte| byte.is_ascii_digit()) {
        let message =
            "this is a numeric id, and spreadsheets lose the last digits of such: give the handle instead";
        return Err(("handle_is_number", message.into()));
    }
    Ok(handle)
}

fn from_profile(text: &str) -> Result<String, (&'static str, String)> {
    let wrong = || {
        (
            "handle_address",
            "must be a handle, or the address of a profile on instagram.com".to_owned(),
        )
    };
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = url::Url::parse(&whole).map_err(|_| wrong())?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(
        host.trim_start_matches("www.").trim_start_matches("m."),
        "instagram.com" | "instagr.am"
    ) {
        return Err(wrong());
    }
    let mut segments = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty() && *segment != "_u");
    let first = segments
        .next()
        .ok_or_else(wrong)?
        .trim_start_matches('@')
        .to_lowercase();
    if NOT_HANDLES.contains(&first.as_str()) {
        Err(wrong())
    } else {
        Ok(first)
    }
}
