//! Imports on screen: a file is given, looked at as a diff, read otherwise, mended row by row, stored, and taken back.

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, State, multipart::Field},
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Fault, ImportId, Page,
    filter::value_of,
    imports::{
        CellCorrection, CommitRows, CorrectRows, Import, ImportKind, ImportRow, ImportState, RowCorrection,
        RowVerdict,
    },
    models::Model,
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    FILE_KEPT_BYTES_MAX, FILE_ROWS_MAX,
    again::{self, Choice, asked},
    read::{AUTHORISATION_BASES, Column, Detected, Dialect, Options, SCHEMES},
    shown::{DiffRow, MendedRow, NAME_CHARS_MAX, column_name},
};
use crate::{
    app::App,
    console::{
        self, Faults, Form, Listed, Said, Shell, Visitor,
        form::{self, FileForm},
        ui::{self, Markup, Tone},
    },
    http::{Id, ListQuery, Listing, Query, encode_cursor},
    imports, models,
    problem::{Failure, Kind, Refusal},
};

/// Text that can be pasted, at most; a file can be longer.
const PASTED_BYTES_MAX: usize = 1 << 20;

/// What is chosen or written in a field of the form that has a file read again, at most.
const CHOICE_BYTES_MAX: usize = 10_000;

/// Rows of a page of the diff.
const DIFF_ROWS_MAX: u32 = 30;

/// Rows of a page that can be mended; fewer where they have much wrong with them.
const MENDED_ROWS_MAX: u32 = 15;

/// What the values, faults and fields of a page take, about: the page stays under 100 KB.
const VALUES_BYTES_MAX: usize = 36_000;

/// Columns whose mapping can be changed on screen; of a wider file, the others are read as they were.
const COLUMNS_MAPPED_MAX: usize = 24;

/// The pages of imports.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/imports", get(list))
        .merge(
            Router::new()
                .route("/imports", post(create))
                .route("/imports/{id}/read", post(read_again))
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/imports/new", get(new))
        .route("/imports/{id}", get(show))
        .route("/imports/{id}/rows", post(correct))
        .route("/imports/{id}/commit", post(commit))
        .route("/imports/{id}/undo", post(undo))
        .route("/imports/{id}/discard", post(discard))
}

/// What a kind of import is called on screens.
const fn kind_name(kind: &ImportKind) -> &'static str {
    match kind {
        ImportKind::Accounts => "Accounts",
        ImportKind::Proxies => "Proxies",
        ImportKind::Models => "Models",
        ImportKind::Content => "Content",
        ImportKind::Texts => "Texts",
    }
}

/// Where a file of this kind is imported, from a list with a filter: for the model that it names.
pub fn address(kind: ImportKind, filter: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("kind", kind.word());
    if let Some(model) = value_of(filter, "model") {
        query.append_pair("model", &model);
    }
    format!("/imports/new?{}", query.finish())
}

/// How far an import has come.
fn state(import: &Import) -> Markup {
    match import.state {
        ImportState::Reading => ui::badge(Tone::Info, "s2", "Being read"),
        ImportState::Staged => ui::badge(Tone::Warn, "eye", "To be decided"),
        ImportState::Committed => ui::badge(Tone::Good, "check", "Stored"),
        ImportState::Undone => ui::badge(Tone::Quiet, "box", "Taken back"),
        ImportState::Discarded => ui::badge(Tone::Quiet, "box", "Given up"),
        ImportState::Failed => ui::badge(Tone::Bad, "cross", "Failed"),
    }
}

/// What a verdict is called on screens.
const fn verdict_name(verdict: &RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::New => "New",
        RowVerdict::Changed => "Changed",
        RowVerdict::Same => "Same",
        RowVerdict::Rejected => "Refused",
    }
}

/// What an import is called.
fn title(import: &Import) -> String {
    let what = kind_name(&import.kind);
    match import.file_name.as_str() {
        "" => format!("{what}, import {}", import.id),
        name => format!("{what} from {}", ui::clip(name, NAME_CHARS_MAX)),
    }
}

#[derive(Template)]
#[template(path = "imports/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    imports: Vec<Import>,
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
    } = Listed::read(&app, &visitor, query, imports::list).await?;
    console::page(&ListPage {
        shell: Shell::new("Imports", visitor),
        filter,
        cursor,
        imports: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "imports/new.html")]
