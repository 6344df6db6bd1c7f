//! The checks that requests share. Each adds a fault when its value is at fault, so that all are told at once.

use std::{fmt::Display, ops::RangeInclusive};

use serde_json::Value;

use crate::problem::Fault;

/// A text holds this many characters, and no NUL, which the database cannot store.
pub fn text(faults: &mut Vec<Fault>, pointer: &str, text: &str, chars: RangeInclusive<usize>) {
    if !chars.contains(&text.chars().count()) {
        let detail = format!("this has {} to {} characters", chars.start(), chars.end());
        faults.push(Fault::new(pointer, "length", detail));
    }
    if text.contains('\0') {
        faults.push(Fault::new(
            pointer,
            "nul",
            "a text cannot hold a NUL: take it out",
        ));
    }
}

/// A number lies in a range.
pub fn range<N: PartialOrd + Display>(
    faults: &mut Vec<Fault>,
    pointer: &str,
    number: N,
    range: RangeInclusive<N>,
) {
    if !range.contains(&number) {
        let detail = format!("this is from {} to {}", range.start(), range.end());
        faults.push(Fault::new(pointer, "range", detail));
    }
}

/// A value is a JSON object of at most so many bytes, without a NUL in its texts.
pub fn object(faults: &mut Vec<Fault>, pointer: &str, value: &Value, bytes_max: usize) {
    if !value.is_object() {
        faults.push(Fault::new(pointer, "type", "this is a JSON object: {...}"));
    }
    let json = value.to_string();
    if json.len() > bytes_max {
        let detail = format!("this has at most {bytes_max} bytes as JSON");
        faults.push(Fault::new(pointer, "length", detail));
    }
    // An escaped backslash before the letter u makes no NUL.
    if json.replace(r"\\", "").contains(r"\u0000") {
        faults.push(Fault::new(
            pointer,
            "nul",
            "a text cannot hold a NUL: take it out",
        ));
    }
}

/// A text is the address of something on the web, `http://` or `https://`, of at most so many characters.
pub fn url(faults: &mut Vec<Fault>, pointer: &str, url: &str, chars_max: usize) {
    text(faults, pointer, url, 1..=chars_max);
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let named = host.is_some_and(|host| !host.starts_with(['/', '?', '#', ':']) && !host.is_empty());
    if !named || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let detail = "this is an http:// or https:// address without spaces, as https://example.com/a.jpg";
        faults.push(Fault::new(pointer, "url", detail));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes(check: impl FnOnce(&mut Vec<Fault>)) -> Vec<String> {
        let mut faults = Vec::new();
        check(&mut faults);
        faults.into_iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn texts_are_measured_in_characters_and_hold_no_nul() {
        assert!(codes(|f| text(f, "/name", "ñandú", 1..=5)).is_empty());
        assert_eq!(codes(|f| text(f, "/name", "", 1..=5)), ["length"]);
        assert_eq!(codes(|f| text(f, "/name", "a\0b", 1..=2)), ["length", "nul"]);
    }

    #[test]
    fn a_range_has_both_its_ends() {
        assert!(codes(|f| (0..=3).for_each(|n| range(f, "/n", n, 0..=3))).is_empty());
        assert_eq!(
            codes(|f| [-1, 4].into_iter().for_each(|n| range(f, "/n", n, 0..=3))),
            ["range", "range"]
        );
    }

    #[test]
    fn an_object_is_an_object_of_a_size_without_nul() {
        assert!(codes(|f| object(f, "/o", &json!({"a": [1, r"\u0000"]}), 99)).is_empty());
        assert_eq!(codes(|f| object(f, "/o", &json!([1]), 99)), ["type"]);
        assert_eq!(
            codes(|f| object(f, "/o", &json!({"a": {"\0": 1}}), 9)),
            ["length", "nul"]
        );
    }

    #[test]
    fn only_web_addresses_are_urls() {
        for good in [
            "https://example.com/a.jpg",
            "http://h",
            "https://пример.рф/a?b=%20#c",
        ] {
            assert!(codes(|f| url(f, "/u", good, 50)).is_empty(), "{good}");
        }
        for bad in [
            "example.com",
            "ftp://h/a",
            "https://",
            "https:///a",
            "javascript:alert(1)",
            "https://h/a b",
            "//h",
        ] {
            assert_eq!(codes(|f| url(f, "/u", bad, 50)), ["url"], "{bad}");
        }
    }
}
