//! Finds out from the start of a file what it is, or why it is not read.

use std::io::Read;

use super::cells::{handle, is_email};
use super::columns::{self, Columns, fields, has_mailbox_password, map, normal, position, recognised};
use super::dates::{Evidence, evidence};
use super::decode::{self, Utf8};
use super::records::{Records, Split};
use super::rows::{AUTHORISATION_BASES, SCHEMES};
use super::{DateOrder, Detected, Dialect, Encoding, Fault, Kind, Options, Refused};

/// How many rows of the sample are looked at.
const SAMPLE_ROWS_MAX: usize = 500;
/// The delimiters that are tried, the likeliest first.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// Those in which lists of bought accounts come.
const LIST_DELIMITERS: [u8; 5] = *b":;|,\t";
const DATE_FIELDS: [&str; 2] = ["birthday", "authorisation_expires_at"];

const BOUGHT_LIST: &str = "this has the shape login:password:mail:mailpassword, in which bought accounts are traded; Muster \
    manages only accounts that the organisation owns or is authorised to manage and does not read such lists. If the \
    accounts are yours, make a table whose header names its columns (username, email, authorisation_basis, \
    authorisation_reference ...), without the passwords of mailboxes";

/// What a file is and how it is to be read.
pub(super) struct Plan {
    pub detected: Detected,
    pub split: Split,
    /// Where the cells of a table go.
    pub columns: Option<Columns>,
    pub byte_order_mark_bytes: usize,
    /// The last line before the first row.
    pub skip_through_line: u64,
}

struct Sample {
    text: Vec<u8>,
    cut: bool,
}

type Rows = Vec<(u64, Vec<String>)>;

impl Sample {
    /// The rows that are not blank, up to a number; without the last when the sample may have cut it.
    fn rows(&self, split: Split, after_line: u64) -> Rows {
        let mut records = Records::new(self.text.as_slice(), split);
        let mut rows = Rows::new();
        let mut ended = false;
        while rows.len() < SAMPLE_ROWS_MAX {
            let Ok(Some(record)) = records.next() else {
                ended = true;
                break;
            };
            let cells: Vec<String> = record
                .cells
                .iter()
                .map(|cell| super::write::unguarded(String::from_utf8_lossy(cell).into_owned()))
                .collect();
            if record.number > after_line && cells.iter().any(|cell| !cell.trim().is_empty()) {
                rows.push((record.number, cells));
            }
        }
        if self.cut && ended && rows.len() > 1 {
            rows.pop();
        }
        rows
    }

    /// The delimiter of a first line such as `sep=;`, which Excel obeys and hides.
    fn declared_delimiter(&self) -> Option<u8> {
        let rest = self
            .text
            .get(..4)
            .filter(|start| start.eq_ignore_ascii_case(b"sep="))
            .map(|_| &self.text[4..])?;
        match rest {
            [delimiter, b'\r' | b'\n', ..] | [delimiter] => Some(*delimiter),
            _ => None,
        }
    }
}

/// Plans how to read a file that begins with `bytes`; `cut` says that it goes on.
pub(super) fn plan(kind: Kind, bytes: &[u8], cut: bool, options: &Options) -> Result<Plan, Refused> {
    let refuse = |faults| Refused {
        faults,
        detected: None,
    };
    let faults = option_faults(options);
    if !faults.is_empty() {
        return Err(refuse(faults));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        let message = "this is an Excel workbook: save it as `CSV UTF-8` and import that file";
        return Err(refuse(vec![Fault::file("excel_workbook", message)]));
    }
    let (found, byte_order_mark_bytes) = decode::detect(bytes, cut);
    let encoding = options
        .encoding
        .filter(|_| byte_order_mark_bytes == 0)
        .unwrap_or(found);
    let mut text = Vec::new();
    let mut decoded = Utf8::new(&bytes[byte_order_mark_bytes..], encoding);
    decoded.read_to_end(&mut text).expect("memory can be read");
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(refuse(vec![Fault::file(
            "empty_file",
            "there is nothing in this file",
        )]));
    }
    let sample = Sample { text, cut };
    let mut plan = if kind == Kind::Proxies && is_json(&sample.text) {
        proxy_list(Dialect::WebshareJson, Split::Json)
    } else {
        table_or_lines(kind, &sample, options)?
    };
    plan.byte_order_mark_bytes = byte_order_mark_bytes;
    plan.detected.encoding = encoding;
    plan.detected.byte_order_mark = byte_order_mark_bytes > 0;
    add_supplied_fields(&mut plan.detected, options);
    plan.detected.summary = summary(&plan.detected);
    let rows = sample.rows(plan.split, plan.skip_through_line);
    match date_order(&plan, &rows, options) {
        Ok(order) => plan.detected.date_order = order,
        Err(fault) => {
            return Err(Refused {
                faults: vec![fault],
                detected: Some(Box::new(plan.detected)),
            });
        }
    }
    plan.detected.decimal_comma = options
        .decimal_comma
        .unwrap_or_else(|| decimal_comma(&plan, &rows));
    plan.detected.summary = summary(&plan.detected);
    Ok(plan)
}

