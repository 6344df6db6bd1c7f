//! Every dialect and quirk, read from a file of its own under `tests/imports`; and what must hold for all files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod properties;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use secrecy::ExposeSecret;

use super::cells::MASK;
use super::write::record;
use super::*;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imports")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("the file is in the repository")
}

/// A row as `field=value`, with secrets masked.
fn shown(kind: Kind, row: &Row) -> String {
    let names = kind.columns().map(|name| {
        (
            name,
            columns::fields(kind)[columns::position(kind, name).unwrap()].secret,
        )
    });
    let cells = names.zip(record(row)).filter(|(_, value)| !value.is_empty());
    cells
        .map(|((name, secret), value)| format!("{name}={:?}", if secret { MASK } else { &value }))
        .collect::<Vec<_>>()
        .join(" ")
}

fn show_faults(faults: &[Fault], out: &mut String) {
    for fault in faults {
        let value = fault
            .value
            .as_ref()
            .map(|value| format!(" {value:?}"))
            .unwrap_or_default();
        writeln!(
            out,
            "    {} {}{value}: {}",
            fault.column, fault.code, fault.message
        )
        .unwrap();
    }
}

fn show_detected(detected: &Detected, out: &mut String) {
    writeln!(out, "{}", detected.summary).unwrap();
    for column in &detected.columns {
        let fate = column.field.as_ref().map_or_else(
            || {
                format!(
                    "ignored: {}",
                    column.ignored.as_deref().unwrap_or("for no reason")
                )
            },
            |field| format!("-> {field}"),
        );
        writeln!(out, "  {} {:?} {fate}", column.number, column.header).unwrap();
    }
    writeln!(out, "  sets {}", detected.fields.join(", ")).unwrap();
}

/// All that reading a file gives, for people to read.
fn outcome(kind: Kind, bytes: &[u8], options: &Options) -> String {
    let mut out = String::new();
    let mut reader = match open(kind, bytes, options) {
        Ok(reader) => reader,
        Err(refused) => {
            out.push_str("refused\n");
            show_faults(&refused.faults, &mut out);
            if let Some(detected) = refused.detected {
                show_detected(&detected, &mut out);
            }
            return out;
        }
    };
    show_detected(reader.detected(), &mut out);
    for item in reader.by_ref() {
        let item = item.unwrap();
        match item.row {
            Ok(row) => writeln!(out, "{}: {}", item.number, shown(kind, &row)).unwrap(),
            Err(faults) => {
                writeln!(out, "{}: rejected", item.number).unwrap();
                show_faults(&faults, &mut out);
            }
        }
    }
    for note in reader.notes() {
        let place = note
            .number
            .map(|number| format!(" ({} rows, first {number})", note.count))
            .unwrap_or_default();
        writeln!(out, "note {}{place}: {}", note.code, note.message).unwrap();
    }
    out
}

fn check(kind: Kind, name: &str, options: &Options) {
    let outcome = outcome(kind, &file(name), options);
    for canary in ["hunter2", "Pa55word", "mailpass1"] {
        assert!(!outcome.contains(canary), "a secret is shown: {outcome}");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.replace('.', "-"), outcome));
}

fn shared_mailbox() -> Options {
    Options {
        default_email: Some("team@example.com".into()),
        ..Options::default()
    }
}

macro_rules! golden {
    ($($test:ident: $kind:ident $file:literal $(, $options:expr)?;)*) => {
        $(#[test]
        fn $test() {
            #[allow(unused_mut, unused_assignments)]
            let mut options = Options::default();
            $(options = $options;)?
            check(Kind::$kind, $file, &options);
        })*
    };
}

