//! The grammar of lists, the same in the API's `filter`, in the console's addresses and on the command line:
//! `model:"North Side" state:ready stuck:>2d ana` — qualifiers, ages, and words to look for.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::problem::Fault;

/// The longest filter, in characters.
pub const FILTER_CHARS_MAX: usize = 1000;

/// A filter that has been read. Each list takes the qualifiers it knows and then asks [`Filter::finish`], which refuses
/// the others by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: BTreeMap<String, String>,
    text: Vec<String>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

/// Longer or shorter than so many seconds: `>2d`, `<30d`, `>36h`, `<15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Longer than (`>`), or shorter (`<`).
    pub longer: bool,
    /// The seconds.
    pub secs: i64,
}

crate::words! {
    /// The value of a qualifier that something is or is not: `template:no`.
    pub enum YesNo {
        /// It is.
        Yes = "yes",
        /// It is not.
        No = "no",
    }
}

impl From<YesNo> for bool {
    fn from(word: YesNo) -> bool {
        word == YesNo::Yes
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is not an age: write >2d or <12h (units m, h, d, w)");
        let (longer, rest) = match text.as_bytes().first() {
            Some(b'>') => (true, &text[1..]),
            Some(b'<') => (false, &text[1..]),
            _ => return Err(refused()),
        };
        let (digits, unit_secs) = match rest.as_bytes().last() {
            Some(b'm') => (&rest[..rest.len() - 1], 60),
            Some(b'h') => (&rest[..rest.len() - 1], 3_600),
            Some(b'd') => (&rest[..rest.len() - 1], 86_400),
            Some(b'w') => (&rest[..rest.len() - 1], 604_800),
            _ => return Err(refused()),
        };
        match digits.parse::<u32>() {
            Ok(n) if n <= 100_000 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self {
                longer,
                secs: i64::from(n) * unit_secs,
            }),
            _ => Err(refused()),
        }
    }
}

impl Filter {
    /// Reads a filter. Faults are kept, and come out of [`Filter::finish`] with those of the qualifiers.
    pub fn parse(input: &str) -> Self {
        let mut filter = Self::default();
        if input.chars().count() > FILTER_CHARS_MAX {
            filter.fault(
                "too_long",
                format!("a filter has at most {FILTER_CHARS_MAX} characters"),
            );
            return filter;
        }
        let mut rest = input.trim_start();
        while !rest.is_empty() {
            let (term, after) = split_term(rest);
            rest = after.trim_start();
            match term {
                Term::Unclosed => filter.fault("unclosed_quote", "a quote is not closed".to_owned()),
                Term::Word(word) => filter.text.push(word),
                Term::Qualifier(key, value) => {
                    if value.is_empty() {
                        filter.fault("empty", format!("{key}: is followed by nothing"));
                    } else if filter.terms.insert(key.clone(), value).is_some() {
                        filter.fault("twice", format!("{key}: is given twice"));
                    }
                }
            }
        }
        filter
    }

    fn fault(&mut self, code: &str, detail: String) {
        self.faults.push(Fault::new("filter", code, detail));
    }

    /// The value of a qualifier as it stands, when it is there.
    pub fn take(&mut self, key: &'static str) -> Option<String> {
        self.known.push(key);
        self.terms.remove(key)
    }

    /// The value of a qualifier, read as a `T`.
    pub fn read<T: FromStr>(&mut self, key: &'static str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        let value = self.take(key)?;
        match value.parse() {
            Ok(read) => Some(read),
            Err(error) => {
                self.fault("not_understood", format!("{key}: {error}"));
                None
            }
        }
    }

    /// The words to look for, as one text; none when there are none.
    pub fn words(&mut self) -> Option<String> {
        let words = std::mem::take(&mut self.text);
        if words.is_empty() {
            None
        } else {
            Some(words.join(" "))
        }
    }

