//! Pictures for the demo's content, which the samples only give addresses of that lead nowhere.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};
use muster_client::{Client, ClientError};
use muster_wire::{
    Page,
    content::{Content, kept_picture},
};
use sha2::{Digest, Sha256};

/// Of a picture, in pixels.
const SIDE: u16 = 240;

/// Steps from the colour of the sky above to that at the horizon.
const SKY_COLOURS: u8 = 24;

type Colour = [u8; 3];

/// A time of day: the sky above and at the horizon, the sun, and the hills from the farthest to the nearest.
type Light = [Colour; 6];

const LIGHTS: [Light; 6] = [
    [
        [52, 104, 172],
        [214, 232, 240],
        [255, 246, 214],
        [140, 172, 168],
        [92, 136, 112],
        [48, 90, 70],
    ],
    [
        [92, 60, 120],
        [250, 176, 120],
        [255, 228, 160],
        [150, 96, 116],
        [100, 62, 92],
        [56, 36, 62],
    ],
    [
        [20, 36, 72],
        [88, 116, 160],
        [240, 240, 228],
        [60, 84, 120],
        [38, 56, 86],
        [20, 30, 50],
    ],
    [
        [236, 164, 140],
        [252, 226, 190],
        [255, 250, 236],
        [214, 150, 120],
        [172, 106, 88],
        [112, 66, 62],
    ],
    [
        [96, 160, 164],
        [226, 240, 220],
        [255, 244, 196],
        [150, 186, 140],
        [104, 148, 96],
        [60, 100, 66],
    ],
    [
        [128, 140, 158],
        [220, 222, 222],
        [246, 246, 246],
        [160, 168, 172],
        [118, 128, 134],
        [72, 82, 90],
    ],
];

/// Draws a picture for each item of content that has none on this server, and puts it in the item's place. Gives how many.
///
/// # Errors
/// When the server refuses, or cannot be reached.
pub async fn illustrate(owner: &Client) -> Result<usize, ClientError> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let after = cursor.as_deref().map(|cursor| ("cursor", cursor));
        let page: Page<Content> = owner.get("/v1/content", after.as_slice()).await?;
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    items.retain(|item| kept_picture(&item.image_url).is_none());
    for item in &items {
        let (model, priority) = (item.model_id.to_string(), item.order_priority.to_string());
        let query = [
            ("model_id", model.as_str()),
            ("content_type", item.content_type.word()),
            ("text_content", item.text_content.as_deref().unwrap_or_default()),
            ("is_template", if item.is_template { "true" } else { "false" }),
            ("order_priority", &priority),
        ];
        let _: Content = owner
            .upload("/v1/content/upload", &query, drawn(&item.image_url))
            .await?;
        owner.delete(&format!("/v1/content/{}", item.id)).await?;
    }
    Ok(items.len())
}

/// A landscape, as a PNG: the same for the same name, and another for any other.
fn drawn(name: &str) -> Vec<u8> {
    let chance = Sha256::digest(name);
    let between = |n: usize, least: u32, most: u32| least + u32::from(chance[n]) * (most - least) / 255;
    let light = LIGHTS[usize::from(chance[0]) % LIGHTS.len()];
    let (sun_x, sun_y, radius) = (between(1, 40, 200), between(2, 40, 110), between(3, 14, 26));
    let mut rows = Vec::new();
    for y in 0..u32::from(SIDE) {
        // Each row begins with how it is filtered: not at all.
        rows.push(0);
        for x in 0..u32::from(SIDE) {
            let hill = (0..3).rev().find(|hill| {
                let n = 4 + hill * 3;
                let wide = between(n, 120, 260);
                let along = (x + between(n + 1, 0, 255)) % wide;
                let rise = between(n + 2, 30, 60) * 4 * along * (wide - along) / (wide * wide);
                let foot = 110 - 35 * u32::try_from(*hill).unwrap_or_default();
                u32::from(SIDE) - y < foot + rise
            });
            let sun = x.abs_diff(sun_x).pow(2) + y.abs_diff(sun_y).pow(2) < radius * radius;
            let sky = y * u32::from(SKY_COLOURS) / u32::from(SIDE);
            rows.push(match hill {
                Some(hill) => SKY_COLOURS + 1 + u8::try_from(hill).unwrap_or_default(),
                None if sun => SKY_COLOURS,
                None => u8::try_from(sky).unwrap_or_default(),
            });
        }
    }
    png(&palette(light), &rows)
}

fn palette([above, horizon, rest @ ..]: Light) -> Vec<Colour> {
    let last = u32::from(SKY_COLOURS) - 1;
    let mixed = |step: u32| {
        [0, 1, 2].map(|part| {
            let sum = u32::from(above[part]) * (last - step) + u32::from(horizon[part]) * step;
            u8::try_from(sum / last).unwrap_or(u8::MAX)
        })
    };
    (0..=last).map(mixed).chain(rest).collect()
}

/// A square picture of colours by their number (PNG, third edition, 11.2 and 11.3).
fn png(palette: &[Colour], rows: &[u8]) -> Vec<u8> {
    const EIGHT_BITS_OF_A_PALETTE: [u8; 5] = [8, 3, 0, 0, 0];
    let side = u32::from(SIDE).to_be_bytes();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(rows).expect("writing to a Vec does not fail");
    let packed = packed.finish().expect("writing to a Vec does not fail");
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", [&side[..], &side, &EIGHT_BITS_OF_A_PALETTE].concat()),
        (b"PLTE", palette.concat()),
        (b"IDAT", packed),
        (b"IEND", Vec::new()),
    ] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        let length = u32::try_from(data.len()).expect("a picture is small");
        file.extend(length.to_be_bytes());
        file.extend(kind);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}
