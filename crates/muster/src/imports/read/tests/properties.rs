//! What must hold for every table and for every sequence of bytes.

use chrono::{DateTime, Days, NaiveDate};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::cells::trimmed;
use super::*;

/// Characters that have gone wrong in some importer, among ordinary ones.
fn characters() -> impl Strategy<Value = char> {
    let awkward = "=+-@'\"\t\r\n,;|:\u{A0}\u{200B}\u{FEFF}\u{200D}“”ßé☕👩\\#%{}[]\u{FFFD}";
    prop_oneof![
        select(awkward.chars().collect::<Vec<_>>()),
        select(('a'..='z').chain('0'..='9').chain([' ']).collect::<Vec<_>>()),
        any::<char>().prop_filter("no database keeps U+0000", |character| *character != '\0'),
    ]
}

fn verbatim() -> impl Strategy<Value = String> {
    let text =
        prop::collection::vec(characters(), 1..40).prop_map(|characters| characters.into_iter().collect());
    text.prop_filter("blank cells are none", |text: &String| !trimmed(text).is_empty())
}

fn label() -> impl Strategy<Value = String> {
    verbatim().prop_map(|text| trimmed(&text).to_owned())
}

fn secret() -> impl Strategy<Value = SecretString> {
    verbatim().prop_map(SecretString::from)
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn address() -> impl Strategy<Value = String> {
    "https://[a-z]{1,9}\\.example\\.com/[a-zA-Z0-9,;'._=-]{0,30}(\\?[a-z]=[0-9])?"
}

fn day() -> impl Strategy<Value = NaiveDate> {
    (0_u64..100_000).prop_map(|days| NaiveDate::from_ymd_opt(1901, 1, 1).unwrap() + Days::new(days))
}

fn schedule() -> impl Strategy<Value = Value> {
    (label(), any::<i32>(), label()).prop_map(|(key, number, text)| json!({ key: [number, text], "x": null }))
}

fn account() -> impl Strategy<Value = Row> {
    let names = (
        "[a-z0-9_]([a-z0-9._]{0,12}[a-z0-9_])?",
        "[a-z0-9.+_-]{1,9}@[a-z]{1,9}\\.example\\.com",
        of(label()),
        of(word(ACCOUNT_STATUSES)),
    );
    let instant = (-2_000_000_000_000_000_i64..7_000_000_000_000_000)
        .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap());
    let authorisation = (of(word(AUTHORISATION_BASES)), of(label()), of(instant));
    let profile = (
        of(secret()),
        of(secret()),
        of(verbatim()),
        of(address()),
        of(day()),
    );
    let rest = (of(label()), of(label()), of(label()), of(schedule()), of(label()));
    (names, authorisation, profile, rest).prop_map(|(names, authorisation, profile, rest)| {
        Row::Account(Box::new(AccountRow {
            username: names.0,
            email: names.1,
            model: names.2,
            status: names.3,
            authorisation_basis: authorisation.0,
            authorisation_reference: authorisation.1,
            authorisation_expires_at: authorisation.2,
            password: profile.0,
            access_token: profile.1,
            bio: profile.2,
            profile_picture_url: profile.3,
            birthday: profile.4,
            location_city: rest.0,
            location_campus: rest.1,
            location_niche: rest.2,
            device_info: rest.3,
            content_type: rest.4,
            lifecycle_state: None,
        }))
    })
}

fn proxy() -> impl Strategy<Value = Row> {
    let host = prop_oneof![
        any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
        "[a-z]{1,9}(-[a-z]{1,3})?(\\.example\\.com)?",
    ];
    let route = (
        word(SCHEMES),
        host,
        1_u16..,
        of(label()),
        of(secret()),
        of(any::<std::net::IpAddr>()),
    );
    let cost = (0_i64..10_000_000_000).prop_map(|cents| Decimal::new(cents, 2));
    let rest = (
        of(label()),
        of(label()),
        of(cost),
        of(word(PROXY_STATUSES)),
        of(label()),
        of(1_i16..=3),
    );
    (route, rest).prop_map(|(route, rest)| {
        Row::Proxy(Box::new(ProxyRow {
            scheme: route.0,
            host: route.1,
            port: route.2,
            username: route.3,
            password: route.4,
            exit_ip: route.5,
            provider: rest.0,
            location: rest.1,
            monthly_cost: rest.2,
            status: rest.3,
            model: rest.4,
            max_accounts: rest.5,
        }))
    })
}