fn option_faults(options: &Options) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |name: &str, right: bool, message: String| {
        if !right {
            faults.push(Fault::new(name, "option_invalid", message));
        }
    };
    let delimiter = options.delimiter.unwrap_or(',');
    let plain = delimiter.is_ascii() && !matches!(delimiter, '"' | '\r' | '\n' | '\0');
    check(
        "delimiter",
        plain,
        "the delimiter must be one ASCII character, and no quote or line break".into(),
    );
    let among =
        |given: &Option<String>, words: &[&str]| given.as_deref().is_none_or(|given| words.contains(&given));
    let basis = among(&options.default_authorisation_basis, AUTHORISATION_BASES);
    check(
        "default_authorisation_basis",
        basis,
        format!("must be one of {}", AUTHORISATION_BASES.join(", ")),
    );
    let cost = options
        .monthly_cost
        .is_none_or(|cost| !cost.is_sign_negative() && cost.normalize().scale() <= 2);
    check(
        "monthly_cost",
        cost,
        "must not be negative and have at most two decimals".into(),
    );
    check(
        "scheme",
        among(&options.scheme, SCHEMES),
        format!("must be one of {}", SCHEMES.join(", ")),
    );
    faults
}

fn is_json(text: &[u8]) -> bool {
    let mut visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    match visible.next() {
        Some(b'{') => true,
        Some(b'[') => matches!(visible.next(), Some(b'{' | b']')),
        _ => false,
    }
}

fn blank(kind: Kind, dialect: Dialect) -> Detected {
    Detected {
        kind,
        summary: String::new(),
        encoding: Encoding::Utf8,
        byte_order_mark: false,
        dialect,
        delimiter: None,
        header_line: None,
        date_order: None,
        decimal_comma: false,
        columns: Vec::new(),
        fields: Vec::new(),
    }
}

fn proxy_list(dialect: Dialect, split: Split) -> Plan {
    let mut detected = blank(Kind::Proxies, dialect);
    let mut names = vec!["scheme", "host", "port", "username", "password"];
    if dialect == Dialect::WebshareJson {
        names.extend(["exit_ip", "location", "status"]);
    }
    detected.fields = names.into_iter().map(str::to_owned).collect();
    Plan {
        detected,
        split,
        columns: None,
        byte_order_mark_bytes: 0,
        skip_through_line: 0,
    }
}

fn table_or_lines(kind: Kind, sample: &Sample, options: &Options) -> Result<Plan, Refused> {
    let refuse = |faults| Refused {
        faults,
        detected: None,
    };
    let declared = sample.declared_delimiter();
    let before = u64::from(declared.is_some());
    let given = options
        .delimiter
        .and_then(|delimiter| u8::try_from(delimiter).ok())
        .or(declared);
    let header_of = |delimiter: u8| {
        sample
            .rows(Split::Table(delimiter), before)
            .into_iter()
            .next()
            .map(|(_, cells)| cells)
    };
    let score =
        |delimiter: u8| header_of(delimiter).map_or((0, 0), |cells| (recognised(kind, &cells), cells.len()));
    let likeliest = || {
        DELIMITERS
            .into_iter()
            .rev()
            .max_by_key(|delimiter| score(*delimiter))
            .unwrap_or(b',')
    };
    let delimiter = given.unwrap_or_else(likeliest);
    let rows = sample.rows(Split::Table(delimiter), before);
    let Some((first_line, first)) = rows.first() else {
        return Err(refuse(vec![Fault::file(
            "empty_file",
            "there is nothing in this file",
        )]));
    };
    let labelled = recognised(kind, first) > 0;
    if kind == Kind::Accounts && bought_list(sample, before, labelled) {
        return Err(refuse(vec![Fault::file("bought_list", BOUGHT_LIST)]));
    }
    let has_header = options.header.unwrap_or(labelled);
    if !has_header && options.mapping.is_empty() {
        if kind == Kind::Proxies {
            return Ok(proxy_list(Dialect::ProxyLines, Split::Lines));
        }
        let columns: Vec<&str> = kind.columns().collect();
        let message = format!(
            "no name of a column was found in the first row: add a header ({}), or map the columns by their numbers",
            columns.join(",")
        );
        let mut detected = blank(kind, Dialect::Spreadsheet);
        detected.delimiter = Some(char::from(delimiter));
        detected.columns = map(kind, None, first.len(), options).0.shown;
        detected.summary = summary(&detected);
        return Err(Refused {
            faults: vec![Fault::file("header_missing", message)],
            detected: Some(Box::new(detected)),
        });
    }
    let width = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    // Blank columns at the right are left out, as spreadsheets add them.
    let named = first
        .iter()
        .rposition(|cell| !cell.trim().is_empty())
        .map_or(0, |last| last + 1);
    let header = has_header.then(|| &first[..named]);
    let mut detected = blank(
        kind,
        header.map_or(Dialect::Spreadsheet, |header| columns::dialect(kind, header)),
    );
    detected.delimiter = Some(char::from(delimiter));
    detected.header_line = has_header.then_some(*first_line);
    let (columns, faults) = map(kind, header, width, options);
    detected.columns.clone_from(&columns.shown);
    detected.fields = columns
        .targets
        .iter()
        .flatten()
        .map(|target| fields(kind)[*target].name.to_owned())
        .collect();
    if columns.logins.is_some() {
        detected.fields = vec!["username".to_owned(), "email".to_owned()];
    }
    if !faults.is_empty() {
        detected.summary = summary(&detected);
        return Err(Refused {
            faults,
            detected: Some(Box::new(detected)),
        });
    }
    let skip_through_line = if has_header { *first_line } else { before };
    Ok(Plan {
        detected,
        split: Split::Table(delimiter),
        columns: Some(columns),
        byte_order_mark_bytes: 0,
        skip_through_line,
    })
}

