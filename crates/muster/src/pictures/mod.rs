//! Pictures that Muster keeps: uploaded with content, each once however often it is used, and no longer than it is.

use std::collections::HashSet;

use muster_wire::content::{PICTURE_BYTES_MAX, kept_picture, kept_picture_url};
use sha2::{Digest, Sha256};

use crate::{
    actor::Actor,
    db::Tx,
    problem::{Failure, Refusal},
};

pub mod api;
mod bare;

/// A picture and its type.
#[derive(Debug)]
pub struct Picture {
    /// `image/jpeg`, `image/png` or `image/webp`.
    pub media_type: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The media type of a picture, by how its file begins; none where it is no JPEG, PNG or WebP. What a file is called, and what
/// its sender says that it is, counts for nothing.
pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some("image/jpeg");
    }
    if bytes.starts_with(PNG) {
        return Some("image/png");
    }
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..15) == Some(b"WEBPVP8");
    webp.then_some("image/webp")
}

/// Reads a file as the picture that is kept of it, with nothing beside the picture itself: a place that was noted where it was taken
/// is not published with it.
///
/// # Errors
/// What is wrong with it: a code, and what to do.
pub fn read(file: &[u8]) -> Result<Picture, (&'static str, &'static str)> {
    if file.is_empty() {
        return Err(("empty", "there is nothing in this file"));
    }
    if file.len() > PICTURE_BYTES_MAX {
        return Err(("too_large", "a picture has at most 8 MiB: make it smaller"));
    }
    let media_type = media_type(file).ok_or((
        "not_a_picture",
        "this is no JPEG, PNG or WebP picture, whatever its name says: save it as one",
    ))?;
    let bytes = bare::bare(file).ok_or((
        "damaged_picture",
        "the file of this picture is damaged or cut off: open it where it was made, and save it anew",
    ))?;
    Ok(Picture {
        media_type: media_type.to_owned(),
        bytes,
    })
}

/// Keeps a picture, which content of this transaction is to show; gives its address.
///
/// # Errors
/// When the database fails.
pub async fn keep(tx: &mut Tx, actor: &Actor, picture: &Picture) -> Result<String, Failure> {
    let sha256 = Sha256::digest(&picture.bytes);
    sqlx::query_file!(
        "src/pictures/keep.sql",
        actor.tenant.0,
        &sha256[..],
        picture.media_type,
        picture.bytes,
        actor.name()
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept_picture_url(&sha256.into()))
}

/// Those of these addresses that mean a picture which is not kept.
///
/// # Errors
/// When the database fails.
pub async fn unknown<'a>(
    tx: &mut Tx,
    actor: &Actor,
    urls: impl Iterator<Item = &'a str>,
) -> Result<HashSet<String>, Failure> {
    let named: HashSet<[u8; 32]> = urls.filter_map(kept_picture).collect();
    if named.is_empty() {
        return Ok(HashSet::new());
    }
    let asked: Vec<Vec<u8>> = named.iter().map(|sha256| sha256.to_vec()).collect();
    let known: HashSet<Vec<u8>> = sqlx::query_file_scalar!("src/pictures/known.sql", actor.tenant.0, &asked)
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .collect();
    let unknown = named.iter().filter(|sha256| !known.contains(&sha256[..]));
    Ok(unknown.map(kept_picture_url).collect())
}

/// A picture: any of the tenant's for its people, and for a bot one that a step shows which it holds.
///
/// # Errors
/// That there is none, or not for this bot, which look the same; or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, sha256: [u8; 32]) -> Result<Picture, Failure> {
    sqlx::query_file_as!(
        Picture,
        "src/pictures/get.sql",
        actor.tenant.0,
        &sha256[..],
        actor.bot().map(|bot| bot.0)
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| Refusal::not_found("picture").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_how_its_file_begins() {
        let of = |bytes: &[u8]| media_type(bytes);
        assert_eq!(of(b"\xff\xd8\xff\xe0rest"), Some("image/jpeg"));
        assert_eq!(of(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), Some("image/png"));
        assert_eq!(of(b"RIFF\x10\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [
            &b"<svg/>"[..],
            b"GIF89a",
            b"\xff\xd8",
            b"\x89PNG",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"<html>\xff\xd8\xff",
            b"",
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
