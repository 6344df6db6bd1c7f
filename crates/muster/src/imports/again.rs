//! The form that has a file read again, otherwise: its choices, and what it asks for.

use std::collections::BTreeMap;

use muster_wire::Fault;
use serde_json::Value;

use super::read::{DateOrder, Detected, Encoding, Options};
use crate::{
    console::form,
    problem::{Failure, Refusal},
};

/// The choices that a file has, with what it was found to be; of dates only where it can have some.
pub(super) fn choices(detected: Option<&Detected>, has_dates: bool) -> Vec<Choice> {
    let delimiter = detected.and_then(|detected| detected.delimiter);
    let header = detected.map(|detected| detected.header_line.is_some());
    let order = detected.and_then(|detected| detected.date_order);
    let mut choices = vec![
        Choice::new(
            "delimiter",
            "Cells are between",
            DELIMITERS,
            delimiter_word(delimiter),
        ),
        Choice::new(
            "header",
            "The first row",
            HEADERS,
            match header {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            },
        ),
        Choice::new(
            "encoding",
            "Encoding",
            ENCODINGS,
            detected.map_or("", |detected| encoding_word(detected.encoding)),
        ),
    ];
    if has_dates {
        choices.push(Choice::new(
            "date_order",
            "Dates such as 03/04/2026 begin with",
            ORDERS,
            order_word(order),
        ));
    }
    choices
}

/// A choice of the form.
pub(super) struct Choice {
    pub name: &'static str,
    pub label: &'static str,
    pub among: &'static [(&'static str, &'static str)],
    pub chosen: &'static str,
}

impl Choice {
    pub fn new(
        name: &'static str,
        label: &'static str,
        among: &'static [(&'static str, &'static str)],
        chosen: &'static str,
    ) -> Self {
        Self {
            name,
            label,
            among,
            chosen,
        }
    }
}

pub(super) const DELIMITERS: &[(&str, &str)] = &[
    ("", "As detected"),
    ("comma", "Commas"),
    ("semicolon", "Semicolons"),
    ("tab", "Tabs"),
    ("bar", "Bars"),
];
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("", "As detected"),
    ("yes", "Names the columns"),
    ("no", "Is a row like the others"),
];
pub(super) const ENCODINGS: &[(&str, &str)] = &[
    ("", "As detected"),
    ("utf-8", "UTF-8"),
    ("utf-16le", "UTF-16LE"),
    ("utf-16be", "UTF-16BE"),
    ("windows-1252", "Windows-1252"),
];
pub(super) const ORDERS: &[(&str, &str)] = &[
    ("", "As detected"),
    ("dmy", "The day"),
    ("mdy", "The month"),
    ("ymd", "The year"),
];

pub(super) const fn delimiter_word(delimiter: Option<char>) -> &'static str {
    match delimiter {
        Some(',') => "comma",
        Some(';') => "semicolon",
        Some('\t') => "tab",
        Some('|') => "bar",
        _ => "",
    }
}

pub(super) const fn encoding_word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16Le => "utf-16le",
        Encoding::Utf16Be => "utf-16be",
        Encoding::Windows1252 => "windows-1252",
    }
}

pub(super) const fn order_word(order: Option<DateOrder>) -> &'static str {
    match order {
        Some(DateOrder::Dmy) => "dmy",
        Some(DateOrder::Mdy) => "mdy",
        Some(DateOrder::Ymd) => "ymd",
        None => "",
    }
}

/// How a form asks for a file to be read; what it does not ask for stays.
pub(super) fn asked(
    form: &[(String, String)],
    before: Options,
    detected: Option<&Detected>,
) -> Result<Options, Failure> {
    let mut options = before;
    let mut mapping = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, value) in form {
        let given = || Some(value.trim().to_owned()).filter(|text| !text.is_empty());
        match name.as_str() {
            "delimiter" => {
                options.delimiter = match value.as_str() {
                    "comma" => Some(','),
                    "semicolon" => Some(';'),
                    "tab" => Some('\t'),
                    "bar" => Some('|'),
                    _ => None,
                }
            }
            "header" => options.header = (!value.is_empty()).then_some(value == "yes"),
            "encoding" => options.encoding = word(value),
            "date_order" => options.date_order = word(value),
            "default_model" => options.default_model = given(),
            "default_email" => options.default_email = given(),
            "default_authorisation_basis" => options.default_authorisation_basis = given(),
            "default_authorisation_reference" => options.default_authorisation_reference = given(),
            "scheme" => options.scheme = given(),
            "provider" => options.provider = given(),
            "location" => options.location = given(),
            "monthly_cost" => {
                options.monthly_cost = match given().map(|cost| cost.parse()) {
                    None => None,
                    Some(Ok(cost)) => Some(cost),
                    Some(Err(_)) => {
                        let detail = "the monthly cost is a number, such as 12.50";
                        faults.push(Fault::new("/monthly_cost", "number", detail));
                        None
                    }
                }
            }
            _ => match name.strip_prefix("column-") {
                Some(number) => {
                    mapping.insert(number.to_owned(), value.clone());
                }
                None => return Err(form::not_this_form()),
            },
        }
    }
    Refusal::check(faults)?;
    // The columns of a file that is split otherwise are others.
    let split_as_before = detected.is_some_and(|detected| {
        options
            .delimiter
            .is_none_or(|delimiter| detected.delimiter == Some(delimiter))
            && options
                .header
                .is_none_or(|header| detected.header_line.is_some() == header)
            && options
                .encoding
                .is_none_or(|encoding| encoding == detected.encoding)
    });
    options.mapping = if split_as_before {
        mapping
    } else {
        Default::default()
    };
    Ok(options)
}

/// A word of a closed set; none when it is none.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}
