//! A picture without what its file says beside it: where, when, by whom and with what it was taken, what it was before it was cut,
//! films behind it. Its pixels are not touched, nor what they are shown with: colours, transparency, motion, and which side is up.

use exif::{In, Tag};
use img_parts::{
    Bytes, DynImage, ImageEXIF,
    jpeg::{Jpeg, JpegSegment, markers},
    riff::RiffContent,
};

/// The chunks of a PNG without which it would look different.
const PNG_CHUNKS: &[&[u8; 4]] = &[
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP",
    b"mDCV", b"cLLI", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

/// Those of a WebP.
const WEBP_CHUNKS: &[&[u8; 4]] = &[b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];

/// The bits of a WebP's `VP8X` that say that EXIF and XMP follow.
const WEBP_EXIF_AND_XMP: u8 = 0b1100;

/// The sides that are up, as EXIF counts them, but for the first, which is how a picture is without EXIF.
const TURNED: std::ops::RangeInclusive<u32> = 2..=8;

/// The file of a picture with nothing in it but the picture; none where it cannot be read to its end.
pub(super) fn bare(file: &[u8]) -> Option<Vec<u8>> {
    let mut image = DynImage::from_bytes(Bytes::copy_from_slice(file)).ok()??;
    let side_up = side_up(image.exif());
    match &mut image {
        DynImage::Jpeg(jpeg) => bare_jpeg(jpeg)?,
        DynImage::Png(png) => png
            .chunks_mut()
            .retain(|chunk| PNG_CHUNKS.contains(&&chunk.kind())),
        DynImage::WebP(webp) => {
            let chunks = webp.chunks_mut();
            chunks.retain(|chunk| WEBP_CHUNKS.contains(&&chunk.id()));
            for chunk in chunks.iter_mut().filter(|chunk| chunk.id() == *b"VP8X") {
                if let RiffContent::Data(data) = chunk.content_mut() {
                    let mut flags = data.to_vec();
                    *flags.first_mut()? &= !WEBP_EXIF_AND_XMP;
                    *data = flags.into();
                }
            }
        }
    }
    image.dimensions()?;
    image.set_exif(side_up.map(only_side_up));
    Some(image.encoder().bytes().to_vec())
}

/// Which side of a picture is up, where that is not how it is kept.
fn side_up(exif: Option<Bytes>) -> Option<u8> {
    let exif = exif::Reader::new().read_raw(exif?.to_vec()).ok()?;
    let side = exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0)?;
    u8::try_from(side).ok().filter(|_| TURNED.contains(&side))
}

/// EXIF that says which side is up, and nothing else: one entry, of tag 0x0112, a SHORT.
fn only_side_up(side: u8) -> Bytes {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    tiff[18] = side;
    tiff.into()
}

/// Keeps how a JPEG is to be decoded, its colours and its scans, and drops every other application's segment, and comments.
fn bare_jpeg(jpeg: &mut Jpeg) -> Option<()> {
    let segments = jpeg.segments_mut();
    segments.retain(|segment| {
        let contents = segment.contents();
        match segment.marker() {
            markers::APP0 => contents.starts_with(b"JFIF\0"),
            markers::APP2 => contents.starts_with(b"ICC_PROFILE\0"),
            markers::APP14 => contents.starts_with(b"Adobe"),
            marker => !is_said_beside(marker),
        }
    });
    for segment in segments.iter_mut() {
        let (marker, contents) = (segment.marker(), segment.contents().clone());
        if marker == markers::APP0 {
            // Without its thumbnail, which can show what was cut off: version and density, and a thumbnail of no size.
            let mut jfif = contents.get(..12)?.to_vec();
            jfif.extend([0, 0]);
            *segment = JpegSegment::new_with_contents(marker, jfif.into());
        } else if segment.has_entropy() {
            let whole = segment.clone().encoder().bytes();
            let scans = scans(&whole[segment.len()..])?;
            *segment = JpegSegment::new_with_entropy(marker, contents, scans.into());
        }
    }
    Some(())
}

/// Whether a segment of a JPEG is an application's, or a comment.
fn is_said_beside(marker: u8) -> bool {
    matches!(marker, markers::APP0..=markers::APP15 | markers::COM)
}

/// What follows the header of a JPEG's first scan, up to the end of the picture and without what is said between scans; none where
/// there is no end. Behind it some devices put films and other pictures.
fn scans(data: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(data.len());
    let mut rest = data;
    loop {
        // A marker is 0xff and what is neither stuffing, a restart nor another 0xff.
        let at = rest
            .windows(2)
            .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff))?;
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let marker = rest[1];
        if marker == markers::EOI {
            kept.extend_from_slice(&rest[..2]);
            return Some(kept);
        }
        let length = rest.get(2..4).map(|two| u16::from_be_bytes([two[0], two[1]]))?;
        let segment = rest.get(..2 + usize::from(length).max(2))?;
        if !is_said_beside(marker) {
            kept.extend_from_slice(segment);
        }
        rest = &rest[segment.len()..];
    }
}
