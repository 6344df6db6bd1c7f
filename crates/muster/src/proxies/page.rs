//! The form of a proxy: to add one, and to change one. Its password goes in and never comes out.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Fault, ModelId, ProxyId, Secret,
    models::Model,
    proxies::{NewProxy, PROXY_ACCOUNTS_MAX, Proxy, ProxyChange, Scheme},
};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor},
    http::{Id, IfMatch, Listing},
    models,
    problem::{Failure, Refusal},
};

/// The pages of the form.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/proxies", post(create))
        .route("/proxies/new", get(new))
        .route("/proxies/{id}/edit", get(edit).post(change))
}

#[derive(Template)]
#[template(path = "proxies/edit.html")]
struct EditPage {
    shell: Shell,
    /// None where it is to be made.
    proxy: Option<Proxy>,
    models: Vec<Model>,
    form: ProxyForm,
    faults: Faults,
}

impl EditPage {
    async fn read(
        app: &App,
        visitor: Visitor,
        id: Option<ProxyId>,
        form: Option<ProxyForm>,
        faults: Faults,
    ) -> Result<Self, Failure> {
        let mut tx = app.db.begin_read(&visitor.actor).await?;
        let proxy = match id {
            Some(id) => Some(super::get(&mut tx, &visitor.actor, id).await?),
            None => None,
        };
        let models = models::list(&mut tx, &visitor.actor, Listing::longest())
            .await?
            .items;
        tx.commit().await?;
        let mut form = form.unwrap_or_else(|| proxy.as_ref().map(ProxyForm::of).unwrap_or_default());
        form.version = proxy.as_ref().map(|proxy| proxy.version);
        let title = match &proxy {
            Some(proxy) => format!("Change {}:{}", proxy.host, proxy.port),
            None => "New proxy".to_owned(),
        };
        Ok(Self {
            shell: Shell::new(title, visitor),
            proxy,
            models,
            form,
            faults,
        })
    }

    fn action(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("/proxies/{}/edit", proxy.id),
            None => "/proxies".to_owned(),
        }
    }

    fn back(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("/proxies/{}", proxy.id),
            None => "/proxies".to_owned(),
        }
    }

    fn has_password(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.has_password)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyForm {
    scheme: String,
    host: String,
    port: String,
    username: String,
    password: Secret,
    /// Forgets the password that is kept.
    forget: Option<String>,
    provider: String,
    location: String,
    cost: String,
    model: String,
    places: String,
    /// What was shown when the form was: changed since, it is refused.
    version: Option<i64>,
}

impl Default for ProxyForm {
    fn default() -> Self {
        Self {
            scheme: Scheme::Http.to_string(),
            host: String::new(),
            port: String::new(),
            username: String::new(),
            password: "".into(),
            forget: None,
            provider: String::new(),
            location: String::new(),
            cost: "0.00".to_owned(),
            model: String::new(),
            places: PROXY_ACCOUNTS_MAX.to_string(),
            version: None,
        }
    }
}

const FIELDS: &[&str] = &[
    "/scheme",
    "/host",
    "/port",
    "/username",
    "/password",
    "/provider",
    "/location",
    "/cost",
    "/model",
    "/places",
];

const RENAMED: &[(&str, &str)] = &[
    ("/monthly_cost", "/cost"),
    ("/assigned_model_id", "/model"),
    ("/max_accounts", "/places"),
];

impl ProxyForm {
    fn of(proxy: &Proxy) -> Self {
        Self {
            scheme: proxy.scheme.to_string(),
            host: proxy.host.clone(),
            port: proxy.port.to_string(),
            username: proxy.username.clone().unwrap_or_default(),
            provider: proxy.provider.clone(),
            location: proxy.location.clone(),
            cost: format!("{:.2}", proxy.monthly_cost),
            model: proxy.assigned_model_id.map_or(String::new(), |id| id.to_string()),
            places: proxy.max_accounts.to_string(),
            ..Self::default()
        }
    }

