//! Reviews: what waits on the left, everything that is needed to decide on the right.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::{
    AccountId, Filter,
    accounts::{Attempt, Count},
    batches::{BATCH_WAIT_SECS_DEFAULT, NewBatch},
    filter::{value_of, with_value},
    reviews::{Decision, NewDecision, Review, ReviewKind},
};
use serde::Deserialize;

use crate::{
    accounts::{self, filter::AccountFilter},
    actor::Actor,
    app::App,
    batches,
    console::{self, Faults, Form, Said, Shell, Visitor, said::Undo, ui},
    content,
    db::Tx,
    http::{ListQuery, Query},
    problem::{Failure, Refusal},
    reviews, texts,
    texts::template::Variables,
};

/// How much of what was reported is shown, in characters: a page is to stay small.
const REPORTED_CHARS_MAX: usize = 2_000;

/// The pages of reviews.
pub fn routes() -> Router<App> {
    Router::new().route("/reviews", get(list).post(decide))
}

/// An attempt, with what it was to publish.
struct Evidence {
    attempt: Attempt,
    image_url: Option<String>,
    texts: Vec<String>,
}

#[derive(Template)]
#[template(path = "reviews/reviews.html")]
struct ReviewsPage {
    shell: Shell,
    filter: String,
    /// Where the list begins, where that is not at the oldest.
    cursor: Option<String>,
    items: Vec<Review>,
    /// Where the next page of the list begins.
    next: Option<String>,
    count: Option<Count>,
    open: Option<Review>,
    evidence: Vec<Evidence>,
    reason: String,
    faults: Faults,
}

impl ReviewsPage {
    fn address(&self, review: &Review) -> String {
        address(&self.filter, self.cursor.as_deref(), Some(review.account.id))
    }

    /// The page of the list that begins there; the first where nothing is said.
    fn page(&self, cursor: Option<&str>) -> String {
        address(&self.filter, cursor, None)
    }

    /// The reviews of this kind, or of any.
    fn of_kind(&self, kind: Option<&ReviewKind>) -> String {
        let filter = with_value(&self.filter, "kind", kind.map(|kind| kind.word()));
        address(&filter, None, None)
    }

    fn is_kind(&self, kind: Option<&ReviewKind>) -> bool {
        value_of(&self.filter, "kind").as_deref() == kind.map(|kind| kind.word())
    }

    fn is_open(&self, review: &Review) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.account.id == review.account.id)
    }

    /// The review so many places on in the list.
    fn beside(&self, places: isize) -> Option<&Review> {
        let at = self.items.iter().position(|review| self.is_open(review))?;
        self.items.get(at.checked_add_signed(places)?)
    }

    /// The reasons that were given for decisions on these accounts before, to choose from.
    fn reasons(&self) -> Vec<&str> {
        let decided = self.items.iter().flat_map(|review| &review.decisions);
        let mut reasons: Vec<_> = decided.filter_map(|entry| entry.reason.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons.truncate(12);
        reasons
    }

    fn may_decide(&self) -> bool {
        self.shell.may("POST", "/reviews")
    }

    fn may(&self, review: &Review, decision: &Decision) -> bool {
        self.may_decide() && review.account.actions.contains(&decision.event())
    }
}