golden! {
    canonical_accounts_are_read_with_all_faults_of_a_row: Accounts "accounts-canonical.csv";
    an_agency_spreadsheet_is_read_by_the_other_names_of_its_columns: Accounts "accounts-agency.csv";
    only_handles_are_taken_from_bitwarden: Accounts "accounts-bitwarden.csv", shared_mailbox();
    only_handles_are_taken_from_dashlane: Accounts "accounts-dashlane.csv";
    only_handles_are_taken_from_lastpass: Accounts "accounts-lastpass.csv";
    a_bought_list_with_colons_is_refused: Accounts "accounts-bought-colon.txt";
    a_bought_list_with_semicolons_and_cookies_is_refused: Accounts "accounts-bought-semicolon.txt";
    a_bought_list_with_bars_and_second_factors_is_refused: Accounts "accounts-bought-bar.txt";
    a_bought_list_with_commas_is_refused: Accounts "accounts-bought-comma.txt";
    a_bought_list_with_tabs_and_the_mail_first_is_refused: Accounts "accounts-bought-tab.txt";
    a_bought_list_with_labels_is_refused: Accounts "accounts-bought-labelled.csv";
    a_file_of_accounts_without_a_header_is_refused: Accounts "accounts-no-header.csv";
    a_byte_order_mark_does_not_eat_the_first_column: Accounts "quirk-01-byte-order-mark.csv";
    unicode_text_of_excel_is_read: Accounts "quirk-02-utf-16le-tabs.txt";
    utf_16_without_a_mark_is_found: Accounts "quirk-02-utf-16be-no-mark.txt";
    windows_1252_is_found: Accounts "quirk-03-windows-1252.csv";
    semicolons_and_decimal_commas_are_found: Proxies "quirk-04-semicolon-decimal-comma.csv";
    a_sep_line_names_the_delimiter: Accounts "quirk-05-sep-line.csv";
    numbers_that_lost_their_digits_are_refused: Accounts "quirk-06-fifteen-digits.csv";
    leading_zeros_survive_the_formula_trick: Accounts "quirk-07-leading-zeros.csv";
    handles_made_scientific_are_refused: Accounts "quirk-08-scientific.csv";
    dates_are_read_in_the_order_of_the_file: Accounts "quirk-09-dates-day-first.csv";
    dates_that_read_both_ways_are_asked_about_once: Accounts "quirk-09-dates-either-way.csv";
    dates_of_both_orders_are_asked_about: Accounts "quirk-09-dates-mixed.csv";
    invisible_characters_go_from_handles_and_stay_in_texts: Accounts "quirk-10-invisible-characters.csv";
    handles_are_found_in_at_signs_and_addresses: Accounts "quirk-11-handles.csv";
    blank_rows_and_a_last_row_of_sums_are_skipped: Accounts "quirk-12-blank-rows-and-totals.csv";
    duplicate_headers_are_a_fault_of_the_file: Accounts "quirk-12-duplicate-headers.csv";
    every_kind_of_line_break_ends_and_counts_a_line: Accounts "quirk-13-line-breaks.csv";
    handles_are_lowered_and_homoglyphs_named: Accounts "quirk-14-case-and-homoglyphs.csv";
    a_workbook_is_named_as_such: Accounts "quirk-15-workbook.csv";
    too_many_cells_are_a_fault_that_shows_no_values: Accounts "rows-too-wide.csv";
    a_quote_that_is_never_closed_is_a_fault: Accounts "quote-not-closed.csv";
    one_broken_character_is_a_fault_of_its_row: Accounts "broken-utf-8.csv";
    proxies_are_read_from_lines_of_every_shape: Proxies "proxies-lines.txt";
    a_list_of_webshare_is_read_and_its_rotating_entry_refused: Proxies "proxies-webshare.txt";
    the_json_of_webshare_is_read: Proxies "proxies-webshare.json";
    a_json_list_that_is_cut_off_is_a_fault: Proxies "proxies-webshare-array.json";
    the_exit_address_of_bright_data_is_found: Proxies "proxies-bright-data.txt";
    the_table_of_oxylabs_is_read_and_its_rotating_port_refused: Proxies "proxies-oxylabs.csv";
    the_lists_of_oxylabs_are_read: Proxies "proxies-oxylabs.txt";
    the_lists_of_decodo_are_read_and_sessions_refused: Proxies "proxies-decodo.txt";
    canonical_proxies_are_read_with_all_faults_of_a_row: Proxies "proxies-canonical.csv";
    a_column_of_whole_proxies_is_read: Proxies "proxies-one-column.csv";
    models_are_read: Models "models.csv";
    content_is_read: Content "content.csv";
    texts_are_read_as_they_are: Texts "texts.csv";
}

