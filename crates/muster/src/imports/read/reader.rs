//! The rows of a file, one after the other.

use std::io::{self, BufReader, Chain, Cursor, Read};

use serde_json::Value;

use super::cells::{Cells, MASK, is_email, trimmed};
use super::columns::{Columns, fields, map, position};
use super::decode::Utf8;
use super::detect::{self, Plan, is_line_header, plan};
use super::lines;
use super::records::{Flaw, Record, Records, Split};
use super::rows;
use super::write::unguarded;
use super::{
    Detected, Dialect, Encoding, Fault, Item, Kind, Note, Options, ROW_BYTES_MAX, Raw, Refused, Row,
    SAMPLE_BYTES_MAX,
};

/// The first cell of a row of sums.
const TOTALS: &[&str] = &[
    "total",
    "totals",
    "sum",
    "subtotal",
    "grand total",
    "summe",
    "gesamt",
    "insgesamt",
    "somme",
];

/// What is noted about a file, counted by code so that it does not grow with the file.
#[derive(Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Notes something about the row at line `number`; the first message of a code stays.
    pub(super) fn add(&mut self, code: &'static str, message: &str, number: u64) {
        match self.0.iter_mut().find(|note| note.code == code) {
            Some(note) => note.count += 1,
            None => {
                self.0.push(Note {
                    code: code.into(),
                    message: message.into(),
                    number: Some(number),
                    count: 1,
                });
            }
        }
    }

    fn about_file(&mut self, code: &'static str, message: impl Into<String>) {
        self.0.push(Note {
            code: code.into(),
            message: message.into(),
            number: None,
            count: 0,
        });
    }
}