/// Whether a file of accounts is a list of credentials that are not its owner's: it names the passwords of mailboxes,
/// or, without labels, has handles, passwords and mail addresses side by side.
fn bought_list(sample: &Sample, after_line: u64, labelled: bool) -> bool {
    LIST_DELIMITERS.into_iter().any(|delimiter| {
        let rows = sample.rows(Split::Table(delimiter), after_line);
        let named = rows.first().is_some_and(|(_, first)| has_mailbox_password(first));
        named || (!labelled && holds_credentials(&rows, matches!(delimiter, b':' | b'|')))
    })
}

fn holds_credentials(rows: &Rows, delimiter_of_lists: bool) -> bool {
    let of_shape: Vec<&[String]> = rows
        .iter()
        .map(|(_, cells)| cells.as_slice())
        .filter(|cells| credentials(cells, delimiter_of_lists))
        .collect();
    if of_shape.len() * 2 <= rows.len() {
        return false;
    }
    let marked = |text: &str| {
        text.chars()
            .any(|c| c.is_ascii_digit() || (c.is_ascii_punctuation() && c != '-'))
    };
    let passwords = of_shape.iter().filter(|cells| marked(&cells[1])).count();
    let mut distinct: Vec<&String> = of_shape.iter().map(|cells| &cells[1]).collect();
    distinct.sort_unstable();
    distinct.dedup();
    passwords * 2 > of_shape.len() || (of_shape.len() > 3 && distinct.len() * 10 > of_shape.len() * 9)
}

fn credentials(cells: &[String], delimiter_of_lists: bool) -> bool {
    let [login, password, rest @ ..] = cells else {
        return false;
    };
    let (login, is_mail) = (login.trim(), |text: &String| is_email(text.trim()));
    let signs_in = is_email(login) || handle(login).is_ok();
    let mail = rest.iter().position(is_mail);
    let mail_then_secret =
        mail.is_some_and(|mail| rest.get(mail + 1).is_some_and(|next| may_be_secret(next)));
    let mail_first = is_email(login)
        && rest.get(1).is_some_and(|next| may_be_secret(next))
        && handle(rest[0].trim()).is_ok();
    signs_in && may_be_secret(password) && (mail_then_secret || mail_first || delimiter_of_lists)
}