fn address(filter: &str, cursor: Option<&str>, account: Option<AccountId>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("filter", filter);
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    if let Some(account) = account {
        query.append_pair("account", &account.to_string());
    }
    format!("/reviews?{}", query.finish())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReviewsQuery {
    filter: String,
    cursor: Option<String>,
    account: Option<i64>,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<ReviewsQuery>,
) -> Result<Response, Failure> {
    let page = show(&app, visitor, query, String::new(), Faults::none()).await?;
    if page.faults.is_empty() {
        console::page(&page)
    } else {
        console::refused(&page)
    }
}

async fn show(
    app: &App,
    visitor: Visitor,
    query: ReviewsQuery,
    reason: String,
    faults: Faults,
) -> Result<ReviewsPage, Failure> {
    let mut page = ReviewsPage {
        shell: Shell::new("Reviews", visitor),
        filter: query.filter.trim().to_owned(),
        cursor: query.cursor.filter(|cursor| !cursor.is_empty()),
        items: Vec::new(),
        next: None,
        count: None,
        open: None,
        evidence: Vec::new(),
        reason,
        faults,
    };
    let actor = page.shell.visitor.actor.clone();
    let mut tx = app.db.begin_read(&actor).await?;
    let parsed = match AccountFilter::reviews(&mut tx, &actor, Filter::parse(&page.filter)).await {
        Ok(parsed) => parsed,
        Err(failure) => {
            page.faults = Faults::of(failure, &[])?;
            return Ok(page);
        }
    };
    let listed = ListQuery {
        filter: Some(page.filter.clone()),
        cursor: page.cursor.clone(),
        ..ListQuery::default()
    };
    let listed = reviews::list(&mut tx, &actor, listed).await?;
    (page.items, page.next) = (listed.items, listed.next);
    page.count = Some(accounts::count(&mut tx, &actor, &parsed, false).await?);
    page.open = match query.account.map(AccountId) {
        None => page.items.first().cloned(),
        Some(id) => match page.items.iter().find(|review| review.account.id == id) {
            Some(review) => Some(review.clone()),
            None => match reviews::get(&mut tx, &actor, id).await {
                Ok(review) => Some(review),
                Err(failure) if page.faults.is_empty() => {
                    page.faults = Faults::of(failure, &[])?;
                    None
                }
                Err(_) => None,
            },
        },
    };
    if let Some(open) = &page.open {
        page.evidence = evidence(&mut tx, &actor, open).await?;
    }
    tx.commit().await?;
    Ok(page)
}

/// What each attempt of a review was to publish, as far as it is still there; templates are filled in as for the attempt.
async fn evidence(tx: &mut Tx, actor: &Actor, review: &Review) -> Result<Vec<Evidence>, Failure> {
    let used = |attempt: &Attempt, what: &str| attempt.content_used.as_ref()?.get(what)?.as_i64();
    let ids = |what| -> Vec<i64> { review.attempts.iter().filter_map(|a| used(a, what)).collect() };
    let contents = content::read(tx, actor, &ids("content")).await?;
    let texts = texts::read(tx, actor, &ids("text")).await?;
    let account = &review.account;
    let variables = Variables {
        username: &account.username,
        city: account.location_city.as_deref(),
        campus: account.location_campus.as_deref(),
        niche: account.location_niche.as_deref(),
        model: account.model.as_deref().unwrap_or_default(),
    };
    let fill = |text: &str, is_template: bool| {
        if is_template {
            variables.fill(text)
        } else {
            text.to_owned()
        }
    };
    let piece = |attempt: &Attempt| {
        let content = used(attempt, "content").and_then(|id| contents.iter().find(|c| c.id.0 == id));
        let text = used(attempt, "text").and_then(|id| texts.iter().find(|t| t.id.0 == id));
        let caption = content.and_then(|c| Some(fill(c.text_content.as_deref()?, c.is_template)));
        let text = text.map(|text| fill(&text.text_content, text.is_template));
        Evidence {
            image_url: content.map(|content| content.image_url.clone()),
            texts: caption.into_iter().chain(text).collect(),
            attempt: attempt.clone(),
        }
    };
    Ok(review.attempts.iter().map(piece).collect())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecideForm {
    filter: String,
    cursor: String,
    account: i64,
    reason: String,
    /// Empty where Enter was pressed before a decision was chosen.
    decision: String,
    /// The review to show next.
    next: Option<i64>,
}

async fn decide(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<DecideForm>,
) -> Result<Response, Failure> {
    let id = AccountId(form.account);
    match held(&app, &visitor.actor, id, &form).await {
        Ok((said, batch)) => {
            let cursor = Some(form.cursor.as_str()).filter(|cursor| !cursor.is_empty());
            let undo = Undo {
                path: format!("/batches/{batch}/cancel"),
                fields: vec![("next".to_owned(), address(&form.filter, cursor, Some(id)))],
                secs: BATCH_WAIT_SECS_DEFAULT,
            };
            let next = address(&form.filter, cursor, form.next.map(AccountId));
            Ok(console::go_and_say(next, &Said::undoable(said, undo)))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/reason"])?;
            let query = ReviewsQuery {
                filter: form.filter,
                cursor: Some(form.cursor),
                account: Some(id.0),
            };
            console::refused(&show(&app, visitor, query, form.reason, faults).await?)
        }
    }
}

/// Writes a decision down, to be done when it can be taken back no more; gives what to say, and the batch.
async fn held(
    app: &App,
    actor: &Actor,
    id: AccountId,
    form: &DecideForm,
) -> Result<(String, muster_wire::BatchId), Failure> {
    let decision: Decision = form
        .decision
        .parse()
        .map_err(|_| Refusal::conflict("no_decision", "choose what is decided: approve, resume or reject"))?;
    let asked = NewDecision {
        decision,
        reason: form.reason.clone(),
    };
    accounts::refuse(asked.faults())?;
    let new = NewBatch {
        event: decision.event(),
        reason: asked.reason,
        filter: None,
        ids: Some(vec![id]),
        expected_count: None,
        in_review: true,
        wait_secs: BATCH_WAIT_SECS_DEFAULT,
    };
    let mut tx = app.db.begin_read(actor).await?;
    let (would, accounts) = batches::preview(&mut tx, actor, &new, 1).await?;
    if let Some(refused) = would.refused.into_iter().next() {
        return Err(Refusal::conflict(refused.code.word(), refused.reason).into());
    }
    let batch = batches::create(&mut tx, actor, &new).await?;
    tx.commit().await?;
    let name = accounts
        .first()
        .map_or_else(String::new, |account| account.username.clone());
    let did = match decision {
        Decision::Approve => "Approved",
        Decision::Resume => "Sent back to its step:",
        Decision::Reject => "Rejected",
    };
    Ok((format!("{did} {name}."), batch.id))
}