fn model() -> impl Strategy<Value = Row> {
    let steps = prop::collection::btree_set(1_i16..=5, 0..5).prop_map(|steps| steps.into_iter().collect());
    let numbers = (of(0_i32..=100), of(1_i32..=1000));
    (
        label(),
        of(verbatim()),
        of(word(MODEL_STATUSES)),
        numbers,
        of(schedule()),
        of(steps),
    )
        .prop_map(|model| {
            Row::Model(Box::new(ModelRow {
                name: model.0,
                description: model.1,
                status: model.2,
                unfollow_ratio: model.3.0,
                daily_follow_limit: model.3.1,
                posting_schedule: model.4,
                people_steps: model.5,
            }))
        })
}

fn content() -> impl Strategy<Value = Row> {
    (
        label(),
        word(CONTENT_TYPES),
        address(),
        of(verbatim()),
        of(any::<bool>()),
        of(any::<i32>()),
    )
        .prop_map(|content| {
            Row::Content(ContentRow {
                model: content.0,
                content_type: content.1,
                image_url: content.2,
                text_content: content.3,
                is_template: content.4,
                order_priority: content.5,
            })
        })
}

fn text() -> impl Strategy<Value = Row> {
    (label(), word(TEXT_TYPES), verbatim(), of(any::<bool>())).prop_map(|text| {
        Row::Text(TextRow {
            model: text.0,
            content_type: text.1,
            text_content: text.2,
            is_template: text.3,
        })
    })
}

/// Writes the rows and reads them back: they must be the same, secrets and all.
fn assert_same_after_export(kind: Kind, rows: &[Row]) -> Result<(), TestCaseError> {
    let mut out = Vec::new();
    write::write_header(kind, &mut out).unwrap();
    for row in rows {
        write::write_row(row, &mut out).unwrap();
    }
    let reader = open(kind, out.as_slice(), &Options::default())
        .map_err(|refused| TestCaseError::fail(refused.to_string()))?;
    let mut read = Vec::new();
    for item in reader {
        read.push(
            item.unwrap()
                .row
                .map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?,
        );
    }
    let all = |rows: &[Row]| {
        rows.iter()
            .map(|row| (format!("{row:?}"), record(row)))
            .collect::<Vec<_>>()
    };
    prop_assert_eq!(all(rows), all(&read));
    Ok(())
}

macro_rules! same_after_export {
    ($($test:ident: $kind:ident $row:ident;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(100))]
            $(#[test]
            fn $test(rows in prop::collection::vec($row(), 1..12)) {
                assert_same_after_export(Kind::$kind, &rows)?;
            })*
        }
    };
}

same_after_export! {
    accounts_exported_and_imported_are_the_same_table: Accounts account;
    proxies_exported_and_imported_are_the_same_table: Proxies proxy;
    models_exported_and_imported_are_the_same_table: Models model;
    content_exported_and_imported_is_the_same_table: Content content;
    texts_exported_and_imported_are_the_same_table: Texts text;
}

fn any_kind() -> impl Strategy<Value = Kind> {
    select(vec![
        Kind::Accounts,
        Kind::Proxies,
        Kind::Models,
        Kind::Content,
        Kind::Texts,
    ])
}

fn any_options() -> impl Strategy<Value = Options> {
    let encodings = vec![
        Encoding::Utf8,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::Windows1252,
    ];
    let mapping = prop::collection::btree_map(
        "[1-4a-z]{1}|email",
        select(vec!["", "username", "email", "host", "nothing"]),
        0..3,
    );
    (
        of(select(encodings)),
        of(any::<char>()),
        of(any::<bool>()),
        mapping,
        of(any::<bool>()),
    )
        .prop_map(|given| Options {
            encoding: given.0,
            delimiter: given.1,
            header: given.2,
            mapping: given
                .3
                .into_iter()
                .map(|(column, field)| (column, field.to_owned()))
                .collect(),
            decimal_comma: given.4,
            ..shared_mailbox()
        })
}

/// Bytes of which some look like the files that people have.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    let line = prop::collection::vec(characters(), 0..200)
        .prop_map(|line| line.into_iter().collect::<String>().into_bytes());
    let start = select(vec![
        "",
        "username,email,bio,birthday\n",
        "host;port;monthly_cost\n",
        "name\n",
        "model,content_type,text_content\n",
        "sep=;\n",
        "[{",
        "{\"results\":[",
        "http://",
        "url,username,password,totp,extra,name,grouping,fav\n",
        "\u{FEFF}",
    ]);
    (start, prop_oneof![bytes(), line.boxed()]).prop_map(|(start, rest)| [start.as_bytes(), &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_bytes_make_the_reader_panic(kind in any_kind(), bytes in any_file(), options in any_options()) {
        if let Ok(reader) = open(kind, bytes.as_slice(), &options) {
            for item in reader {
                prop_assert!(item.unwrap().row.as_ref().err().is_none_or(|faults| !faults.is_empty()));
            }
        }
    }
}