fn may_be_secret(text: &str) -> bool {
    let text = text.trim();
    let known = ["active", "banned", "suspended", "inactive"]
        .iter()
        .chain(AUTHORISATION_BASES);
    text.len() >= 4
        && !text.contains(char::is_whitespace)
        && !text.contains("//")
        && !is_email(text)
        && evidence(text).is_none()
        && !known.into_iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn add_supplied_fields(detected: &mut Detected, options: &Options) {
    let supplied = supplied(detected.kind, options, false);
    for (name, _) in supplied {
        if !detected.fields.iter().any(|field| field == name) {
            detected.fields.push(name.to_owned());
        }
    }
}

/// The fields that options supply to the rows that lack them, written like the cells of the file.
pub(super) fn supplied(kind: Kind, options: &Options, decimal_comma: bool) -> Vec<(&'static str, String)> {
    let cost = options.monthly_cost.map(|cost| {
        let cost = cost.to_string();
        if decimal_comma {
            cost.replace('.', ",")
        } else {
            cost
        }
    });
    let all = [
        ("model", &options.default_model),
        ("email", &options.default_email),
        ("authorisation_basis", &options.default_authorisation_basis),
        (
            "authorisation_reference",
            &options.default_authorisation_reference,
        ),
        ("scheme", &options.scheme),
        ("provider", &options.provider),
        ("location", &options.location),
        ("monthly_cost", &cost),
    ];
    let fits = |name: &str| position(kind, name).is_some();
    all.into_iter()
        .filter(|(name, _)| fits(name))
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
}

/// The values of a field in the sample.
fn values<'a>(plan: &'a Plan, rows: &'a Rows, name: &str) -> impl Iterator<Item = &'a str> {
    let field = position(plan.detected.kind, name);
    let column = plan.columns.as_ref().and_then(|columns| {
        columns
            .targets
            .iter()
            .position(|target| field.is_some() && *target == field)
    });
    rows.iter()
        .filter_map(move |(_, cells)| Some(cells.get(column?)?.trim()))
}

fn date_order(plan: &Plan, rows: &Rows, options: &Options) -> Result<Option<DateOrder>, Fault> {
    if options.date_order.is_some() {
        return Ok(options.date_order);
    }
    let found: Vec<(&str, Evidence)> = DATE_FIELDS
        .into_iter()
        .flat_map(|name| {
            values(plan, rows, name)
                .filter_map(evidence)
                .map(move |evidence| (name, evidence))
        })
        .collect();
    let seen = |wanted: Evidence| {
        found
            .iter()
            .find(|(_, evidence)| *evidence == wanted)
            .map(|(name, _)| *name)
    };
    let only = |order| seen(Evidence::Only(order));
    match (only(DateOrder::Dmy), only(DateOrder::Mdy), seen(Evidence::Either)) {
        (Some(name), Some(_), _) => Err(Fault::new(
            name,
            "date_order_mixed",
            "some dates can only have the day first and others only the month: say which is meant with the date order, and \
             the others become faults of their rows",
        )),
        (Some(_), None, _) => Ok(Some(DateOrder::Dmy)),
        (None, Some(_), _) => Ok(Some(DateOrder::Mdy)),
        (None, None, Some(name)) => Err(Fault::new(
            name,
            "date_order_unknown",
            "every date of this file can be read two ways, as 03/04/2026 can be 3 April and 4 March: say once for the file \
             whether the day (dmy) or the month (mdy) comes first",
        )),
        (None, None, None) => Ok(only(DateOrder::Ymd).map(|_| DateOrder::Ymd)),
    }
}

fn decimal_comma(plan: &Plan, rows: &Rows) -> bool {
    let ends_with = |text: &str, mark: char| {
        text.rsplit_once(mark)
            .is_some_and(|(_, end)| (1..=2).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_digit()))
    };
    let count = |mark| {
        values(plan, rows, "monthly_cost")
            .filter(|text| ends_with(text, mark))
            .count()
    };
    count(',') > count('.')
}

fn summary(detected: &Detected) -> String {
    let mut words = vec![format!(
        "{}{}",
        detected.encoding,
        if detected.byte_order_mark {
            " with a byte order mark"
        } else {
            ""
        }
    )];
    words.push(
        match detected.dialect {
            Dialect::Canonical => "the columns that Muster writes",
            Dialect::Spreadsheet => "a spreadsheet",
            Dialect::Bitwarden => "an export of Bitwarden, from which only handles are taken",
            Dialect::Dashlane => "an export of Dashlane, from which only handles are taken",
            Dialect::Lastpass => "an export of LastPass, from which only handles are taken",
            Dialect::ProxyLines => "one proxy a line",
            Dialect::OxylabsCsv => "the CSV file of Oxylabs",
            Dialect::WebshareJson => "the JSON list of Webshare",
        }
        .to_owned(),
    );
    if let Some(delimiter) = detected.delimiter {
        let name = match delimiter {
            ',' => "commas".to_owned(),
            ';' => "semicolons".to_owned(),
            '\t' => "tabs".to_owned(),
            '|' => "bars".to_owned(),
            other => format!("`{other}`"),
        };
        words.push(format!("cells between {name}"));
        words.push(match detected.header_line {
            Some(line) => format!("header on line {line}"),
            None => "no header".to_owned(),
        });
    }
    match detected.date_order {
        Some(DateOrder::Dmy) => words.push("dates with the day first".to_owned()),
        Some(DateOrder::Mdy) => words.push("dates with the month first".to_owned()),
        Some(DateOrder::Ymd) => words.push("dates with the year first".to_owned()),
        None => {}
    }
    if detected.decimal_comma {
        words.push("decimal commas".to_owned());
    }
    words.join(", ")
}

/// Whether a line of a list of proxies only names what follows, as in `ip:port:user:pass`.
pub(super) fn is_line_header(line: &str) -> bool {
    let mut words = line.split([':', '@', ',', ';', '\t']).map(normal).peekable();
    words.peek().is_some() && words.all(|word| recognised(Kind::Proxies, &[word]) > 0)
}
