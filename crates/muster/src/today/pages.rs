//! The first page: what needs me.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::{
    State as Lifecycle,
    today::{COUNTED_MAX, Funnel, Minute, STUCK_DAYS, Today},
};

use crate::{
    app::App,
    console::{self, Shell, Visitor, ui},
    problem::Failure,
};

/// The page of today.
pub fn routes() -> Router<App> {
    Router::new().route("/", get(today))
}

/// The models whose accounts are shown, in the order of their names.
const MODELS_SHOWN: usize = 50;

/// The pools that are shown, those with nothing at all first.
const POOLS_SHOWN: usize = 20;

/// The height of the tallest bar of the pulse, in the units of its picture.
const BAR_MAX: i64 = 56;

#[derive(Template)]
#[template(path = "today/today.html")]
struct TodayPage {
    shell: Shell,
    today: Today,
    bars: Vec<Bar>,
    failed: i64,
    done: i64,
}

/// A minute of the pulse, as it is drawn.
struct Bar {
    x: usize,
    completed: i64,
    failed: i64,
    minute: Minute,
}

impl TodayPage {
    /// The states that an account goes through, in their order.
    fn states(&self) -> &'static [Lifecycle] {
        &Lifecycle::ALL[..Lifecycle::ALL.len() - 1]
    }

    fn count(&self, funnel: &Funnel, state: &Lifecycle) -> i64 {
        funnel.count(*state)
    }

    /// The list of a model's accounts in a state.
    fn list_of(&self, funnel: &Funnel, state: &Lifecycle) -> String {
        let model = funnel.model_id.map_or("none".to_owned(), |id| id.to_string());
        accounts(&format!("model:{model} state:{state}"))
    }

    /// The list of the accounts that are stuck in a state.
    fn stuck_in(&self, state: &Lifecycle) -> String {
        accounts(&format!("state:{state} stuck:>{STUCK_DAYS}d"))
    }

    /// The parts of the bar of a model: where each begins, how wide it is, of a hundred, and the state that it shows.
    fn shares(&self, funnel: &Funnel) -> Vec<(i64, i64, Lifecycle)> {
        let of_hundred = |count: i64| (count * 100).checked_div(funnel.total()).unwrap_or(0);
        let mut before = 0;
        let part = |state: &Lifecycle| {
            let (begin, width) = (of_hundred(before), of_hundred(funnel.count(*state)));
            before += funnel.count(*state);
            (begin, width, *state)
        };
        self.states().iter().map(part).collect()
    }

    /// A count that goes no further than [`COUNTED_MAX`].
    fn counted(&self, count: &i64) -> String {
        ui::as_counted(*count, *count < COUNTED_MAX)
    }

    /// How many models there are that are not shown.
    fn models_more(&self) -> i64 {
        self.today.funnel.len().saturating_sub(MODELS_SHOWN) as i64
    }

    /// How many pools there are that are not shown.
    fn pools_more(&self) -> i64 {
        self.today.needs.pools.len().saturating_sub(POOLS_SHOWN) as i64
    }

    fn quiet(&self) -> bool {
        let needs = &self.today.needs;
        needs.reviews + needs.proxies_in_error + needs.lapsing + needs.lapsed == 0
            && needs.stuck.is_empty()
            && needs.pools.is_empty()
    }
}

fn accounts(filter: &str) -> String {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    format!("/accounts?filter={filter}")
}

async fn today(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let today = super::get(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    let minutes = today.pulse.minutes.clone();
    let tallest = minutes
        .iter()
        .map(|m| m.completed + m.failed)
        .max()
        .unwrap_or(0)
        .max(1);
    let bar = |(x, minute): (usize, Minute)| Bar {
        x: x * 10,
        completed: minute.completed * BAR_MAX / tallest,
        failed: minute.failed * BAR_MAX / tallest,
        minute,
    };
    console::page(&TodayPage {
        shell: Shell::new("Today", visitor),
        done: minutes.iter().map(|m| m.completed).sum(),
        failed: minutes.iter().map(|m| m.failed).sum(),
        bars: minutes.into_iter().enumerate().map(bar).collect(),
        today,
    })
}
