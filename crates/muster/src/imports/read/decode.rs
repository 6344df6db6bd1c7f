//! Bytes in any accepted encoding, read as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Encoding;

const INPUT_BYTES: usize = 16 * 1024;
/// Stands for what cannot be decoded: no UTF-8 text contains it, so the row that holds it is refused, not altered.
const UNDECODABLE: u8 = 0xFF;
/// The most bytes one step of decoding can need beyond its input: one character of UTF-8, and the mark above.
const OUTPUT_SPARE_BYTES: usize = 16;

/// The encoding of a file by its first bytes, and the length of its byte order mark. `cut` says that the file goes on
/// after the sample, which may then end inside a character.
pub(super) fn detect(sample: &[u8], cut: bool) -> (Encoding, usize) {
    match sample {
        [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
        [0xFF, 0xFE, ..] => (Encoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => (Encoding::Utf16Be, 2),
        _ => (without_mark(sample, cut), 0),
    }
}

fn without_mark(sample: &[u8], cut: bool) -> Encoding {
    let zeros = |parity: usize| {
        sample
            .iter()
            .skip(parity)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let many = |zeros: usize| zeros * 32 > sample.len();
    // Delimiters, digits and line breaks have a zero half in UTF-16, always on the same side.
    if many(odd) && odd > 8 * even {
        return Encoding::Utf16Le;
    }
    if many(even) && even > 8 * odd {
        return Encoding::Utf16Be;
    }
    match std::str::from_utf8(sample) {
        Ok(_) => return Encoding::Utf8,
        Err(error) if cut && error.error_len().is_none() => return Encoding::Utf8,
        Err(_) => {}
    }
    // One broken row does not make a UTF-8 file Windows-1252, which hardly ever looks like UTF-8 by chance.
    let (mut valid, mut broken) = (0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        valid += chunk
            .valid()
            .chars()
            .filter(|character| !character.is_ascii())
            .count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if valid > broken {
        Encoding::Utf8
    } else {
        Encoding::Windows1252
    }
}

/// Reads `source` as UTF-8, whatever its encoding, in constant memory. Malformed input arrives as bytes that are not
/// UTF-8, so that whoever reads them finds the fault where it is.
pub(super) struct Utf8<R> {
    source: R,
    decoder: Option<Decoder>,
    input: Vec<u8>,
    output: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Utf8<R> {
    /// `source` must stand after its byte order mark.
    pub(super) fn new(source: R, encoding: Encoding) -> Self {
        let decoder = match encoding {
            Encoding::Utf8 => None,
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        };
        Self {
            source,
            decoder,
            input: Vec::new(),
            output: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        let decoder = self
            .decoder
            .as_mut()
            .expect("only called when there is a decoder");
        self.input.resize(INPUT_BYTES, 0);
        let filled = self.source.read(&mut self.input)?;
        self.ended = filled == 0;
        self.output.clear();
        self.taken = 0;
        let mut input = &self.input[..filled];
        loop {
            let start = self.output.len();
            self.output
                .resize(start + 3 * input.len() + OUTPUT_SPARE_BYTES, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(input, &mut self.output[start..], self.ended);
            self.output.truncate(start + written);
            input = &input[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.output.push(UNDECODABLE),
            }
        }
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.decoder.is_none() {
            return self.source.read(buffer);
        }
        while self.taken == self.output.len() && !self.ended {
            self.decode_more()?;
        }
        let count = buffer.len().min(self.output.len() - self.taken);
        buffer[..count].copy_from_slice(&self.output[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
