//! Content on screen: how long what each model has lasts, and its pictures.

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    ContentId, Fault, ModelId,
    content::{Content, ContentChange, ContentType, Coverage, NewContent, PICTURE_BYTES_MAX, kept_picture},
    imports::ImportKind,
    models::Model,
};
use serde::Deserialize;

use super::api::covered;
use crate::{
    app::App,
    console::{
        self, Faults, Form, Listed, Said, Shell, Visitor,
        form::{self, FileForm},
        ui::{self, Markup, Tone},
    },
    content,
    db::Tx,
    http::{BODY_BYTES_MAX, Id, IfMatch, ListQuery, Listing, Query},
    models,
    problem::{Failure, Refusal},
};

/// The pictures of one page: with the longest addresses they are less than 100 KB.
const PICTURES_MAX: u32 = 24;

/// Days for which what is left is enough to let somebody sleep.
const DAYS_CALM: i64 = 14;

/// The pages of content.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/content", get(coverage))
        .route("/content/pictures", get(list).post(create))
        .merge(
            Router::new()
                .route("/content/pictures/upload", post(upload))
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/content/pictures/new", get(new))
        .route("/content/pictures/{id}", get(show).post(change))
        .route("/content/pictures/{id}/delete", post(delete))
}

/// Characters that are shown of the name of a file.
const NAME_CHARS_MAX: usize = 60;

/// Pictures of one form, at most.
const UPLOADED_MAX: usize = 12;

/// The models whose pools are on a page.
const MODELS_SHOWN: u32 = 25;

/// What a pool is called on screens.
fn pool_name(pool: &str) -> &str {
    match pool {
        "pfp" => "Profile pictures",
        "bio" => "Biographies",
        "highlight" => "Highlights",
        "story" => "Stories",
        "post" => "Posts",
        "any" => "Any step with a picture",
        other => other,
    }
}

/// How long a pool lasts.
fn lasts(coverage: &Coverage) -> Markup {
    match (coverage.items, coverage.unused, coverage.days_left()) {
        (0, ..) => ui::badge(Tone::Bad, "alert", "Empty"),
        (_, 0, _) => ui::badge(Tone::Warn, "clock", "All used before"),
        (_, _, Some(days)) if days < DAYS_CALM => ui::badge(Tone::Warn, "clock", "Running out"),
        _ => ui::badge(Tone::Good, "check", "Enough"),
    }
}

#[derive(Template)]
#[template(path = "content/coverage.html")]
struct CoveragePage {
    shell: Shell,
    filter: String,
    cursor: String,
    coverage: Vec<Coverage>,
    next: Option<String>,
    faults: Faults,
}

impl CoveragePage {
    /// Where the items of a pool are listed.
    fn list(&self, coverage: &Coverage) -> String {
        let list = if coverage.pool == "bio" {
            "texts"
        } else {
            "pictures"
        };
        format!(
            "/content/{list}?filter=model%3A{}+type%3A{}",
            coverage.model_id, coverage.pool
        )
    }

    /// How many of a hundred uses were completed.
    fn success(&self, coverage: &Coverage) -> Option<i64> {
        (coverage.completed * 100).checked_div(coverage.uses)
    }
}

