//! Texts on screen: what models have, what was used and how it went, and what becomes of a template.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Fault, ModelId, TextId,
    imports::ImportKind,
    models::Model,
    texts::{NewText, Text, TextChange, TextType},
};
use serde::Deserialize;

use crate::{
    app::App,
    console::{
        self, Faults, Form, Listed, Said, Shell, Visitor,
        ui::{self, Tone},
    },
    db::Tx,
    http::{Id, IfMatch, ListQuery, Listing, Query},
    models,
    problem::{Failure, Refusal},
    texts,
};

/// The pages of texts.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/content/texts", get(list).post(create))
        .route("/content/texts/new", get(new))
        .route("/content/texts/{id}", get(show).post(change))
        .route("/content/texts/{id}/delete", post(delete))
}

/// What a type of text is called on screens.
const fn kind_name(kind: &TextType) -> &'static str {
    match kind {
        TextType::Bio => "Biography",
        TextType::Post => "Post",
        TextType::Story => "Story",
        TextType::Highlight => "Highlight",
    }
}

#[derive(Template)]
#[template(path = "texts/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    texts: Vec<Text>,
    next: Option<String>,
    faults: Faults,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let Listed {
        filter,
        cursor,
        page,
        faults,
    } = Listed::read(&app, &visitor, query, texts::list).await?;
    console::page(&ListPage {
        shell: Shell::new("Content", visitor),
        filter,
        cursor,
        texts: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "texts/edit.html")]
struct TextPage {
    shell: Shell,
    /// None where it is to be made.
    text: Option<Text>,
    models: Vec<Model>,
    form: TextForm,
    /// What an account would publish, and which account.
    preview: Option<(String, String)>,
    faults: Faults,
}

impl TextPage {
    async fn read(
        tx: &mut Tx,
        visitor: Visitor,
        text: Option<Text>,
        form: TextForm,
        faults: Faults,
    ) -> Result<Self, Failure> {
        let models = models::list(tx, &visitor.actor, Listing::longest()).await?.items;
        let model = form.model.parse().ok().map(ModelId);
        let known = model.filter(|id| models.iter().any(|model| model.id == *id));
        let preview = match known.or(models.first().map(|model| model.id)) {
            Some(model) if form.template.is_some() => {
                Some(texts::preview(tx, &visitor.actor, model, &form.text).await?)
            }
            _ => None,
        };
        let title = match &text {
            Some(text) => format!("Text {}", text.id),
            None => "New text".to_owned(),
        };
        Ok(Self {
            shell: Shell::new(title, visitor),
            text,
            models,
            form,
            preview,
            faults,
        })
    }

    fn action(&self) -> String {
        match &self.text {
            Some(text) => format!("/content/texts/{}", text.id),
            None => "/content/texts".to_owned(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextForm {
    model: String,
    kind: String,
    text: String,
    template: Option<String>,
    /// What was shown when the form was: changed since, it is refused.
    version: Option<i64>,
    /// Only shows what would become of it.
    preview: Option<String>,
}

const FIELDS: &[&str] = &["/model", "/kind", "/text"];

const RENAMED: &[(&str, &str)] = &[("/model_id", "/model"), ("/text_content", "/text")];

impl TextForm {
    fn read(&self) -> Result<NewText, Failure> {
        let mut faults = Vec::new();
        let model = self.model.parse().unwrap_or_else(|_| {
            faults.push(Fault::new("/model", "unknown_model", "choose a model"));
            0
        });
        let content_type = self.kind.parse().unwrap_or_else(|_| {
            faults.push(Fault::new("/kind", "unknown", "choose what it is for"));
            TextType::Bio
        });
        let new = NewText {
            model_id: ModelId(model),
            content_type,
            // A form sends the ends of lines as two characters.
            text_content: self.text.replace("\r\n", "\n"),
            is_template: self.template.is_some(),
        };
        if faults.is_empty() {
            return Ok(new);
        }
        faults.extend(new.faults());
        Err(Refusal::invalid(faults).into())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewQuery {
    model: Option<ModelId>,
}

async fn new(
    State(app): State<App>,
    visitor: Visitor,
    Query(NewQuery { model }): Query<NewQuery>,
) -> Result<Response, Failure> {
    let form = TextForm {
        model: model.map_or(String::new(), |id| id.to_string()),
        ..TextForm::default()
    };
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let page = TextPage::read(&mut tx, visitor, None, form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<TextForm>,
) -> Result<Response, Failure> {
    if form.preview.is_some() {
        return previewed(&app, visitor, None, form).await;
    }
    let mut tx = app.db.begin(&visitor.actor).await?;
    let made = match form.read() {
        Ok(asked) => texts::create(&mut tx, &visitor.actor, asked).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(text) => {
            tx.commit().await?;
            let said = Said::done(format!("{} has one text more.", text.model));
            Ok(console::go_and_say("/content/texts", &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, None, form, failure).await
        }
    }
}

async fn previewed(
    app: &App,
    visitor: Visitor,
    id: Option<TextId>,
    form: TextForm,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let text = match id {
        Some(id) => Some(texts::get(&mut tx, &visitor.actor, id).await?),
        None => None,
    };
    let page = TextPage::read(&mut tx, visitor, text, form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

/// The form again, with what is wrong with it. What failed may have broken its transaction: this is another one.
async fn refused(
    app: &App,
    visitor: Visitor,
    id: Option<TextId>,
    mut form: TextForm,
    failure: Failure,
) -> Result<Response, Failure> {
    let mut faults = Faults::of(failure, FIELDS)?;
    faults.rename(RENAMED);
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let text = match id {
        Some(id) => Some(texts::get(&mut tx, &visitor.actor, id).await?),
        None => None,
    };
    form.version = text.as_ref().map(|text| text.version);
    let page = TextPage::read(&mut tx, visitor, text, form, faults).await?;
    tx.commit().await?;
    console::refused(&page)
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<TextId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let text = texts::get(&mut tx, &visitor.actor, id).await?;
    let form = TextForm {
        model: text.model_id.to_string(),
        kind: text.content_type.to_string(),
        text: text.text_content.clone(),
        template: text.is_template.then(|| "yes".to_owned()),
        version: Some(text.version),
        preview: None,
    };
    let page = TextPage::read(&mut tx, visitor, Some(text), form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<TextId>,
    Form(form): Form<TextForm>,
) -> Result<Response, Failure> {
    if form.preview.is_some() {
        return previewed(&app, visitor, Some(id), form).await;
    }
    let mut tx = app.db.begin(&visitor.actor).await?;
    let changed = match form.read() {
        Ok(asked) => {
            let change = TextChange {
                model_id: Some(asked.model_id),
                content_type: Some(asked.content_type),
                text_content: Some(asked.text_content),
                is_template: Some(asked.is_template),
            };
            texts::change(&mut tx, &visitor.actor, id, IfMatch(form.version), change).await
        }
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(_) => {
            tx.commit().await?;
            let said = Said::done("The text is changed.");
            Ok(console::go_and_say(format!("/content/texts/{id}"), &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, Some(id), form, failure).await
        }
    }
}

async fn delete(State(app): State<App>, visitor: Visitor, Id(id): Id<TextId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    texts::delete(&mut tx, &visitor.actor, id, IfMatch(None)).await?;
    tx.commit().await?;
    let said = Said::done("The text is deleted. Whoever was given it under a lease still has it.");
    Ok(console::go_and_say("/content/texts", &said))
}