struct NewPage {
    shell: Shell,
    models: Vec<Model>,
    form: NewForm,
    faults: Faults,
}

impl NewPage {
    fn is_chosen(&self, kind: &ImportKind) -> bool {
        self.form.kind == Some(*kind)
    }

    async fn read(app: &App, visitor: Visitor, form: NewForm, faults: Faults) -> Result<Self, Failure> {
        let mut tx = app.db.begin_read(&visitor.actor).await?;
        let models = models::list(&mut tx, &visitor.actor, Listing::longest())
            .await?
            .items;
        tx.commit().await?;
        Ok(Self {
            shell: Shell::new("Import", visitor),
            models,
            form,
            faults,
        })
    }
}

/// What is asked before a file is read: what it holds, and the name of the model of rows that name none.
#[derive(Default)]
struct NewForm {
    kind: Option<ImportKind>,
    model: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewQuery {
    kind: Option<ImportKind>,
    /// By its name or id.
    model: Option<String>,
}

async fn new(
    State(app): State<App>,
    visitor: Visitor,
    Query(NewQuery { kind, model }): Query<NewQuery>,
) -> Result<Response, Failure> {
    let form = NewForm {
        kind,
        ..NewForm::default()
    };
    let mut page = NewPage::read(&app, visitor, form, Faults::none()).await?;
    let named = |known: &&Model| {
        model
            .as_ref()
            .is_some_and(|model| known.name == *model || known.id.to_string() == *model)
    };
    if let Some(model) = page.models.iter().find(named) {
        page.form.model.clone_from(&model.name);
    }
    console::page(&page)
}

/// A form that holds a file: its other fields come first, and the file is read while it comes.
async fn create(State(app): State<App>, visitor: Visitor, mut parts: FileForm) -> Result<Response, Failure> {
    let mut asked = NewForm::default();
    let mut pasted = None;
    while let Some(field) = parts.next().await? {
        match field.name().unwrap_or_default() {
            "kind" => asked.kind = form::text(field, PASTED_BYTES_MAX).await?.parse().ok(),
            "model" => asked.model = form::text(field, PASTED_BYTES_MAX).await?,
            "text" => {
                pasted =
                    Some(form::text(field, PASTED_BYTES_MAX).await?).filter(|text| !text.trim().is_empty())
            }
            "file" if field.file_name().is_some_and(|name| !name.is_empty()) => {
                if pasted.is_some() {
                    let fault = Fault::new(
                        "/text",
                        "file_or_text",
                        "give a file, or paste its text, and not both",
                    );
                    return refused(&app, visitor, asked, vec![fault]).await;
                }
                let name = field.file_name().unwrap_or_default().to_owned();
                return begin(&app, visitor, asked, name, Given::File(Box::new(field))).await;
            }
            "file" => {}
            _ => return Err(form::not_this_form()),
        }
    }
    match pasted {
        Some(text) => begin(&app, visitor, asked, "pasted text".to_owned(), Given::Text(text)).await,
        None => {
            let fault = Fault::new("/file", "missing", "choose a file, or paste its text below");
            refused(&app, visitor, asked, vec![fault]).await
        }
    }
}

/// Where the text of an import comes from.
enum Given<'a> {
    File(Box<Field<'a>>),
    Text(String),
}

async fn begin(
    app: &App,
    visitor: Visitor,
    form: NewForm,
    name: String,
    from: Given<'_>,
) -> Result<Response, Failure> {
    let Some(kind) = form.kind else {
        let fault = Fault::new("/kind", "missing", "choose what the file holds");
        return refused(app, visitor, form, vec![fault]).await;
    };
    let model = Some(form.model.clone()).filter(|model| !model.is_empty() && kind != ImportKind::Models);
    let options = Options {
        default_model: model,
        ..Options::default()
    };
    let id = match imports::begin(app, &visitor.actor, kind, &name, &options).await {
        Ok(id) => id,
        Err(failure) => {
            let faults = Faults::of(failure, &[])?;
            return console::refused(&NewPage::read(app, visitor, form, faults).await?);
        }
    };
    let read = match from {
        Given::Text(text) => {
            let source = std::io::Cursor::new(text.into_bytes());
            imports::stage(app, &visitor.actor, kind, id, options, source).await
        }
        Given::File(field) => {
            let (source, carrying) = form::carried(*field);
            let staging = imports::stage(app, &visitor.actor, kind, id, options, source);
            tokio::join!(staging, carrying).0
        }
    };
    match read {
        Ok(_) => Ok(console::go(format!("/imports/{id}"))),
        // The import says itself what is wrong with its file.
        Err(failure) if failure.refusal().is_some() => Ok(console::go(format!("/imports/{id}"))),
        Err(failure) => Err(failure),
    }
}

async fn refused(
    app: &App,
    visitor: Visitor,
    form: NewForm,
    faults: Vec<Fault>,
) -> Result<Response, Failure> {
    let faults = Faults::of(Refusal::invalid(faults).into(), &["/kind", "/file", "/text"])?;
    console::refused(&NewPage::read(app, visitor, form, faults).await?)
}

#[derive(Template)]
#[template(path = "imports/show.html")]
struct ShowPage {
    shell: Shell,
    import: Import,
    detected: Option<Detected>,
    options: Options,
    models: Vec<Model>,
    verdict: RowVerdict,
    cursor: String,
    diff: Vec<DiffRow>,
    mended: Vec<MendedRow>,
    next: Option<String>,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    rows: Option<RowVerdict>,
    cursor: Option<String>,
}

impl ShowPage {
    async fn read(
        app: &App,
        visitor: Visitor,
        id: ImportId,
        query: ShowQuery,
        faults: Faults,
    ) -> Result<Self, Failure> {
        let actor = &visitor.actor;
        let mut tx = app.db.begin_read(actor).await?;
        let import = imports::show(&mut tx, actor, id).await?;
        let options = imports::options(&mut tx, actor, id).await?;
        let models = models::list(&mut tx, actor, Listing::longest()).await?.items;
        let verdict = query.rows.unwrap_or(if import.rejected_rows > 0 {
            RowVerdict::Rejected
        } else if import.changed_rows > 0 {
            RowVerdict::Changed
        } else {
            RowVerdict::New
        });
        let cursor = query.cursor.clone().unwrap_or_default();
        let limit = if verdict == RowVerdict::Rejected {
            MENDED_ROWS_MAX
        } else {
            DIFF_ROWS_MAX
        };
        let listing = ListQuery {
            filter: Some(format!("verdict:{verdict}")),
            cursor: query.cursor,
            limit: Some(limit),
        };
        let page: Page<ImportRow> = imports::rows(&mut tx, actor, &app.keys, id, listing.read()?).await?;
        tx.commit().await?;
        let detected: Option<Detected> = serde_json::from_value(import.detected.clone()).ok();
        let mut shown = Self {
            shell: Shell::new(title(&import), visitor),
            import,
            detected,
            options,
            models,
            verdict,
            cursor,
            diff: Vec::new(),
            mended: Vec::new(),
            next: page.next,
            faults,
        };
        let mut left = VALUES_BYTES_MAX;
        match &shown.detected {
            Some(detected) if verdict == RowVerdict::Rejected => {
                for row in &page.items {
                    let mended = MendedRow::read(row, detected);
                    let bytes = mended.bytes();
                    if let (true, Some(last)) = (bytes > left, shown.mended.last()) {
                        shown.next = Some(encode_cursor(last.line));
                        break;
                    }
                    left = left.saturating_sub(bytes);
                    shown.mended.push(mended);
                }
            }
            _ => {
                shown.diff = page
                    .items
                    .iter()
                    .map(|row| DiffRow::read(row, &mut left))
                    .collect()
            }
        }
        Ok(shown)
    }