    /// Ends the reading: refuses qualifiers that the list does not know, and words where it takes none.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn finish(mut self) -> Result<(), Vec<Fault>> {
        for key in std::mem::take(&mut self.terms).into_keys() {
            let known = self.known.join(", ");
            self.fault(
                "unknown_qualifier",
                format!("{key}: is not known here; known are {known}"),
            );
        }
        if !self.text.is_empty() {
            self.fault(
                "no_words_here",
                "this list takes qualifiers only, as in status:active".to_owned(),
            );
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(self.faults)
        }
    }
}

/// The value of a qualifier in a filter that is written down; none where it is not there.
pub fn value_of(input: &str, key: &'static str) -> Option<String> {
    Filter::parse(input).take(key)
}

/// A filter with another value of a qualifier, or without it; its other terms stay as they are written, faults too.
pub fn with_value(input: &str, key: &str, value: Option<&str>) -> String {
    let mut terms: Vec<String> = value.map(|value| format!("{key}:{value}")).into_iter().collect();
    let mut rest = input.trim();
    while !rest.is_empty() {
        let (term, after) = split_term(rest);
        let written = rest[..rest.len() - after.len()].trim_end();
        if !matches!(&term, Term::Qualifier(found, _) if found == key) {
            terms.push(written.to_owned());
        }
        rest = after.trim_start();
    }
    terms.join(" ")
}

enum Term {
    Word(String),
    Qualifier(String, String),
    Unclosed,
}

fn split_term(input: &str) -> (Term, &str) {
    let key_len = input
        .bytes()
        .take_while(|b| b.is_ascii_lowercase() || *b == b'_')
        .count();
    let qualified = key_len > 0 && input[key_len..].starts_with(':');
    let value = if qualified { &input[key_len + 1..] } else { input };
    let (value, rest) = if let Some(quoted) = value.strip_prefix('"') {
        match quoted.split_once('"') {
            Some((inside, after)) => (inside, after),
            None => return (Term::Unclosed, ""),
        }
    } else {
        value.split_at(value.find(char::is_whitespace).unwrap_or(value.len()))
    };
    let term = if qualified {
        Term::Qualifier(input[..key_len].to_owned(), value.to_owned())
    } else {
        Term::Word(value.to_owned())
    };
    (term, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn qualifiers_ages_quotes_and_words_are_told_apart() {
        let mut filter = Filter::parse(r#"  model:"North Side" state:ready  stuck:>2d ana "two words" "#);
        assert_eq!(filter.take("model").as_deref(), Some("North Side"));
        assert_eq!(filter.read::<crate::State>("state"), Some(crate::State::Ready));
        assert_eq!(
            filter.read::<Age>("stuck"),
            Some(Age {
                longer: true,
                secs: 172_800
            })
        );
        assert_eq!(filter.words().as_deref(), Some("ana two words"));
        assert_eq!(filter.finish(), Ok(()));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut filter = Filter::parse(r#"state:redy stuck:2 colour:red state:x proxy: "open"#);
        let _ = (
            filter.read::<crate::State>("state"),
            filter.read::<Age>("stuck"),
            filter.take("proxy"),
        );
        let faults = filter.finish().expect_err("it is full of faults");
        let codes: Vec<_> = faults.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(
            codes,
            [
                "twice",
                "empty",
                "unclosed_quote",
                "not_understood",
                "not_understood",
                "unknown_qualifier"
            ],
            "{faults:?}"
        );
    }

    #[test]
    fn one_qualifier_is_exchanged_and_the_rest_stays_as_it_is_written() {
        let written = r#"state:ready model:"North  state:x" ana  stuck:2 "open"#;
        assert_eq!(value_of(written, "state").as_deref(), Some("ready"));
        assert_eq!(
            with_value(written, "state", Some("active")),
            r#"state:active model:"North  state:x" ana stuck:2 "open"#
        );
        assert_eq!(
            with_value(written, "model", None),
            r#"state:ready ana stuck:2 "open"#
        );
        assert_eq!(with_value(" ", "state", None), "");
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_filter_panic(text in ".*") {
            let mut filter = Filter::parse(&text);
            let _ = (filter.read::<Age>("stuck"), filter.words());
            let _ = filter.finish();
            let _ = with_value(&text, "stuck", Some(">2d"));
        }
    }
}