async fn coverage(
    State(app): State<App>,
    visitor: Visitor,
    Query(mut query): Query<ListQuery>,
) -> Result<Response, Failure> {
    query.limit = Some(MODELS_SHOWN);
    let filter = query.filter.clone().unwrap_or_default();
    let cursor = query.cursor.clone().unwrap_or_default();
    let (page, faults) = Faults::of_list(covered(&app, &visitor.actor, query).await)?;
    console::page(&CoveragePage {
        shell: Shell::new("Content", visitor),
        filter,
        cursor,
        coverage: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "content/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    pictures: Vec<Content>,
    next: Option<String>,
    faults: Faults,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(mut query): Query<ListQuery>,
) -> Result<Response, Failure> {
    query.limit = Some(PICTURES_MAX);
    let Listed {
        filter,
        cursor,
        page,
        faults,
    } = Listed::read(&app, &visitor, query, content::list).await?;
    console::page(&ListPage {
        shell: Shell::new("Content", visitor),
        filter,
        cursor,
        pictures: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "content/edit.html")]
struct PicturePage {
    shell: Shell,
    /// None where it is to be made.
    picture: Option<Content>,
    models: Vec<Model>,
    form: PictureForm,
    faults: Faults,
    /// What is wrong with pictures that were uploaded.
    upload_faults: Faults,
}

impl PicturePage {
    async fn read(
        tx: &mut Tx,
        visitor: Visitor,
        picture: Option<Content>,
        form: PictureForm,
        faults: Faults,
    ) -> Result<Self, Failure> {
        let title = match &picture {
            Some(picture) => format!("Picture {}", picture.id),
            None => "New picture".to_owned(),
        };
        Ok(Self {
            models: models::list(tx, &visitor.actor, Listing::longest()).await?.items,
            shell: Shell::new(title, visitor),
            picture,
            form,
            faults,
            upload_faults: Faults::none(),
        })
    }

    fn action(&self) -> String {
        match &self.picture {
            Some(picture) => format!("/content/pictures/{}", picture.id),
            None => "/content/pictures".to_owned(),
        }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PictureForm {
    model: String,
    kind: String,
    image: String,
    text: String,
    template: Option<String>,
    priority: String,
    /// What was shown when the form was: changed since, it is refused.
    version: Option<i64>,
}

const FIELDS: &[&str] = &["/model", "/kind", "/image", "/text", "/priority"];

const UPLOAD_FIELDS: &[&str] = &["/model", "/kind", "/text", "/pictures"];

const RENAMED: &[(&str, &str)] = &[
    ("/model_id", "/model"),
    ("/image_url", "/image"),
    ("/text_content", "/text"),
];

impl PictureForm {
    fn of(picture: &Content) -> Self {
        Self {
            model: picture.model_id.to_string(),
            kind: picture.content_type.to_string(),
            image: picture.image_url.clone(),
            text: picture.text_content.clone().unwrap_or_default(),
            template: picture.is_template.then(|| "yes".to_owned()),
            priority: picture.order_priority.to_string(),
            version: Some(picture.version),
        }
    }

    /// As [`PictureForm::read`], where the picture comes beside the form.
    fn read_but_picture(&self) -> Result<NewContent, Failure> {
        let shown = Self {
            image: "https://example.com/".to_owned(),
            ..self.clone()
        };
        shown.read()
    }

    fn read(&self) -> Result<NewContent, Failure> {
        let mut faults = Vec::new();
        let model = self.model.parse().unwrap_or_else(|_| {
            faults.push(Fault::new("/model", "unknown_model", "choose a model"));
            0
        });
        let content_type = self.kind.parse().unwrap_or_else(|_| {
            faults.push(Fault::new("/kind", "unknown", "choose what it is for"));
            ContentType::Any
        });
        let order_priority = self.priority.trim().parse().unwrap_or_else(|_| {
            faults.push(Fault::new(
                "/priority",
                "type",
                "this is a whole number; 0 is as good as any",
            ));
            0
        });
        let new = NewContent {
            model_id: ModelId(model),
            content_type,
            image_url: self.image.trim().to_owned(),
            text_content: Some(self.text.clone()).filter(|text| !text.is_empty()),
            is_template: self.template.is_some(),
            order_priority,
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
    let form = PictureForm {
        model: model.map_or(String::new(), |id| id.to_string()),
        priority: "0".to_owned(),
        ..PictureForm::default()
    };
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let page = PicturePage::read(&mut tx, visitor, None, form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<PictureForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let made = match form.read() {
        Ok(asked) => content::create(&mut tx, &visitor.actor, asked).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(picture) => {
            tx.commit().await?;
            let said = Said::done(format!("{} has one picture more.", picture.model));
            Ok(console::go_and_say("/content/pictures", &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, None, form, failure).await
        }
    }
}

/// Pictures, and before them what they are to be. All of them are made, or none.
async fn upload(State(app): State<App>, visitor: Visitor, mut parts: FileForm) -> Result<Response, Failure> {
    let mut asked = PictureForm {
        priority: "0".to_owned(),
        ..PictureForm::default()
    };
    let (mut pictures, mut names) = (Vec::new(), Vec::new());
    while let Some(field) = parts.next().await? {
        match field.name().unwrap_or_default() {
            "model" => asked.model = form::text(field, BODY_BYTES_MAX).await?,
            "kind" => asked.kind = form::text(field, BODY_BYTES_MAX).await?,
            "text" => asked.text = form::text(field, BODY_BYTES_MAX).await?,
            "template" => asked.template = Some(form::text(field, BODY_BYTES_MAX).await?),
            "pictures" if field.file_name().is_some_and(|name| !name.is_empty()) => {
                names.push(ui::clip(field.file_name().unwrap_or_default(), NAME_CHARS_MAX));
                if pictures.len() < UPLOADED_MAX {
                    pictures.push((
                        format!("/pictures/{}", pictures.len()),
                        form::beginning(field, PICTURE_BYTES_MAX).await?,
                    ));
                }
            }
            "pictures" => {}
            _ => return Err(form::not_this_form()),
        }
    }
    let mut tx = app.db.begin(&visitor.actor).await?;
    let made = match (names.len(), asked.read_but_picture()) {
        (0, _) => Err(wrong("choose one picture, or several")),
        (UPLOADED_MAX.., _) if names.len() > UPLOADED_MAX => Err(wrong(&format!(
            "at most {UPLOADED_MAX} pictures go at once: send the others after these"
        ))),
        (_, Ok(new)) => content::upload(&mut tx, &visitor.actor, &new, &pictures).await,
        (_, Err(failure)) => Err(failure),
    };
    match made {
        Ok(made) => {
            tx.commit().await?;
            let said = match made.first() {
                Some(first) => format!(
                    "{} has {} more.",
                    first.model,
                    ui::count(made.len() as i64, "picture", "pictures")
                ),
                None => String::new(),
            };
            Ok(console::go_and_say("/content/pictures", &Said::done(said)))
        }
        Err(failure) => {
            drop(tx);
            let mut faults = Faults::of(failure, UPLOAD_FIELDS)?;
            faults.rename(&[("/model_id", "/model"), ("/text_content", "/text")]);
            faults.gather("/pictures/", "/pictures", |at| {
                names.get(at).cloned().unwrap_or_default()
            });
            let mut tx = app.db.begin_read(&visitor.actor).await?;
            let mut page = PicturePage::read(&mut tx, visitor, None, asked, Faults::none()).await?;
            tx.commit().await?;
            page.upload_faults = faults;
            console::refused(&page)
        }
    }
}

fn wrong(detail: &str) -> Failure {
    Refusal::invalid(vec![Fault::new("/pictures", "pictures", detail)]).into()
}

/// The form again, with what is wrong with it. What failed may have broken its transaction: this is another one.
async fn refused(
    app: &App,
    visitor: Visitor,
    id: Option<ContentId>,
    mut form: PictureForm,
    failure: Failure,
) -> Result<Response, Failure> {
    let mut faults = Faults::of(failure, FIELDS)?;
    faults.rename(RENAMED);
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let picture = match id {
        Some(id) => Some(content::get(&mut tx, &visitor.actor, id).await?),
        None => None,
    };
    form.version = picture.as_ref().map(|picture| picture.version);
    let page = PicturePage::read(&mut tx, visitor, picture, form, faults).await?;
    tx.commit().await?;
    console::refused(&page)
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<ContentId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let picture = content::get(&mut tx, &visitor.actor, id).await?;
    let form = PictureForm::of(&picture);
    let page = PicturePage::read(&mut tx, visitor, Some(picture), form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ContentId>,
    Form(form): Form<PictureForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let changed = match form.read() {
        Ok(asked) => {
            let change = ContentChange {
                model_id: Some(asked.model_id),
                content_type: Some(asked.content_type),
                image_url: Some(asked.image_url),
                text_content: Some(asked.text_content),
                is_template: Some(asked.is_template),
                order_priority: Some(asked.order_priority),
            };
            content::change(&mut tx, &visitor.actor, id, IfMatch(form.version), change).await
        }
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(_) => {
            tx.commit().await?;
            let said = Said::done("The picture is changed.");
            Ok(console::go_and_say(format!("/content/pictures/{id}"), &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, Some(id), form, failure).await
        }
    }
}

async fn delete(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ContentId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let picture = content::get(&mut tx, &visitor.actor, id).await?;
    content::delete(&mut tx, &visitor.actor, id, IfMatch(None)).await?;
    tx.commit().await?;
    let said = Said::done(if kept_picture(&picture.image_url).is_some() {
        "The picture is deleted. A step that was handed out with it is shown it only while another item shows it."
    } else {
        "The picture is deleted. Whoever was given it under a lease still has it."
    });
    Ok(console::go_and_say("/content/pictures", &said))
}