    fn undecided(&self) -> bool {
        matches!(self.import.state, ImportState::Staged | ImportState::Failed)
    }

    /// How a whole row is written.
    fn row_hint(&self) -> String {
        let Some(detected) = &self.detected else {
            return String::new();
        };
        match detected.dialect {
            Dialect::ProxyLines => {
                "As host:port, host:port:user:password or http://user:password@host:port.".to_owned()
            }
            Dialect::WebshareJson => "As an object of the list, in braces.".to_owned(),
            _ => {
                let delimiter = detected.delimiter.unwrap_or(',').to_string();
                let names: Vec<String> = detected
                    .columns
                    .iter()
                    .take(COLUMNS_MAPPED_MAX)
                    .map(column_name)
                    .collect();
                format!("In the order of the columns: {}", names.join(&delimiter))
            }
        }
    }

    /// Rows that would be stored.
    fn good(&self) -> i64 {
        self.import.new_rows + self.import.changed_rows
    }

    fn rows(&self) -> [(RowVerdict, i64); 4] {
        let import = &self.import;
        [
            (RowVerdict::Rejected, import.rejected_rows),
            (RowVerdict::New, import.new_rows),
            (RowVerdict::Changed, import.changed_rows),
            (RowVerdict::Same, import.same_rows),
        ]
    }

