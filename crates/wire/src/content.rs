//! Content: the pictures that a model's accounts publish.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::{ContentId, Fault, Filter, ModelId, check, filter::YesNo, patch};

/// The longest address of a picture.
pub const IMAGE_URL_CHARS_MAX: usize = 500;

/// The longest picture that Muster keeps: as long as Instagram takes one.
pub const PICTURE_BYTES_MAX: usize = 8 << 20;

/// Where the pictures are that Muster keeps.
const KEPT_PICTURES: &str = "/v1/pictures/";

/// The SHA-256 of the picture that an address means, where it is one that Muster keeps: `/v1/pictures/` and 64 hexadecimal
/// digits, in lower case.
pub fn kept_picture(url: &str) -> Option<[u8; 32]> {
    let digits = url.strip_prefix(KEPT_PICTURES)?.as_bytes();
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut sha256 = [0; 32];
    if digits.len() != 2 * sha256.len() {
        return None;
    }
    for (byte, pair) in sha256.iter_mut().zip(digits.chunks(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(sha256)
}

/// The address of a picture that Muster keeps, on its server.
pub fn kept_picture_url(sha256: &[u8; 32]) -> String {
    sha256
        .iter()
        .fold(KEPT_PICTURES.to_owned(), |url, byte| format!("{url}{byte:02x}"))
}

/// The longest text.
pub const TEXT_CHARS_MAX: usize = 10_000;

crate::words! {
    /// What content is for.
    pub enum ContentType {
        /// Profile pictures.
        Pfp = "pfp",
        /// Posts.
        Post = "post",
        /// Highlights.
        Highlight = "highlight",
        /// Stories.
        Story = "story",
        /// Every step that takes a picture.
        Any = "any",
    }
}

crate::wire! {
    /// An item of content.
    pub struct Content {
        /// Its id.
        pub id: ContentId,
        /// The model that it belongs to.
        pub model_id: ModelId,
        /// That model's name.
        pub model: String,
        /// What it is for.
        pub content_type: ContentType,
        /// Where the picture is: on the web, or, as `/v1/pictures/...`, on this server.
        pub image_url: String,
        /// The text that goes with the picture.
        pub text_content: Option<String>,
        /// Whether the text has variables, to be filled in for each account.
        pub is_template: bool,
        /// Of what was used equally often, the lower comes first.
        pub order_priority: i32,
        /// How many steps have been reported with it.
        pub usage_count: i32,
        /// How many of these were completed, in percent.
        pub success_rate: Decimal,
        /// When it was last used.
        pub last_used_at: Option<DateTime<Utc>>,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// Who made it, as `operator:7`.
        pub created_by: Option<String>,
        /// The version of what is stored; quoted, it is the `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// Content that is to be made.
    #[serde(deny_unknown_fields)]
    pub struct NewContent {
        /// The model that it belongs to.
        pub model_id: ModelId,
        /// What it is for.
        pub content_type: ContentType,
        /// Where the picture is: an `http://` or `https://` address, or `/v1/pictures/` and the SHA-256 of one that Muster keeps.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500, pattern = "^(https?://[^/?#:\\s][^\\s]*|/v1/pictures/[0-9a-f]{64})$"))]
        pub image_url: String,
        /// The text that goes with the picture.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
        pub text_content: Option<String>,
        /// Whether the text has variables, to be filled in for each account.
        #[serde(default)]
        pub is_template: bool,
        /// Of what was used equally often, the lower comes first; 0 when absent.
        #[serde(default)]
        pub order_priority: i32,
    }
}

crate::wire! {
    /// A change of content: what is absent stays as it is.
    #[derive(Default)]
    #[serde(deny_unknown_fields)]
    pub struct ContentChange {
        /// The model that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub model_id: Option<ModelId>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub content_type: Option<ContentType>,
        /// Where the picture is: an `http://` or `https://` address, or `/v1/pictures/` and the SHA-256 of one that Muster keeps.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500, pattern = "^(https?://[^/?#:\\s][^\\s]*|/v1/pictures/[0-9a-f]{64})$", nullable = false))]
        pub image_url: Option<String>,
        /// The text that goes with the picture; `null` clears it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 10000))]
        pub text_content: Option<Option<String>>,
        /// Whether the text has variables, to be filled in for each account.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub is_template: Option<bool>,
        /// Of what was used equally often, the lower comes first.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub order_priority: Option<i32>,
    }
}

impl NewContent {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        faults(Some(&self.image_url), self.text_content.as_deref())
    }
}

impl ContentChange {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let text = self.text_content.as_ref().and_then(|text| text.as_deref());
        faults(self.image_url.as_deref(), text)
    }
}

fn faults(image_url: Option<&str>, text_content: Option<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(url) = image_url.filter(|url| kept_picture(url).is_none()) {
        check::url(&mut faults, "/image_url", url, IMAGE_URL_CHARS_MAX);
    }
    if let Some(text) = text_content {
        check::text(&mut faults, "/text_content", text, 0..=TEXT_CHARS_MAX);
    }
    faults
}

crate::wire! {
    /// How long what a model has for one step lasts.
    pub struct Coverage {
        /// The model.
        pub model_id: ModelId,
        /// Its name.
        pub model: String,
        /// The pool: pictures by their type, or `bio`.
        pub pool: String,
        /// How many items.
        pub items: i64,
        /// Those of them that were never used.
        pub unused: i64,
        /// Those that were used in the last 7 days: in UTC, since the day a week ago began.
        pub used_last_week: i64,
        /// How often they were used in all.
        pub uses: i64,
        /// How many of these uses were completed.
        pub completed: i64,
    }
}

impl Coverage {
    /// For how many days the unused last, at the rate of the last week; none when nothing was used in it.
    pub fn days_left(&self) -> Option<i64> {
        (self.unused * 7).checked_div(self.used_last_week)
    }
}

/// Which content a list shows: `model:"North Side" type:story template:no unused:yes duplicate:no`, and words that its text or its
/// picture's address hold.
#[derive(Debug, Clone, Default)]
pub struct ContentFilter {
    /// Only that of this model, by name or id.
    pub model: Option<String>,
    /// Only that of this type.
    pub content_type: Option<ContentType>,
    /// Only templates, or only others.
    pub template: Option<YesNo>,
    /// Only what was never used, or only what was.
    pub unused: Option<YesNo>,
    /// Only that of whose picture the same model has another item for the same, or only the other.
    pub duplicate: Option<YesNo>,
    /// Only that which holds this, in any case.
    pub words: Option<String>,
}

impl ContentFilter {
    /// Takes what it knows from a filter.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            model: filter.take("model"),
            content_type: filter.read("type"),
            template: filter.read("template"),
            unused: filter.read("unused"),
            duplicate: filter.read("duplicate"),
            words: filter.words(),
        };
        filter.finish()?;
        Ok(this)
    }
}