    /// What the form asks for; every fault, those of what the fields mean and those of what they say.
    fn read(&self) -> Result<NewProxy, Failure> {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, detail: &str| faults.push(Fault::new(pointer, "type", detail));
        let scheme = self.scheme.parse().unwrap_or_else(|_| {
            fault("/scheme", "choose how it is spoken to");
            Scheme::Http
        });
        let port = self.port.trim().parse().unwrap_or_else(|_| {
            fault("/port", "a port is a number from 1 to 65535");
            1
        });
        let monthly_cost = self.cost.trim().parse().unwrap_or_else(|_| {
            fault("/monthly_cost", "a monthly cost is a number, such as 12.50");
            Decimal::ZERO
        });
        let max_accounts = self.places.trim().parse().unwrap_or_else(|_| {
            fault("/max_accounts", "choose how many accounts it carries");
            1
        });
        let model = Some(self.model.trim()).filter(|model| !model.is_empty());
        let assigned_model_id = model.map(|model| {
            ModelId(model.parse().unwrap_or_else(|_| {
                fault("/assigned_model_id", "choose a model, or any");
                0
            }))
        });
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let new = NewProxy {
            scheme,
            host: self.host.trim().to_owned(),
            port,
            username: given(&self.username),
            password: Some(self.password.clone()).filter(|password| !password.0.expose_secret().is_empty()),
            provider: self.provider.trim().to_owned(),
            location: self.location.trim().to_owned(),
            monthly_cost,
            assigned_model_id,
            max_accounts: Some(max_accounts),
        };
        if faults.is_empty() {
            return Ok(new);
        }
        faults.extend(new.faults());
        Err(Refusal::invalid(faults).into())
    }

    fn change(&self) -> Result<ProxyChange, Failure> {
        let asked = self.read()?;
        let forget = self.forget.is_some().then_some(None);
        Ok(ProxyChange {
            scheme: Some(asked.scheme),
            host: Some(asked.host),
            port: Some(asked.port),
            username: Some(asked.username),
            // What was not written stays as it is.
            password: asked.password.map(Some).or(forget),
            provider: Some(asked.provider),
            location: Some(asked.location),
            monthly_cost: Some(asked.monthly_cost),
            status: None,
            assigned_model_id: Some(asked.assigned_model_id),
            max_accounts: asked.max_accounts,
        })
    }
}

async fn new(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    console::page(&EditPage::read(&app, visitor, None, None, Faults::none()).await?)
}

async fn edit(State(app): State<App>, visitor: Visitor, Id(id): Id<ProxyId>) -> Result<Response, Failure> {
    console::page(&EditPage::read(&app, visitor, Some(id), None, Faults::none()).await?)
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<ProxyForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let made = match form.read() {
        Ok(asked) => super::create(&mut tx, &visitor.actor, &app.keys, asked).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(proxy) => {
            tx.commit().await?;
            let said = Said::done("The proxy is added. Test it before accounts use it.");
            Ok(console::go_and_say(format!("/proxies/{}", proxy.id), &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, None, form, failure).await
        }
    }
}

async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ProxyId>,
    Form(form): Form<ProxyForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let changed = match form.change() {
        Ok(change) => {
            super::update(
                &mut tx,
                &visitor.actor,
                &app.keys,
                id,
                IfMatch(form.version),
                change,
            )
            .await
        }
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(_) => {
            tx.commit().await?;
            let said = Said::done("The proxy is changed.");
            Ok(console::go_and_say(format!("/proxies/{id}"), &said))
        }
        Err(failure) => {
            drop(tx);
            refused(&app, visitor, Some(id), form, failure).await
        }
    }
}

/// The form again, with what is wrong with it, but for the password, which has to be written again.
async fn refused(
    app: &App,
    visitor: Visitor,
    id: Option<ProxyId>,
    form: ProxyForm,
    failure: Failure,
) -> Result<Response, Failure> {
    let mut faults = Faults::of(failure, FIELDS)?;
    faults.rename(RENAMED);
    console::refused(&EditPage::read(app, visitor, id, Some(form), faults).await?)
}