    /// What is to be known of the file, each with how often and where.
    fn notes(&self) -> Vec<String> {
        let notes = self.import.notes.as_array();
        let said = |note: &Value| {
            let message = ui::clip(note["message"].as_str().unwrap_or_default(), 600);
            match (note["number"].as_u64(), note["count"].as_u64()) {
                (Some(line), Some(count)) if count > 1 => {
                    format!("{message} ({count} times, first on line {line})")
                }
                (Some(line), _) => format!("{message} (line {line})"),
                _ => message,
            }
        };
        notes.into_iter().flatten().map(said).collect()
    }

    /// The columns that can be read into other fields.
    fn mapped(&self) -> &[Column] {
        let Some(detected) = &self.detected else {
            return &[];
        };
        if matches!(
            detected.dialect,
            Dialect::Bitwarden | Dialect::Dashlane | Dialect::Lastpass
        ) {
            return &[];
        }
        &detected.columns[..detected.columns.len().min(COLUMNS_MAPPED_MAX)]
    }

    /// The fields a column can be read into.
    fn fields(&self) -> Vec<&'static str> {
        let kind = super::shape::kind(self.import.kind);
        kind.columns()
            .filter(|field| *field != "lifecycle_state")
            .collect()
    }

    /// What rows of proxies without a cost get.
    fn cost(&self) -> String {
        self.options
            .monthly_cost
            .map(|cost| cost.to_string())
            .unwrap_or_default()
    }

    fn has(&self, field: &str) -> bool {
        self.fields().contains(&field)
    }

    fn choices(&self) -> Vec<Choice> {
        again::choices(self.detected.as_ref(), self.has("birthday"))
    }
}

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ImportId>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, Failure> {
    console::page(&ShowPage::read(&app, visitor, id, query, Faults::none()).await?)
}

/// The page again, with why something was not done.
async fn not_done(app: &App, visitor: Visitor, id: ImportId, failure: Failure) -> Result<Response, Failure> {
    let faults = Faults::of(failure, &[])?;
    let query = ShowQuery {
        rows: None,
        cursor: None,
    };
    console::refused(&ShowPage::read(app, visitor, id, query, faults).await?)
}

/// The choices come first; then the file, where it was too long to be kept.
async fn read_again(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ImportId>,
    mut parts: FileForm,
) -> Result<Response, Failure> {
    let mut form = Vec::new();
    while let Some(field) = parts.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            form.push((name, form::text(field, CHOICE_BYTES_MAX).await?));
        } else if field.file_name().is_some_and(|name| !name.is_empty()) {
            return read_otherwise(&app, visitor, id, &form, Some(field)).await;
        }
    }
    read_otherwise(&app, visitor, id, &form, None).await
}

async fn read_otherwise(
    app: &App,
    visitor: Visitor,
    id: ImportId,
    form: &[(String, String)],
    sent: Option<Field<'_>>,
) -> Result<Response, Failure> {
    let actor = &visitor.actor;
    let mut tx = app.db.begin_read(actor).await?;
    let import = imports::show(&mut tx, actor, id).await?;
    let before = imports::options(&mut tx, actor, id).await?;
    tx.commit().await?;
    let detected: Option<Detected> = serde_json::from_value(import.detected).ok();
    let options = match asked(form, before, detected.as_ref()) {
        Ok(options) => options,
        Err(failure) => return not_done(app, visitor, id, failure).await,
    };
    let read = match sent {
        Some(file) => {
            let (source, carrying) = form::carried(file);
            let reading = imports::read_sent_again(app, actor, id, options, source);
            tokio::join!(reading, carrying).0
        }
        None => imports::read_again(app, actor, id, options).await,
    };
    match read {
        Ok(_) => Ok(console::go_and_say(
            format!("/imports/{id}"),
            &Said::done("The file was read again."),
        )),
        // A file that was refused again says so itself, where it is shown.
        Err(failure) if failure.refusal().is_some_and(|r| r.kind != Kind::Conflict) => {
            Ok(console::go(format!("/imports/{id}")))
        }
        Err(failure) => not_done(app, visitor, id, failure).await,
    }
}

