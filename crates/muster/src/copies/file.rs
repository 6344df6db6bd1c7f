//! The file of a copy: a line of JSON that says what it is, and then its content, compressed and encrypted in frames (STREAM
//! over XChaCha20-Poly1305), so that a file that was altered, cut or put together from others does not open.

use std::io::{self, BufRead, Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32, Nonce, StreamBE32};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Payload, array::Array},
};
use chrono::{DateTime, Utc};
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::CopyError;
use crate::seal::{self, MasterKeys};

/// The version of this form.
const FORMAT: u32 = 1;

/// What is encrypted at a time, before the 16 bytes of its tag.
const FRAME_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;

/// What makes the nonces of a file, which the number of the frame completes.
const NONCE_PREFIX_BYTES: usize = 19;

/// The first line, as it may be at most.
const HEADER_BYTES_MAX: u64 = 16 * 1024;

/// What a copy's key is called in errors, and authenticated with it.
const WHAT: &str = "the key of the copy";

type Prefix = Nonce<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>>;

/// What the first line of a copy says; it is authenticated, and not encrypted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// The version of the form.
    muster_copy: u32,
    /// The name of the tenant.
    pub tenant: String,
    /// Its id in the database that it is from.
    pub tenant_id: muster_wire::TenantId,
    /// The moment that it holds.
    pub taken_at: DateTime<Utc>,
    /// The newest migration of the database that it is from.
    pub schema: i64,
    /// The key of the content, sealed by the master key.
    key: String,
    nonce: String,
}

impl Header {
    /// Of a new copy, with a new key.
    pub fn new(
        master: &MasterKeys,
        tenant: String,
        tenant_id: muster_wire::TenantId,
        taken_at: DateTime<Utc>,
        schema: i64,
    ) -> Self {
        let mut nonce = [0; NONCE_PREFIX_BYTES];
        rand::fill(&mut nonce);
        Self {
            muster_copy: FORMAT,
            tenant,
            tenant_id,
            taken_at,
            schema,
            key: master.seal(WHAT, &seal::new_passphrase()),
            nonce: seal::hex(&nonce),
        }
    }

    fn cipher(&self, master: &MasterKeys) -> Result<(XChaCha20Poly1305, Prefix), CopyError> {
        let key = master.open(WHAT, &self.key)?;
        let key = zeroize::Zeroizing::new(seal::unhex(key.expose_secret()).ok_or(CopyError::Form)?);
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| CopyError::Form)?;
        let nonce = seal::unhex(&self.nonce).ok_or(CopyError::Form)?;
        let nonce = Array::try_from(&nonce[..]).map_err(|_| CopyError::Form)?;
        Ok((cipher, nonce))
    }
}

/// Writes a copy.
pub struct Writer<W: Write>(GzEncoder<Frames<W>>);

struct Frames<W: Write> {
    out: W,
    header: Vec<u8>,
    stream: EncryptorBE32<XChaCha20Poly1305>,
    plain: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(mut out: W, header: &Header, master: &MasterKeys) -> Result<Self, CopyError> {
        let (cipher, nonce) = header.cipher(master)?;
        let mut line = serde_json::to_vec(header).map_err(io::Error::from)?;
        line.push(b'\n');
        out.write_all(&line)?;
        let frames = Frames {
            out,
            header: line,
            stream: EncryptorBE32::from_aead(cipher, &nonce),
            plain: Vec::with_capacity(FRAME_BYTES),
        };
        Ok(Self(GzEncoder::new(frames, Compression::fast())))
    }

    /// Ends it; without this the copy does not open.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        let Frames {
            mut out,
            header,
            stream,
            plain,
        } = self.0.finish()?;
        let last = stream.encrypt_last(Payload {
            msg: &plain,
            aad: &header,
        });
        out.write_all(&last.map_err(io::Error::other)?)?;
        Ok(out)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.plain.len() == FRAME_BYTES {
            let frame = self.stream.encrypt_next(Payload {
                msg: &self.plain,
                aad: &self.header,
            });
            self.out.write_all(&frame.map_err(io::Error::other)?)?;
            self.plain.clear();
        }
        let taken = bytes.len().min(FRAME_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the header of a copy.
///
/// # Errors
/// When it is no copy, or of a form that is not known here.
pub fn header(file: &mut impl BufRead) -> Result<(Header, Vec<u8>), CopyError> {
    let mut line = Vec::new();
    file.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    let header: Header = serde_json::from_slice(&line).map_err(|_| CopyError::Form)?;
    if header.muster_copy != FORMAT {
        return Err(CopyError::Form);
    }
    Ok((header, line))
}

/// The content of a copy whose header was read; reading it fails where it was altered or cut.
///
/// # Errors
/// When none of these master keys sealed its key.
pub fn content<R: BufRead>(
    file: R,
    (header, line): &(Header, Vec<u8>),
    master: &MasterKeys,
) -> Result<impl Read + use<R>, CopyError> {
    let (cipher, nonce) = header.cipher(master)?;
    Ok(GzDecoder::new(io::BufReader::with_capacity(
        FRAME_BYTES,
        Opened {
            file,
            header: line.clone(),
            stream: Some(DecryptorBE32::from_aead(cipher, &nonce)),
            plain: io::Cursor::default(),
        },
    )))
}

struct Opened<R: BufRead> {
    file: R,
    header: Vec<u8>,
    /// None once the last frame was read.
    stream: Option<DecryptorBE32<XChaCha20Poly1305>>,
    plain: io::Cursor<Vec<u8>>,
}

impl<R: BufRead> Read for Opened<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.plain.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            let Some(mut stream) = self.stream.take() else {
                return Ok(0);
            };
            let mut frame = Vec::with_capacity(FRAME_BYTES + TAG_BYTES);
            (&mut self.file)
                .take((FRAME_BYTES + TAG_BYTES) as u64)
                .read_to_end(&mut frame)?;
            let payload = Payload {
                msg: &frame,
                aad: &self.header,
            };
            let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "altered or cut");
            self.plain = io::Cursor::new(if self.file.fill_buf()?.is_empty() {
                stream.decrypt_last(payload).map_err(damaged)?
            } else {
                let plain = stream.decrypt_next(payload).map_err(damaged)?;
                self.stream = Some(stream);
                plain
            });
        }
    }
}