/// A file: the sample that was taken from it, and the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// Yields the rows of a file in order, and the notes made on the way. Holds one row at a time (two at the end, where a
/// row of sums may stand). An error of the source ends it.
pub struct Reader<R: Read> {
    records: Records<BufReader<Utf8<Whole<R>>>>,
    plan: Plan,
    supplied: Vec<(&'static str, String)>,
    notes: Notes,
    /// A row that looks like sums, until it is known whether it is the last.
    held: Option<Item>,
    ready: Option<Item>,
    ended: bool,
}

/// Looks at the start of `source` and prepares to read its rows as `kind`.
///
/// # Errors
/// [`Refused`], with every fault of the file as a whole, when it cannot or must not be read.
pub fn open<R: Read>(kind: Kind, mut source: R, options: &Options) -> Result<Reader<R>, Refused> {
    let mut sample = Vec::new();
    if let Err(error) = source
        .by_ref()
        .take(SAMPLE_BYTES_MAX as u64)
        .read_to_end(&mut sample)
    {
        let fault = Fault::file("unreadable", format!("the file could not be read: {error}"));
        return Err(Refused {
            faults: vec![fault],
            detected: None,
        });
    }
    let plan = plan(kind, &sample, sample.len() == SAMPLE_BYTES_MAX, options)?;
    let mut start = Cursor::new(sample);
    start.set_position(plan.byte_order_mark_bytes as u64);
    let text = Utf8::new(start.chain(source), plan.detected.encoding);
    let supplied = detect::supplied(kind, options, plan.detected.decimal_comma);
    let notes = notes_at_start(&plan.detected, options);
    Ok(Reader {
        records: Records::new(BufReader::new(text), plan.split),
        supplied,
        plan,
        notes,
        held: None,
        ready: None,
        ended: false,
    })
}

/// Prepares to read more rows of a file that was looked at before: in UTF-8, without its header, as
/// [`super::write::write_rejected_row`] writes them; a JSON list with its brackets.
pub fn reopen<R: Read>(detected: Detected, source: R, options: &Options) -> Reader<R> {
    let kind = detected.kind;
    let split = match detected.dialect {
        Dialect::WebshareJson => Split::Json,
        Dialect::ProxyLines => Split::Lines,
        _ => Split::Table(
            detected
                .delimiter
                .and_then(|delimiter| u8::try_from(delimiter).ok())
                .unwrap_or(b','),
        ),
    };
    let columns = matches!(split, Split::Table(_)).then(|| {
        let names: Vec<String> = detected
            .columns
            .iter()
            .map(|column| column.header.clone())
            .collect();
        let header = detected.header_line.is_some().then_some(names.as_slice());
        map(kind, header, names.len(), options).0
    });
    let text = Utf8::new(Cursor::new(Vec::new()).chain(source), Encoding::Utf8);
    Reader {
        records: Records::new(BufReader::new(text), split),
        supplied: detect::supplied(kind, options, detected.decimal_comma),
        plan: Plan {
            detected,
            split,
            columns,
            byte_order_mark_bytes: 0,
            skip_through_line: 0,
        },
        notes: Notes::default(),
        held: None,
        ready: None,
        ended: false,
    }
}

fn notes_at_start(detected: &Detected, options: &Options) -> Notes {
    let mut notes = Notes::default();
    match detected.dialect {
        Dialect::Bitwarden | Dialect::Dashlane | Dialect::Lastpass => notes.about_file(
            "secrets_dropped",
            "only handles were taken from this export of a password manager: its passwords, second factors and notes were \
             not read and stay where they are",
        ),
        Dialect::ProxyLines | Dialect::WebshareJson => {
            let missing = [("provider", options.provider.is_none()), ("location", options.location.is_none())];
            let mut names: Vec<&str> = missing.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect();
            if options.monthly_cost.is_none() {
                names.push("monthly_cost");
            }
            if !names.is_empty() {
                let message = format!(
                    "the list does not say {}: where neither the list nor a known host tells, new proxies get `unknown` and \
                     a monthly cost of 0, and proxies that are already there keep what they have",
                    names.join(", ")
                );
                notes.about_file("proxy_defaults", message);
            }
        }
        _ => {}
    }
    let unread: Vec<String> = detected
        .columns
        .iter()
        .filter(|column| column.field.is_none() && !column.header.is_empty())
        .map(|column| {
            format!(
                "`{}` ({})",
                column.header,
                column.ignored.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if !unread.is_empty() && !notes.0.iter().any(|note| note.code == "secrets_dropped") {
        notes.about_file(
            "columns_ignored",
            format!("these columns are not read: {}", unread.join("; ")),
        );
    }
    notes
}

impl<R: Read> Reader<R> {
    /// What the file was found to be.
    pub fn detected(&self) -> &Detected {
        &self.plan.detected
    }

    /// What was noted so far, each sort once, with the first line and the count.
    pub fn notes(&self) -> &[Note] {
        &self.notes.0
    }

    /// The item of a record, and whether it may be a row of sums; none for what is no row.
    fn item(&mut self, record: Record) -> Option<(Item, bool)> {
        let number = record.number;
        if number <= self.plan.skip_through_line && !matches!(self.plan.split, Split::Json) {
            return None;
        }
        let (cells, mut spoilt) = self.decoded(record.cells);
        if let Some(flaw) = record.flaw {
            let raw = cells.into_iter().map(|cell| Raw::Secret(cell.into())).collect();
            return Some((
                Item {
                    number,
                    row: Err(vec![self.flaw(flaw)]),
                    raw,
                },
                false,
            ));
        }
        if cells.iter().all(|cell| trimmed(cell).is_empty()) {
            return None;
        }
        if matches!(self.plan.split, Split::Lines) && self.skipped_line(&cells[0], number) {
            return None;
        }
        let totals = is_totals(&cells);
        let raw = raw_cells(self.plan.detected.kind, self.plan.columns.as_ref(), &cells);
        let kind = self.plan.detected.kind;
        let mut row = Cells {
            kind,
            number,
            values: vec![None; fields(kind).len()],
            faults: Vec::new(),
            notes: &mut self.notes,
            date_order: self.plan.detected.date_order,
            decimal_comma: self.plan.detected.decimal_comma,
            mask_all: self.plan.columns.is_none(),
        };
        let filled = match (self.plan.split, &self.plan.columns) {
            (Split::Table(_), Some(columns)) => fill_from_table(&mut row, columns, cells),
            (Split::Json, _) => fill_from_object(&mut row, &cells[0]),
            _ => fill_from_line(&mut row, &cells[0]),
        };
        if !filled && row.faults.is_empty() {
            return None;
        }
        if filled {
            supply(&mut row, &self.supplied);
        }
        let value = if filled { parse(&mut row) } else { None };
        row.faults
            .retain(|fault| !spoilt.iter().any(|spoilt| spoilt.column == fault.column));
        spoilt.append(&mut row.faults);
        let row = match value {
            Some(value) if spoilt.is_empty() => Ok(value),
            _ => Err(spoilt),
        };
        Some((Item { number, row, raw }, totals))
    }

    /// The cells as text, and a fault for each that is none.
    fn decoded(&self, cells: Vec<Vec<u8>>) -> (Vec<String>, Vec<Fault>) {
        let mut faults = Vec::new();
        let texts = cells.into_iter().enumerate().map(|(index, cell)| {
            let text = String::from_utf8(cell).unwrap_or_else(|error| {
                let message = format!(
                    "holds bytes that are not {}: save the file as `CSV UTF-8`, or say which encoding it has",
                    self.plan.detected.encoding
                );
                faults.push(Fault::new(self.column_name(index), "encoding_invalid", message));
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            });
            unguarded(text)
        });
        (texts.collect(), faults)
    }

    fn column_name(&self, index: usize) -> String {
        let column = self.plan.detected.columns.get(index);
        let name = column.map(|column| column.field.clone().unwrap_or_else(|| column.header.clone()));
        name.filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("column {}", index + 1))
    }

    fn flaw(&self, flaw: Flaw) -> Fault {
        match (flaw, self.plan.split) {
            (Flaw::TooLong, _) => Fault::new(
                "row",
                "row_too_long",
                format!(
                    "the row that begins here has more than {ROW_BYTES_MAX} bytes or too many cells, most likely because a \
                     quotation mark before it is not closed: it was left out up to the line break after that"
                ),
            ),
            (Flaw::CutOff, Split::Json) => Fault::new(
                "row",
                "json_cut_off",
                "the file ends in the middle of this object: export it again",
            ),
            (Flaw::CutOff, _) => Fault::new(
                "row",
                "quote_not_closed",
                "a quotation mark that opens a cell of this row is never closed, so that the rest of the file was taken for \
                 one cell: close it, or double it if it belongs to the text",
            ),
        }
    }

    fn skipped_line(&mut self, line: &str, number: u64) -> bool {
        let line = trimmed(line);
        if line.starts_with('#') {
            self.notes.add(
                "comment_skipped",
                "lines that begin with # were taken for comments",
                number,
            );
            return true;
        }
        if is_line_header(line) {
            self.notes.add(
                "header_skipped",
                "a line that only names the parts of a proxy was left out",
                number,
            );
            return true;
        }
        false
    }

    fn advance(&mut self) -> io::Result<Option<Item>> {
        while let Some(record) = self.records.next()? {
            let Some((item, totals)) = self.item(record) else {
                continue;
            };
            if let Some(held) = self.held.take() {
                // It was not the last row, so it was no row of sums.
                let place = if totals { &mut self.held } else { &mut self.ready };
                *place = Some(item);
                return Ok(Some(held));
            }
            if !totals {
                return Ok(Some(item));
            }
            self.held = Some(item);
        }
        self.ended = true;
        if let Some(held) = self.held.take() {
            self.notes.add(
                "totals_skipped",
                "the last row holds sums and was left out",
                held.number,
            );
        }
        if matches!(self.plan.split, Split::Json) {
            return Ok(self.json_end());
        }
        Ok(None)
    }

    fn json_end(&mut self) -> Option<Item> {
        if !self.records.json_list_found() {
            let message = "there is no list in this JSON: give the list itself, or an object with the list in `results`";
            return Some(Item {
                number: 1,
                row: Err(vec![Fault::file("json_without_list", message)]),
                raw: Vec::new(),
            });
        }
        let preamble = [self.records.json_preamble(), b"[]}"].concat();
        let more = serde_json::from_slice::<Value>(&preamble).is_ok_and(|value| value["next"].is_string());
        if more {
            let message =
                "this is one page of several: download the others too, or all in one with a larger page size";
            self.notes.about_file("more_pages", message);
        }
        None
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.ready.take() {
            return Some(Ok(item));
        }
        if self.ended {
            return None;
        }
        let next = self.advance();
        self.ended |= next.is_err();
        next.transpose()
    }
}

fn is_totals(cells: &[String]) -> bool {
    let first = trimmed(&cells[0]).trim_end_matches(':').to_lowercase();
    let number = |cell: &String| {
        trimmed(cell)
            .chars()
            .all(|c| c.is_ascii_digit() || " .,-€$£%".contains(c))
            || cell.starts_with('=')
    };
    TOTALS.contains(&first.as_str()) && cells.len() > 1 && cells[1..].iter().all(number)
}

/// Whether the cells of a row may stand in other columns than their own: some are missing, or there are more than columns, be
/// they blank.
pub fn slipped(columns: usize, cells: &[String]) -> bool {
    cells.len() != columns
}

fn raw_cells(kind: Kind, columns: Option<&Columns>, cells: &[String]) -> Vec<Raw> {
    let open = |index: usize| {
        let target = columns.and_then(|columns| columns.targets.get(index).copied().flatten());
        target.is_some_and(|target| !fields(kind)[target].secret)
    };
    let width = columns.map_or(0, |columns| columns.targets.len());
    let slipped = slipped(width, cells) && !(0..width).all(open);
    let raw = |(index, cell): (usize, &String)| {
        if open(index) && !slipped {
            Raw::Plain(cell.clone())
        } else {
            Raw::Secret(cell.clone().into())
        }
    };
    cells.iter().enumerate().map(raw).collect()
}

/// Moves the cells of a table to their fields; false when the row is passed over.
fn fill_from_table(row: &mut Cells<'_>, columns: &Columns, cells: Vec<String>) -> bool {
    // Where one is missing, a secret may stand in the column of another.
    let secrets = columns
        .targets
        .iter()
        .flatten()
        .any(|target| fields(row.kind)[*target].secret);
    row.mask_all = secrets && cells.len() < columns.targets.len();
    let extra = cells
        .iter()
        .skip(columns.targets.len())
        .filter(|cell| !trimmed(cell).is_empty())
        .count();
    if extra > 0 {
        row.mask_all = true;
        let message = format!(
            "the row has {extra} more cells than the header has columns: put quotation marks around cells that hold the \
             delimiter, or remove the cells"
        );
        row.faults.push(Fault {
            value: Some(MASK.into()),
            ..Fault::new("row", "too_many_cells", message)
        });
    }
    if let Some((logins, site)) = &columns.logins {
        return fill_from_password_manager(row, &cells, logins, *site);
    }
    for (cell, target) in cells.into_iter().zip(&columns.targets) {
        if let Some(target) = target
            && !trimmed(&cell).is_empty()
        {
            row.values[*target] = Some(cell);
        }
    }
    true
}

fn fill_from_password_manager(row: &mut Cells<'_>, cells: &[String], logins: &[usize], site: usize) -> bool {
    let site = cells.get(site).map(String::as_str).unwrap_or_default();
    if !site.contains("instagram.com") {
        row.notes.add(
            "other_site_skipped",
            "entries of other sites than instagram.com were passed over",
            row.number,
        );
        return false;
    }
    let logins = || {
        logins
            .iter()
            .filter_map(|index| cells.get(*index))
            .map(|cell| trimmed(cell))
            .filter(|cell| !cell.is_empty())
    };
    let profile = super::cells::handle(site).ok();
    let login = logins().find(|login| !is_email(login)).map(str::to_owned);
    let email = logins().find(|login| is_email(login)).map(str::to_owned);
    // Rather a handle of the login or of the address than none; an e-mail address in its place says what is missing.
    row.set("username", login.or(profile).or_else(|| email.clone()));
    row.set("email", email);
    true
}

fn fill_from_line(row: &mut Cells<'_>, line: &str) -> bool {
    match lines::parse(line) {
        Ok(line) => rows::set_proxy_line(row, line),
        Err((code, message)) => {
            row.faults.push(Fault {
                value: Some(MASK.into()),
                ..Fault::new("row", code, format!("the line {message}"))
            });
            return false;
        }
    }
    true
}

/// Reads an object of Webshare's list of proxies.
fn fill_from_object(row: &mut Cells<'_>, object: &str) -> bool {
    let object = match serde_json::from_str(object) {
        Ok(Value::Object(object)) => object,
        _ => {
            row.faults.push(Fault::new(
                "row",
                "json_invalid",
                "this element of the list is not a JSON object: export it again",
            ));
            return false;
        }
    };
    let text = |name: &str| match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let Some(address) = text("proxy_address") else {
        let message = "`proxy_address` is empty: a residential proxy has no fixed exit address, which an account's proxy must have";
        row.faults.push(Fault::new("row", "proxy_rotates", message));
        return false;
    };
    let place: Vec<String> = [text("city_name"), text("country_code")]
        .into_iter()
        .flatten()
        .collect();
    row.set(
        "exit_ip",
        address
            .parse::<std::net::IpAddr>()
            .ok()
            .map(|address| address.to_string()),
    );
    row.set("host", Some(address));
    row.set("port", text("port"));
    row.set("username", text("username"));
    row.set("password", text("password"));
    row.set("provider", Some("Webshare".into()));
    row.set(
        "location",
        Some(place.join(", ")).filter(|place| !place.is_empty()),
    );
    if object.get("valid") == Some(&Value::Bool(false)) {
        row.set("status", Some("inactive".into()));
        row.notes.add(
            "proxy_not_valid",
            "proxies that the provider calls not valid are imported as inactive",
            row.number,
        );
    }
    true
}

/// Gives the row what options supply and it lacks.
fn supply(row: &mut Cells<'_>, supplied: &[(&'static str, String)]) {
    for (name, value) in supplied {
        if let Some(position) = position(row.kind, name)
            && row.values[position].is_none()
        {
            row.values[position] = Some(value.clone());
        }
    }
}

fn parse(row: &mut Cells<'_>) -> Option<Row> {
    let value = match row.kind {
        Kind::Accounts => rows::account(row),
        Kind::Proxies => rows::proxy(row),
        Kind::Models => rows::model(row),
        Kind::Content => rows::content(row),
        Kind::Texts => rows::text(row),
    };
    value.filter(|_| row.faults.is_empty())
}