/// The corrections that a form sends: `LINE.row` has a row checked, `LINE.cell.COLUMN` and `LINE.kept.COLUMN` say what a cell is
/// to say, of which the latter stays when nothing was written, and `LINE.text` what the whole row is to say.
async fn correct(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ImportId>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let mut rows: Vec<RowCorrection> = Vec::new();
    for (name, value) in form {
        let mut parts = name.splitn(3, '.');
        let (line, what, column) = (parts.next(), parts.next(), parts.next());
        let line = line
            .and_then(|line| line.parse().ok())
            .ok_or_else(form::not_this_form)?;
        if rows.last().is_none_or(|row| row.line != line) {
            rows.push(RowCorrection {
                line,
                cells: Vec::new(),
                text: None,
            });
        }
        let row = rows.last_mut().ok_or_else(form::not_this_form)?;
        // A form sends the ends of lines as two characters.
        let value = value.replace("\r\n", "\n");
        match (what, column) {
            (Some("row"), None) => {}
            (Some("text"), None) if value.trim().is_empty() => {}
            (Some("text"), None) => row.text = Some(value.as_str().into()),
            (Some("kept"), Some(_)) if value.is_empty() => {}
            (Some("kept" | "cell"), Some(column)) => row.cells.push(CellCorrection {
                column: column.parse().map_err(|_| form::not_this_form())?,
                text: (!value.is_empty()).then(|| value.as_str().into()),
            }),
            _ => return Err(form::not_this_form()),
        }
    }
    let checked = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let before = {
        let mut tx = app.db.begin_read(&visitor.actor).await?;
        imports::show(&mut tx, &visitor.actor, id).await?.rejected_rows
    };
    match imports::correct(&app, &visitor.actor, id, CorrectRows { rows }).await {
        Ok(import) => {
            let good = before - import.rejected_rows;
            let said = format!(
                "{} checked: {} good now, {} still refused.",
                ui::count(checked, "row was", "rows were"),
                ui::number(good),
                ui::number(import.rejected_rows)
            );
            Ok(console::go_and_say(format!("/imports/{id}"), &Said::done(said)))
        }
        Err(failure) => not_done(&app, visitor, id, failure).await,
    }
}

async fn commit(State(app): State<App>, visitor: Visitor, Id(id): Id<ImportId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match imports::commit(&mut tx, &visitor.actor, id, CommitRows::Good).await {
        Ok(import) => {
            tx.commit().await?;
            let stored = import.new_rows + import.changed_rows;
            let said = Said::done(format!("{} stored.", ui::count(stored, "row is", "rows are")));
            Ok(console::go_and_say(format!("/imports/{id}"), &said))
        }
        Err(failure) => {
            drop(tx);
            not_done(&app, visitor, id, failure).await
        }
    }
}

async fn undo(State(app): State<App>, visitor: Visitor, Id(id): Id<ImportId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match imports::undo(&mut tx, &visitor.actor, id).await {
        Ok(undone) => {
            tx.commit().await?;
            let said = format!(
                "Taken back: {} removed, {} as before again, {} left, because they were used or changed since.",
                ui::number(undone.removed),
                ui::number(undone.restored),
                ui::number(undone.kept)
            );
            Ok(console::go_and_say(format!("/imports/{id}"), &Said::done(said)))
        }
        Err(failure) => {
            drop(tx);
            not_done(&app, visitor, id, failure).await
        }
    }
}

async fn discard(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ImportId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match imports::discard(&mut tx, &visitor.actor, id).await {
        Ok(_) => {
            tx.commit().await?;
            let said = Said::done("The import is given up: nothing of its file is stored.");
            Ok(console::go_and_say("/imports", &said))
        }
        Err(failure) => {
            drop(tx);
            not_done(&app, visitor, id, failure).await
        }
    }
}
