//! The list of accounts, and the views of it that people keep.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Event, Filter, State as Lifecycle, ViewId,
    accounts::{Account, Count},
    filter::{value_of, with_value},
    imports::ImportKind,
    views::{NewView, View},
};
use serde::Deserialize;

use super::{filter::AccountFilter, views};
use crate::{
    accounts,
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor, ui},
    http::Query,
    problem::Failure,
};

/// The pages of accounts.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/accounts", get(list))
        .route("/views/new", get(new_view))
        .route("/views", post(create_view))
        .route("/views/delete", post(delete_view))
        .merge(super::page::routes())
}

/// The accounts of a page; more come when they are scrolled to.
const PAGE_ACCOUNTS: i64 = 50;

/// The columns there are beside the user name: what they are called in addresses, and on screens.
const COLUMNS: &[(&str, &str)] = &[
    ("model", "Model"),
    ("state", "State"),
    ("since", "In it for"),
    ("step", "Step"),
    ("status", "Status"),
    ("hold", "Held because"),
    ("proxy", "Proxy"),
    ("authorisation", "Authorisation"),
    ("error", "Last error"),
    ("worked", "Last worked"),
    ("email", "E-mail"),
    ("city", "City"),
    ("campus", "Campus"),
    ("niche", "Niche"),
];

/// The columns that are shown where nothing else is said.
const COLUMNS_DEFAULT: &str = "model,state,since,step,hold,proxy";

/// What can be done with many accounts at once.
const BULK: &[Event] = &[
    Event::AssignProxy,
    Event::StartWarmup,
    Event::Activate,
    Event::Flag,
    Event::ReleaseProxy,
    Event::Retire,
    Event::Restore,
];

/// The address of the list that a filter means, with these columns.
pub fn address(filter: &str, columns: &[String]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("filter", filter);
    if !columns.is_empty() {
        query.append_pair("columns", &columns.join(","));
    }
    format!("/accounts?{}", query.finish())
}

#[derive(Template)]
#[template(path = "accounts/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    columns: Vec<(&'static str, &'static str)>,
    items: Vec<Account>,
    /// None where the filter is at fault.
    count: Option<Count>,
    next: Option<String>,
    views: Vec<View>,
    faults: Faults,
}

impl ListPage {
    /// The present list in this state, or in any.
    fn in_state(&self, state: Option<&Lifecycle>) -> String {
        let filter = with_value(&self.filter, "state", state.map(|state| state.word()));
        address(&filter, &self.chosen())
    }

    fn is_in(&self, state: Option<&Lifecycle>) -> bool {
        value_of(&self.filter, "state").as_deref() == state.map(|state| state.word())
    }

    fn view_address(&self, view: &View) -> String {
        address(&view.filter, &view.columns)
    }

    /// The view that is open: one is when it has the same filter and columns.
    fn open_view(&self) -> Option<&View> {
        self.views.iter().find(|view| self.is_open(view))
    }

    fn is_open(&self, view: &View) -> bool {
        let same = view.columns == self.chosen()
            || view.columns.is_empty() && self.column_names() == COLUMNS_DEFAULT;
        view.filter == self.filter && same
    }

    /// The names of the columns, where they are not those that are shown anyhow.
    fn chosen(&self) -> Vec<String> {
        if self.column_names() == COLUMNS_DEFAULT {
            return Vec::new();
        }
        self.columns.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn column_names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(",")
    }

    fn shows(&self, column: &str) -> bool {
        self.columns.iter().any(|(name, _)| *name == column)
    }

    fn more(&self, cursor: &str) -> String {
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        format!("{}&cursor={cursor}", address(&self.filter, &self.chosen()))
    }

    fn new_view(&self) -> String {
        address(&self.filter, &self.chosen()).replacen("/accounts", "/views/new", 1)
    }

    fn bulk(&self) -> Vec<&'static Event> {
        let role = self.shell.visitor.actor.role();
        let may = |event: &&Event| role.is_some_and(|role| event.roles().contains(&role));
        BULK.iter().filter(may).collect()
    }

    fn may_forget(&self, view: &View) -> bool {
        !view.shared || views::may_share(&self.shell.visitor.actor).is_ok()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ListPageQuery {
    filter: String,
    columns: Option<String>,
    /// A ticked box of the chooser of columns is one of these.
    column: Vec<String>,
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    console::FormQuery(query): console::FormQuery<ListPageQuery>,
) -> Result<Response, Failure> {
    let asked = if query.column.is_empty() {
        query.columns.unwrap_or_else(|| COLUMNS_DEFAULT.to_owned())
    } else {
        query.column.join(",")
    };
    let columns = COLUMNS
        .iter()
        .copied()
        .filter(|(name, _)| asked.split(',').any(|c| c == *name));
    let filter = query.filter.trim().to_owned();
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let views = views::list(&mut tx, &visitor.actor).await?;
    let mut page = ListPage {
        shell: Shell::new("Accounts", visitor),
        columns: columns.collect(),
        items: Vec::new(),
        count: None,
        next: None,
        views,
        faults: Faults::none(),
        filter,
    };
    let actor = &page.shell.visitor.actor;
    let parsed = AccountFilter::accounts(&mut tx, actor, Filter::parse(&page.filter)).await;
    match parsed {
        Ok(parsed) => {
            let walk = parsed.walk();
            let found = walk
                .page(&mut tx, actor, &parsed, query.cursor.as_deref(), PAGE_ACCOUNTS)
                .await?;
            let count = accounts::count(&mut tx, actor, &parsed, false).await?;
            (page.items, page.next, page.count) = (found.items, found.next, Some(count));
            tx.commit().await?;
            console::page(&page)
        }
        Err(failure) => {
            page.faults = Faults::of(failure, &[])?;
            console::refused(&page)
        }
    }
}

#[derive(Template)]
#[template(path = "accounts/new_view.html")]
struct NewViewPage {
    shell: Shell,
    form: ViewForm,
    faults: Faults,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ViewForm {
    name: String,
    filter: String,
    columns: String,
    shared: Option<String>,
}

async fn new_view(visitor: Visitor, Query(form): Query<ViewForm>) -> Result<Response, Failure> {
    console::page(&NewViewPage {
        shell: Shell::new("Keep this view", visitor),
        form,
        faults: Faults::none(),
    })
}

async fn create_view(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<ViewForm>,
) -> Result<Response, Failure> {
    let columns = form.columns.split(',').filter(|column| !column.is_empty());
    let new = NewView {
        name: form.name.clone(),
        filter: form.filter.clone(),
        columns: columns.map(str::to_owned).collect(),
        shared: form.shared.is_some(),
    };
    let mut tx = app.db.begin(&visitor.actor).await?;
    match views::create(&mut tx, &visitor.actor, new).await {
        Ok(view) => {
            tx.commit().await?;
            let said = Said::done(format!("The view {} is kept.", view.name));
            Ok(console::go_and_say(address(&view.filter, &view.columns), &said))
        }
        Err(failure) => console::refused(&NewViewPage {
            faults: Faults::of(failure, &["/name"])?,
            shell: Shell::new("Keep this view", visitor),
            form,
        }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteForm {
    id: ViewId,
}

async fn delete_view(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<DeleteForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    views::delete(&mut tx, &visitor.actor, form.id).await?;
    tx.commit().await?;
    Ok(console::go_and_say(
        "/accounts",
        &Said::done("The view is forgotten."),
    ))
}
