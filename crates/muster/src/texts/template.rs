//! Templates: texts with variables in braces that are filled in from the account they are used for.

/// What the variables of a template stand for. A variable that the account has no value for becomes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// `{username}`
    pub username: &'a str,
    /// `{city}`
    pub city: Option<&'a str>,
    /// `{campus}`
    pub campus: Option<&'a str>,
    /// `{niche}`
    pub niche: Option<&'a str>,
    /// `{model}`
    pub model: &'a str,
}

impl Variables<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "username" => Some(self.username),
            "city" => Some(self.city.unwrap_or_default()),
            "campus" => Some(self.campus.unwrap_or_default()),
            "niche" => Some(self.niche.unwrap_or_default()),
            "model" => Some(self.model),
            _ => None,
        }
    }

    /// Fills a template in. What is in braces and is no variable is left as it is, and what a variable brings in is not
    /// read again.
    pub fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (before, from_open) = rest.split_at(open);
            out.push_str(before);
            let found = from_open[1..]
                .split_once('}')
                .and_then(|(name, after)| Some((self.value(name)?, after)));
            match found {
                Some((value, after)) => {
                    out.push_str(value);
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = &from_open[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OF: Variables<'static> = Variables {
        username: "ana",
        city: Some("Bath {niche}"),
        campus: None,
        niche: Some("tea"),
        model: "North Side",
    };

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(
            OF.fill("{username}: {niche} by {model}"),
            "ana: tea by North Side"
        );
    }

    #[test]
    fn a_variable_without_a_value_becomes_nothing() {
        assert_eq!(OF.fill("at [{campus}]"), "at []");
    }

    #[test]
    fn what_is_no_variable_is_left_as_it_is() {
        for text in [
            "{unknown}",
            "{",
            "}",
            "{}",
            "{ username }",
            "{username",
            "ünï {Username}",
        ] {
            assert_eq!(OF.fill(text), text);
        }
        assert_eq!(OF.fill("{{username}}"), "{ana}");
        assert_eq!(OF.fill("{{niche"), "{{niche");
    }

    #[test]
    fn what_a_variable_brings_in_is_not_read_again() {
        assert_eq!(OF.fill("{city}"), "Bath {niche}");
    }

    proptest! {
        #[test]
        fn a_text_without_variables_is_unchanged(text in "[^{]*") {
            prop_assert_eq!(OF.fill(&text), text);
        }

        #[test]
        fn no_text_makes_filling_in_panic(text in "[{}a-zé]*") {
            let _ = OF.fill(&text);
        }
    }
}
