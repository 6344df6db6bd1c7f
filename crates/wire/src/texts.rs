//! Texts: the biographies and captions that a model's accounts publish.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::{Fault, Filter, ModelId, TextId, check, content::TEXT_CHARS_MAX, filter::YesNo, patch};

crate::words! {
    /// What a text is for.
    pub enum TextType {
        /// Biographies.
        Bio = "bio",
        /// Posts.
        Post = "post",
        /// Stories.
        Story = "story",
        /// Highlights.
        Highlight = "highlight",
    }
}

crate::wire! {
    /// A text.
    pub struct Text {
        /// Its id.
        pub id: TextId,
        /// The model that it belongs to.
        pub model_id: ModelId,
        /// That model's name.
        pub model: String,
        /// What it is for.
        pub content_type: TextType,
        /// The text.
        pub text_content: String,
        /// Whether the text has variables, to be filled in for each account.
        pub is_template: bool,
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
    /// A text that is to be made.
    #[serde(deny_unknown_fields)]
    pub struct NewText {
        /// The model that it belongs to.
        pub model_id: ModelId,
        /// What it is for.
        pub content_type: TextType,
        /// The text.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 10000))]
        pub text_content: String,
        /// Whether the text has variables, to be filled in for each account.
        #[serde(default)]
        pub is_template: bool,
    }
}

crate::wire! {
    /// A change of a text: what is absent stays as it is.
    #[derive(Default)]
    #[serde(deny_unknown_fields)]
    pub struct TextChange {
        /// The model that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub model_id: Option<ModelId>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub content_type: Option<TextType>,
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 10000, nullable = false))]
        pub text_content: Option<String>,
        /// Whether the text has variables, to be filled in for each account.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        pub is_template: Option<bool>,
    }
}

impl NewText {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        faults(Some(&self.text_content))
    }
}

impl TextChange {
    /// Everything wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        faults(self.text_content.as_deref())
    }
}

fn faults(text_content: Option<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(text) = text_content {
        check::text(&mut faults, "/text_content", text, 1..=TEXT_CHARS_MAX);
    }
    faults
}

/// Which texts a list shows: `model:"North Side" type:bio template:no unused:yes duplicate:no`, and words that they hold.
#[derive(Debug, Clone, Default)]
pub struct TextFilter {
    /// Only those of this model, by name or id.
    pub model: Option<String>,
    /// Only those of this type.
    pub content_type: Option<TextType>,
    /// Only templates, or only others.
    pub template: Option<YesNo>,
    /// Only those never used, or only the others.
    pub unused: Option<YesNo>,
    /// Only those of which the same model has another one for the same, or only the others.
    pub duplicate: Option<YesNo>,
    /// Only those that hold this, in any case.
    pub words: Option<String>,
}

impl TextFilter {
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
