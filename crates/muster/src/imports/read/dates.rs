//! Dates as spreadsheets write them.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

use super::DateOrder;

/// The years that a date may have; others are slips of the keyboard.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;
/// The day numbers that are taken for dates (1927 to 2099), counted as Excel does from the end of 1899.
const SERIALS: std::ops::RangeInclusive<u64> = 10_000..=73_050;

/// A fault's code and message.
type Wrong = (&'static str, String);

/// What a value says about the order of the dates in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It can only be read so.
    Only(DateOrder),
    /// It can be read with the day or with the month first, as different dates.
    Either,
}

/// What `text` says about the order of dates; nothing when it is no date or the order makes no difference.
pub(super) fn evidence(text: &str) -> Option<Evidence> {
    let ([first, second, _], year_first) = numbers(text.split(['T', ' ']).next()?)?;
    match (first, second) {
        _ if year_first => Some(Evidence::Only(DateOrder::Ymd)),
        (13..=31, 1..=12) => Some(Evidence::Only(DateOrder::Dmy)),
        (1..=12, 13..=31) => Some(Evidence::Only(DateOrder::Mdy)),
        (1..=12, 1..=12) if first != second => Some(Evidence::Either),
        _ => None,
    }
}

/// The three numbers of a date, and whether the first is the year.
fn numbers(text: &str) -> Option<([u32; 3], bool)> {
    let parts: Vec<&str> = text.split(['/', '.', '-']).collect();
    let [first, second, third] = parts.as_slice() else {
        return None;
    };
    if [first, second, third]
        .iter()
        .any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return None;
    }
    let numbers = [first.parse().ok()?, second.parse().ok()?, third.parse().ok()?];
    match (first.len(), third.len()) {
        (4, 1 | 2) => Some((numbers, true)),
        (1 | 2, 4) => Some((numbers, false)),
        _ => None,
    }
}

/// A date. The second value says that it was a day number of a spreadsheet.
pub(super) fn date(text: &str, order: Option<DateOrder>) -> Result<(NaiveDate, bool), Wrong> {
    let day = match text.split_once(['T', ' ']) {
        Some((day, time))
            if time
                .chars()
                .all(|character| matches!(character, '0' | ':' | '.' | 'Z')) =>
        {
            day
        }
        _ => text,
    };
    let whole = day
        .split_once('.')
        .filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'))
        .map_or(day, |(whole, _)| whole);
    if whole.len() == 5
        && let Ok(serial) = whole.parse::<u64>()
        && SERIALS.contains(&serial)
    {
        let start = NaiveDate::from_ymd_opt(1899, 12, 30).expect("a date of the calendar");
        return start
            .checked_add_days(Days::new(serial))
            .map(|date| (date, true))
            .ok_or_else(not_a_date);
    }
    if let Some(date) = with_month_name(day) {
        return Ok((date, false));
    }
    let Some(([first, second, third], year_first)) = numbers(day) else {
        return Err(not_a_date());
    };
    let read = |year: u32, month, day| {
        let year = i32::try_from(year).ok().filter(|year| YEARS.contains(year));
        year.and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
            .map(|date| (date, false))
    };
    let (found, other) = match (year_first, order, evidence(day)) {
        (true, ..) => (read(first, second, third), None),
        (_, Some(DateOrder::Dmy), _) => (read(third, second, first), read(third, first, second)),
        (_, Some(DateOrder::Mdy), _) => (read(third, first, second), read(third, second, first)),
        (_, Some(DateOrder::Ymd), _) => (None, read(third, first, second).or(read(third, second, first))),
        (_, None, Some(Evidence::Either)) => {
            let message = "the day or the month may come first here: say which with the date order, or write 2026-04-03";
            return Err(("date_order_unknown", message.into()));
        }
        (_, None, _) => (read(third, second, first).or(read(third, first, second)), None),
    };
    match (found, other) {
        (Some(found), _) => Ok(found),
        (None, Some(_)) => Err((
            "date_order_conflict",
            "this is no date in the order in which the file's dates are read: change the date order, or write 2026-04-03"
                .into(),
        )),
        (None, None) => Err(not_a_date()),
    }
}

fn not_a_date() -> Wrong {
    let message = format!(
        "this is no date between {} and {}: write it as 2026-04-03, with a year of four digits",
        YEARS.start(),
        YEARS.end()
    );
    ("date_invalid", message)
}

/// Dates as `3-Apr-2026`, `3 April 2026` or `April 3, 2026`.
fn with_month_name(text: &str) -> Option<NaiveDate> {
    let words: Vec<&str> = text
        .split([' ', '-', '/', ',', '.'])
        .filter(|word| !word.is_empty())
        .collect();
    let [first, second, year] = words.as_slice() else {
        return None;
    };
    let (day, month) = if first.starts_with(|c: char| c.is_ascii_digit()) {
        (first, second)
    } else {
        (second, first)
    };
    let known = month.len() >= 3 && year.len() == 4;
    let month = known.then(|| month.parse::<chrono::Month>().ok()).flatten()?;
    let year = year.parse().ok().filter(|year| YEARS.contains(year))?;
    NaiveDate::from_ymd_opt(year, month.number_from_month(), day.parse().ok()?)
}

/// An instant; a date alone means the end of that day in UTC.
pub(super) fn instant(text: &str, order: Option<DateOrder>) -> Result<(DateTime<Utc>, bool), Wrong> {
    let in_range = |instant: &DateTime<Utc>| YEARS.contains(&chrono::Datelike::year(instant));
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc())
            .filter(in_range)
            .map(|instant| (instant, false))
            .ok_or_else(not_a_date);
    }
    for format in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(instant) = NaiveDateTime::parse_from_str(text, format) {
            return Some(instant.and_utc())
                .filter(in_range)
                .map(|instant| (instant, false))
                .ok_or_else(not_a_date);
        }
    }
    let (date, serial) = date(text, order)?;
    let end = NaiveTime::from_hms_opt(23, 59, 59).expect("a time of the clock");
    Ok((date.and_time(end).and_utc(), serial))
}

/// An instant as exports write it; read back by [`instant`].
pub(super) fn write_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