fn read(kind: Kind, bytes: &[u8], options: &Options) -> Vec<Item> {
    open(kind, bytes, options).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_date_order_of_the_options_answers_the_question() {
    let bytes = file("quirk-09-dates-either-way.csv");
    for (order, birthday) in [(DateOrder::Dmy, "1990-04-03"), (DateOrder::Mdy, "1990-03-04")] {
        let options = Options {
            date_order: Some(order),
            ..Options::default()
        };
        let items = read(Kind::Accounts, &bytes, &options);
        assert!(shown(Kind::Accounts, items[0].row.as_ref().unwrap()).contains(birthday));
    }
}

#[test]
fn the_parts_of_a_line_are_told_apart_whatever_the_password_holds() {
    for (line, host, port, username, password) in [
        (
            "203.0.113.10:8080:user:a:b:c",
            "203.0.113.10",
            "8080",
            "user",
            "a:b:c",
        ),
        (
            "203.0.113.10:8080:user:a@b",
            "203.0.113.10",
            "8080",
            "user",
            "a@b",
        ),
        (
            "user:a@b@203.0.113.11:8080",
            "203.0.113.11",
            "8080",
            "user",
            "a@b",
        ),
        (
            "user:a:b@proxy.example.com:8080",
            "proxy.example.com",
            "8080",
            "user",
            "a:b",
        ),
        (
            "203.0.113.15:8080@user:a@b",
            "203.0.113.15",
            "8080",
            "user",
            "a@b",
        ),
        (
            "http://us%65r:p%40%3A%zz@proxy:8080",
            "proxy",
            "8080",
            "user",
            "p@:%zz",
        ),
        (
            "http://203.0.113.14:8080:user:p%40",
            "203.0.113.14",
            "8080",
            "user",
            "p%40",
        ),
        (
            "user:pass:[2001:db8::3]:8080",
            "[2001:db8::3]",
            "8080",
            "user",
            "pass",
        ),
        (
            "[2001:db8::3]:8080:user:pass",
            "[2001:db8::3]",
            "8080",
            "user",
            "pass",
        ),
        (
            "proxy.example.com:8080:203:4040",
            "proxy.example.com",
            "8080",
            "203",
            "4040",
        ),
    ] {
        let parsed = lines::parse(line).unwrap();
        let found = (
            parsed.host.as_str(),
            parsed.port.as_str(),
            parsed.username.as_deref(),
            parsed.password.as_deref(),
        );
        assert_eq!(found, (host, port, Some(username), Some(password)), "{line}");
    }
}

#[test]
fn a_date_against_the_order_of_the_file_is_a_fault() {
    let options = Options {
        date_order: Some(DateOrder::Dmy),
        ..Options::default()
    };
    let items = read(Kind::Accounts, &file("quirk-09-dates-mixed.csv"), &options);
    assert!(items[0].row.is_ok());
    assert_eq!(items[1].row.as_ref().unwrap_err()[0].code, "date_order_conflict");
}

#[test]
fn what_options_supply_fills_only_what_rows_lack() {
    let options = Options {
        scheme: Some("socks5".into()),
        provider: Some("Harbour".into()),
        location: Some("Leeds".into()),
        monthly_cost: Some(Decimal::new(1250, 2)),
        decimal_comma: Some(true),
        ..Options::default()
    };
    let items = read(
        Kind::Proxies,
        b"203.0.113.10:8080\nhttp://u:p@isp.oxylabs.io:8001\n",
        &options,
    );
    let rows: Vec<String> = items
        .iter()
        .map(|item| shown(Kind::Proxies, item.row.as_ref().unwrap()))
        .collect();
    let supplied = r#"provider="Harbour" location="Leeds" monthly_cost="12.50""#;
    assert_eq!(
        rows[0],
        format!(r#"scheme="socks5" host="203.0.113.10" port="8080" {supplied}"#)
    );
    assert!(rows[1].starts_with(r#"scheme="http""#) && rows[1].ends_with(supplied));
}

#[test]
fn no_option_lets_a_bought_list_through() {
    let mapping: BTreeMap<String, String> = [("1", "username"), ("2", "password"), ("3", "email")]
        .map(|(c, f)| (c.to_owned(), f.to_owned()))
        .into();
    for name in [
        "colon.txt",
        "semicolon.txt",
        "bar.txt",
        "comma.txt",
        "tab.txt",
        "labelled.csv",
    ] {
        let bytes = file(&format!("accounts-bought-{name}"));
        for (header, delimiter) in [
            (None, None),
            (Some(true), Some(':')),
            (Some(false), Some(';')),
            (Some(false), Some('|')),
        ] {
            let options = Options {
                header,
                delimiter,
                mapping: mapping.clone(),
                ..shared_mailbox()
            };
            let refused = open(Kind::Accounts, bytes.as_slice(), &options)
                .err()
                .expect("refused");
            assert_eq!(refused.faults[0].code, "bought_list", "{name}");
            assert!(!format!("{refused:?}").contains("Pa55word"));
        }
    }
}

#[test]
fn columns_without_names_are_mapped_by_number() {
    let mapping = [
        ("1".to_owned(), "username".to_owned()),
        ("2".to_owned(), "email".to_owned()),
    ]
    .into();
    let options = Options {
        mapping,
        default_model: Some("Northside".into()),
        ..Options::default()
    };
    let items = read(Kind::Accounts, &file("accounts-no-header.csv"), &options);
    let first = shown(Kind::Accounts, items[0].row.as_ref().unwrap());
    assert_eq!(
        first,
        r#"username="northside.cafe" email="ana@example.com" model="Northside""#
    );
    assert_eq!(items.len(), 2);
}

#[test]
fn a_mapping_that_names_nothing_is_refused_with_every_fault() {
    let mapping = [
        ("nickname".to_owned(), "username".to_owned()),
        ("email".to_owned(), "e_mail".to_owned()),
    ]
    .into();
    let options = Options {
        mapping,
        ..Options::default()
    };
    let refused = open(Kind::Accounts, &b"email,bio\na@example.com,x\n"[..], &options)
        .err()
        .unwrap();
    let codes: Vec<&str> = refused.faults.iter().map(|fault| fault.code.as_ref()).collect();
    assert_eq!(
        codes,
        [
            "mapping_unknown_field",
            "mapping_unknown_column",
            "column_missing",
            "column_missing"
        ]
    );
}

#[test]
fn rejected_rows_are_written_back_as_they_stood_and_read_the_same_again() {
    for (kind, name) in [
        (Kind::Accounts, "accounts-canonical.csv"),
        (Kind::Accounts, "quirk-11-handles.csv"),
        (Kind::Accounts, "quirk-07-leading-zeros.csv"),
        (Kind::Proxies, "quirk-04-semicolon-decimal-comma.csv"),
        (Kind::Proxies, "proxies-lines.txt"),
        (Kind::Proxies, "proxies-webshare.json"),
    ] {
        let bytes = file(name);
        let mut reader = open(kind, bytes.as_slice(), &Options::default()).unwrap();
        let items: Vec<Item> = reader.by_ref().map(Result::unwrap).collect();
        let mut again = Vec::new();
        write::write_rejected_header(reader.detected(), &mut again).unwrap();
        for (index, item) in items.iter().enumerate() {
            write::write_rejected_row(reader.detected(), &item.raw, index == 0, &mut again).unwrap();
        }
        write::write_rejected_end(reader.detected(), &mut again).unwrap();
        let results = |items: &[Item]| -> Vec<String> {
            items
                .iter()
                .map(|item| format!("{:?}", item.row.as_ref().map(record)))
                .collect()
        };
        assert_eq!(
            results(&items),
            results(&read(kind, &again, &Options::default())),
            "{name}"
        );
    }
}

#[test]
fn a_row_over_the_limit_is_one_fault_and_the_rows_after_it_are_read() {
    let mut bytes = b"username,email,bio\none,a@example.com,\"".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', ROW_BYTES_MAX + 10));
    bytes.extend(b"\ntwo,b@example.com,fine\n");
    bytes.extend(
        b"three,c@example.com"
            .iter()
            .chain(std::iter::repeat_n(&b',', CELLS_MAX + 1)),
    );
    bytes.extend(b"\nfour,d@example.com,fine\n");
    let items = read(Kind::Accounts, &bytes, &Options::default());
    let found: Vec<(u64, Option<&str>)> = items
        .iter()
        .map(|item| {
            (
                item.number,
                item.row.as_ref().err().map(|faults| faults[0].code.as_ref()),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (2, Some("row_too_long")),
            (3, None),
            (4, Some("row_too_long")),
            (5, None)
        ]
    );
}

#[test]
fn what_no_database_keeps_is_a_fault_however_it_is_written() {
    let model = b"name;posting_schedule\nNorthside;{\"a\\u0000\":1}\n";
    let line = b"http://user:a%00b@203.0.113.10:8080";
    let object = br#"[{"proxy_address":"203.0.113.10","port":80,"username":"a\u0000b"}]"#;
    let files = [
        (Kind::Models, &model[..]),
        (Kind::Proxies, &line[..]),
        (Kind::Proxies, &object[..]),
    ];
    for (kind, bytes) in files {
        let items = read(kind, bytes, &Options::default());
        assert_eq!(
            items[0].row.as_ref().unwrap_err()[0].code,
            "character_not_allowed"
        );
    }
}

#[test]
fn options_that_make_no_sense_are_refused_all_at_once() {
    let options = Options {
        delimiter: Some('"'),
        default_authorisation_basis: Some("bought".into()),
        scheme: Some("ftp".into()),
        monthly_cost: Some(Decimal::new(-1, 0)),
        ..Options::default()
    };
    let refused = open(Kind::Proxies, &b"203.0.113.10:8080"[..], &options)
        .err()
        .unwrap();
    let named: Vec<&str> = refused.faults.iter().map(|fault| fault.column.as_str()).collect();
    assert_eq!(
        named,
        [
            "delimiter",
            "default_authorisation_basis",
            "monthly_cost",
            "scheme"
        ]
    );
}

#[test]
fn half_a_character_of_utf_16_is_a_fault_of_its_row() {
    let mut bytes = vec![0xFF, 0xFE];
    let text = "username,email,bio\none,a@example.com,?\ntwo,b@example.com,fine\n";
    let units = text
        .encode_utf16()
        .map(|unit| if unit == u16::from(b'?') { 0xD83D } else { unit });
    bytes.extend(units.flat_map(u16::to_le_bytes));
    let items = read(Kind::Accounts, &bytes, &Options::default());
    assert_eq!(items[0].row.as_ref().unwrap_err()[0].code, "encoding_invalid");
    assert!(items[1].row.is_ok());
}

#[test]
fn a_row_that_the_sample_cuts_decides_nothing() {
    let mut bytes = b"host;port;monthly_cost;remark\n".to_vec();
    let last = b"203.0.113.2;8080;1,23";
    let padding = SAMPLE_BYTES_MAX - bytes.len() - last.len() - "203.0.113.1;8080;5;\n".len();
    bytes.extend(b"203.0.113.1;8080;5;");
    bytes.extend(std::iter::repeat_n(b'x', padding));
    bytes.extend(b"\n203.0.113.2;8080;1,234;\n");
    assert!(bytes[..SAMPLE_BYTES_MAX].ends_with(last));
    let mut reader = open(Kind::Proxies, bytes.as_slice(), &Options::default()).unwrap();
    assert!(!reader.detected().decimal_comma);
    let Ok(Row::Proxy(second)) = reader.nth(1).unwrap().unwrap().row else {
        panic!("the second row is good")
    };
    assert_eq!(second.monthly_cost, Some(Decimal::new(123_400, 2)));
}

/// Makes rows as it is read and counts what was taken.
struct Endless {
    rows: u64,
    pending: Vec<u8>,
    taken: std::rc::Rc<std::cell::Cell<u64>>,
}

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.pending.is_empty() {
            self.rows += 1;
            self.pending = format!("handle{:08},someone@example.com,☕ text\n", self.rows).into_bytes();
        }
        let count = buffer.len().min(self.pending.len());
        buffer[..count].copy_from_slice(&self.pending[..count]);
        self.pending.drain(..count);
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

#[test]
fn no_more_of_a_file_is_read_ahead_than_the_sample_and_the_buffers() {
    let taken = std::rc::Rc::new(std::cell::Cell::new(0));
    let pending = b"username,email,bio\n".to_vec();
    let row_bytes = "handle00000000,someone@example.com,☕ text\n".len() as u64;
    let reader = open(
        Kind::Accounts,
        Endless {
            rows: 0,
            pending,
            taken: taken.clone(),
        },
        &Options::default(),
    )
    .unwrap();
    for (yielded, item) in (1..=30_000_u64).zip(reader) {
        assert!(
            item.unwrap().row.is_ok(),
            "a character on the edge of a buffer stays whole"
        );
        assert!(taken.get() < yielded * row_bytes + SAMPLE_BYTES_MAX as u64 + 32 * 1024);
    }
    assert!(taken.get() > 30_000 * row_bytes);
}

#[test]
fn faults_and_what_was_detected_can_be_stored_and_taken_out_again() {
    let reader = open(
        Kind::Accounts,
        &b"username,email\nx,nobody\n"[..],
        &Options::default(),
    )
    .unwrap();
    let stored = serde_json::to_string(reader.detected()).unwrap();
    assert_eq!(
        serde_json::from_str::<Detected>(&stored).unwrap(),
        *reader.detected()
    );
    let faults = reader.last().unwrap().unwrap().row.unwrap_err();
    let stored = serde_json::to_string(&faults).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Fault>>(&stored).unwrap(), faults);
}

#[test]
fn exports_cannot_be_run_as_formulas() {
    let text = TextRow {
        model: "@model".into(),
        content_type: "bio".into(),
        text_content: "=1+1".into(),
        is_template: None,
    };
    let mut out = Vec::new();
    write::write_row(&Row::Text(text), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "'@model,bio,'=1+1,\n");
}

#[test]
fn cells_that_may_be_secrets_are_kept_as_secrets() {
    let items = read(
        Kind::Accounts,
        b"username,email,password,mystery\none,a@example.com,pw,2fa\n",
        &Options::default(),
    );
    let [
        Raw::Plain(_),
        Raw::Plain(_),
        Raw::Secret(password),
        Raw::Secret(mystery),
    ] = items[0].raw.as_slice()
    else {
        panic!("{:?}", items[0].raw)
    };
    assert_eq!((password.expose_secret(), mystery.expose_secret()), ("pw", "2fa"));
}
