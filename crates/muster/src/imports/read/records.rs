//! UTF-8 bytes, split into records: the rows of a table, the lines of a list, the objects of a JSON list. Each holds no
//! more than one record in memory, and knows the line of the file on which it began.

use std::io::{self, BufRead, ErrorKind};

use super::{CELLS_MAX, ROW_BYTES_MAX};

/// One record of a file. When it has a flaw its cells are not to be trusted.
#[derive(Default)]
pub(super) struct Record {
    /// The line on which the record begins, counted from 1; CR, LF and CRLF each end one.
    pub number: u64,
    pub cells: Vec<Vec<u8>>,
    pub flaw: Option<Flaw>,
}

/// Why a record could not be split into cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Over [`ROW_BYTES_MAX`] or [`CELLS_MAX`]; read on after the next line break.
    TooLong,
    /// The file ended inside a quoted cell, or inside a JSON object.
    CutOff,
}

/// How a file is split into records.
#[derive(Clone, Copy)]
pub(super) enum Split {
    /// Cells between delimiters, quoted as in RFC 4180, with every kind of line break.
    Table(u8),
    /// One cell a line, nothing quoted.
    Lines,
    /// The elements of the first JSON list, each in one cell.
    Json,
}

/// The records of `source`, in order.
pub(super) struct Records<B> {
    source: B,
    machine: Machine,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
    /// After a record that is too long: until the next line break.
    Skipping,
}

struct Machine {
    split: Split,
    line: u64,
    previous_was_cr: bool,
    started: bool,
    state: State,
    bytes: usize,
    cell: Vec<u8>,
    record: Record,
    json: Json,
}

#[derive(Default)]
struct Json {
    preamble: Vec<u8>,
    in_list: bool,
    ended: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl<B: BufRead> Records<B> {
    pub(super) fn new(source: B, split: Split) -> Self {
        let machine = Machine {
            split,
            line: 1,
            previous_was_cr: false,
            started: false,
            state: State::CellStart,
            bytes: 0,
            cell: Vec::new(),
            record: Record::default(),
            json: Json::default(),
        };
        Self { source, machine }
    }

    /// The next record, or none at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                return Ok(self.machine.end());
            }
            let mut used = 0;
            let mut complete = false;
            while used < buffer.len() && !complete {
                complete = self.machine.feed(buffer[used]);
                used += 1;
            }
            self.source.consume(used);
            if complete {
                return Ok(Some(self.machine.take()));
            }
        }
    }

    /// What stood before the JSON list, as far as it is kept.
    pub(super) fn json_preamble(&self) -> &[u8] {
        &self.machine.json.preamble
    }

    /// Whether a JSON list was found.
    pub(super) fn json_list_found(&self) -> bool {
        self.machine.json.in_list
    }
}

impl Machine {
    /// Takes one byte; true when it completes a record.
    fn feed(&mut self, byte: u8) -> bool {
        let second_half_of_break = byte == b'\n' && self.previous_was_cr;
        let breaks_line = matches!(byte, b'\n' | b'\r');
        self.previous_was_cr = byte == b'\r';
        let complete = match self.split {
            Split::Json => self.feed_json(byte),
            Split::Lines if breaks_line => self.begin() && self.end_cell() && self.end_record(),
            Split::Lines => self.begin() && self.push(byte),
            Split::Table(delimiter) => self.feed_table(byte, delimiter),
        };
        if breaks_line && !second_half_of_break {
            self.line += 1;
        }
        complete
    }

    fn begin(&mut self) -> bool {
        if !self.started {
            self.started = true;
            self.record.number = self.line;
        }
        true
    }

    fn feed_table(&mut self, byte: u8, delimiter: u8) -> bool {
        self.begin();
        match (self.state, byte) {
            (State::Skipping, b'\n' | b'\r') => self.end_record(),
            (State::Skipping, _) => false,
            (State::Quoted, b'"') => {
                self.state = State::QuoteInQuoted;
                false
            }
            (State::Quoted, _) => self.push(byte),
            (State::QuoteInQuoted, b'"') => {
                self.state = State::Quoted;
                self.push(byte)
            }
            (_, b'\n' | b'\r') => self.end_cell() && self.end_record(),
            (_, byte) if byte == delimiter => {
                self.end_cell();
                false
            }
            (State::CellStart, b'"') => {
                self.state = State::Quoted;
                false
            }
            (State::CellStart | State::Plain | State::QuoteInQuoted, _) => {
                self.state = State::Plain;
                self.push(byte)
            }
        }
    }

    /// Keeps a byte of the current cell; never completes a record.
    fn push(&mut self, byte: u8) -> bool {
        self.bytes += 1;
        if self.bytes > ROW_BYTES_MAX {
            self.overflow();
        } else if self.state != State::Skipping {
            self.cell.push(byte);
        }
        false
    }

    fn overflow(&mut self) {
        self.record.flaw = Some(Flaw::TooLong);
        self.record.cells.clear();
        self.cell = Vec::new();
        self.state = State::Skipping;
    }

    fn end_cell(&mut self) -> bool {
        if self.record.cells.len() == CELLS_MAX {
            self.overflow();
        } else if self.state != State::Skipping {
            self.record.cells.push(self.cell.clone());
            self.cell.clear();
            self.state = State::CellStart;
        }
        true
    }

    fn end_record(&mut self) -> bool {
        self.started = false;
        true
    }

    fn take(&mut self) -> Record {
        self.state = State::CellStart;
        self.bytes = 0;
        self.cell.clear();
        self.started = false;
        std::mem::take(&mut self.record)
    }

    /// The last record, when the file does not end with a line break.
    fn end(&mut self) -> Option<Record> {
        if !self.started {
            return None;
        }
        if self.state == State::Quoted || matches!(self.split, Split::Json) {
            self.record.flaw.get_or_insert(Flaw::CutOff);
        }
        self.end_cell();
        Some(self.take())
    }

    fn feed_json(&mut self, byte: u8) -> bool {
        if self.json.ended {
            return false;
        }
        let in_string = self.json.in_string;
        self.json.track_string(byte);
        if !self.json.in_list {
            if byte == b'[' && !in_string {
                self.json.in_list = true;
            } else if self.json.preamble.len() < ROW_BYTES_MAX {
                self.json.preamble.push(byte);
            }
            return false;
        }
        if !self.started {
            if byte == b']' {
                self.json.ended = true;
            }
            if matches!(byte, b',' | b']') || byte.is_ascii_whitespace() {
                return false;
            }
            self.begin();
        } else if !in_string && self.json.depth == 0 && matches!(byte, b',' | b']') {
            self.json.ended = byte == b']';
            return self.end_cell() && self.end_record();
        }
        if !in_string {
            match byte {
                b'{' | b'[' => self.json.depth += 1,
                b'}' | b']' => self.json.depth = self.json.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.push(byte)
    }
}

impl Json {
    fn track_string(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if self.in_string {
            self.escaped = byte == b'\\';
            self.in_string = byte != b'"';
        } else {
            self.in_string = byte == b'"';
        }
    }
}
