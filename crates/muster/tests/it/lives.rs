//! Accounts led at random, by people of every role and by the world, against the pure table of the lifecycle.

use std::sync::atomic::{AtomicI32, Ordering};

use muster_wire::{Event, Role, State, lifecycle::next};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::{
    lifecycle::{ask, authorised, broken_histories, model, proxy, world},
    support::{Caller, TestApp},
};

/// What can happen to an account, asked for by somebody or done by the world.
#[derive(Debug, Clone)]
enum Happening {
    Asked(Role, Event),
    World(Event),
    Authorised(bool),
    /// Whatever leads on from where the account is.
    Onwards,
}

fn happening() -> impl Strategy<Value = Happening> {
    let role = prop::sample::select(Role::ALL);
    let event = prop::sample::select(Event::ALL);
    let world = prop::sample::select(vec![Event::AssignProxy, Event::FinishWarmup, Event::Escalate]);
    prop_oneof![
        5 => (role, event).prop_map(|(role, event)| Happening::Asked(role, event)),
        3 => world.prop_map(Happening::World),
        1 => any::<bool>().prop_map(Happening::Authorised),
        6 => Just(Happening::Onwards),
    ]
}

/// The pure model: what is known of one account.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    state: State,
    complete: bool,
    authorised: bool,
}

impl Known {
    /// What happens, when `Onwards` is put into words.
    fn words(self, happening: Happening) -> Happening {
        let asked = |event| Happening::Asked(Role::Owner, event);
        match (happening, self.state) {
            (Happening::Onwards, State::Imported) => Happening::World(Event::AssignProxy),
            (Happening::Onwards, State::ProxyAssigned) => asked(Event::StartWarmup),
            (Happening::Onwards, State::WarmingUp) => Happening::World(Event::FinishWarmup),
            (Happening::Onwards, State::HumanReview) if self.complete => asked(Event::Approve),
            (Happening::Onwards, State::HumanReview) => asked(Event::Resume),
            (Happening::Onwards, State::Ready) => asked(Event::Activate),
            (Happening::Onwards, State::Active) => asked(Event::Flag),
            (Happening::Onwards, State::Cleanup) => asked(Event::Restore),
            (other, _) => other,
        }
    }

    /// What the table of the lifecycle says comes of it: the status that is answered; and the account after it.
    fn after(self, happening: &Happening) -> (u16, Known) {
        let moved = |event: Event, complete: bool| {
            next(self.state, event, complete).map(|t| Known {
                state: t.to,
                complete: complete && event != Event::Restore,
                ..self
            })
        };
        match happening {
            Happening::Asked(role, event) => {
                let review = matches!(event, Event::Approve | Event::Resume);
                let gate = match role {
                    Role::Viewer => false,
                    Role::Operator => !review,
                    _ => true,
                };
                if !gate {
                    return (403, self);
                }
                if matches!(event, Event::AssignProxy | Event::FinishWarmup | Event::Escalate) {
                    return (422, self);
                }
                if !event.roles().contains(role) {
                    return (403, self);
                }
                moved(*event, self.complete).map_or((409, self), |known| (200, known))
            }
            Happening::World(event) => {
                let complete = self.complete || *event == Event::FinishWarmup;
                let possible = *event != Event::AssignProxy || self.authorised;
                moved(*event, complete)
                    .filter(|_| possible)
                    .map_or((0, self), |known| (200, known))
            }
            Happening::Authorised(authorised) => {
                let in_life = !matches!(self.state, State::Imported | State::Cleanup);
                if in_life && !authorised {
                    return (409, self);
                }
                (
                    200,
                    Known {
                        authorised: *authorised,
                        ..self
                    },
                )
            }
            Happening::Onwards => (0, self),
        }
    }
}

async fn make_happen(app: &TestApp, callers: &[(Role, Caller)], id: i64, happening: &Happening) -> u16 {
    match happening {
        Happening::Asked(role, event) => {
            let caller = &callers.iter().find(|(r, _)| r == role).expect("one of each").1;
            if matches!(event, Event::Approve | Event::Resume) {
                let body = json!({"decision": event.word(), "reason": "because of a test"});
                let answer = caller.post(&format!("/v1/reviews/{id}"), body).await;
                answer.status.as_u16()
            } else {
                ask(caller, id, event.word()).await.status.as_u16()
            }
        }
        Happening::World(event) => {
            let mut db = app.superuser().await;
            let (part, proxy) = match event {
                Event::AssignProxy => ("proxy", proxy(app, &mut db).await),
                Event::FinishWarmup => ("finish", 1),
                _ => ("escalate", 1),
            };
            world(&mut db, id, part, proxy).await;
            200
        }
        Happening::Authorised(authorised) => {
            let body = json!({"authorisation_basis": authorised.then_some("owned")});
            let answer = app.owner.patch(&format!("/v1/accounts/{id}"), body).await;
            answer.status.as_u16()
        }
        Happening::Onwards => panic!("this was put into words"),
    }
}

#[test]
fn whatever_is_asked_by_whomever_the_accounts_go_as_the_table_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (app, callers, north) = runtime.block_on(async {
        let app = TestApp::start().await;
        let mut callers = Vec::new();
        for role in Role::ALL {
            callers.push((*role, app.person(*role).await));
        }
        let north = model(&app, "North").await;
        (app, callers, north)
    });
    let serial = AtomicI32::new(0);
    let config = Config {
        cases: 32,
        failure_persistence: None,
        ..Config::default()
    };
    let lives = prop::collection::vec(happening(), 5..40);
    let reached = std::cell::RefCell::new(std::collections::HashSet::new());
    TestRunner::new(config)
        .run(&lives, |life| {
            runtime.block_on(async {
                let n = serial.fetch_add(1, Ordering::Relaxed);
                let id = authorised(&app, &format!("life{n}")).await;
                let path = format!("/v1/accounts/{id}");
                app.owner
                    .patch(&path, json!({"model_id": north}))
                    .await
                    .expect(200);
                let mut known = Known {
                    state: State::Imported,
                    complete: false,
                    authorised: true,
                };
                for happening in life.clone() {
                    let happening = known.words(happening);
                    let (status, after) = known.after(&happening);
                    if status == 0 {
                        continue;
                    }
                    let answered = make_happen(&app, &callers, id, &happening).await;
                    prop_assert_eq!(answered, status, "{:?} to {:?}", happening, known);
                    known = after;
                    reached.borrow_mut().insert(known.state);
                    let shown = app.owner.get(&path).await.expect(200);
                    let seen = Known {
                        state: shown["lifecycle_state"]
                            .as_str()
                            .expect("a state")
                            .parse()
                            .expect("a word"),
                        complete: shown["warmup_completed_at"].is_string(),
                        authorised: shown["authorisation_basis"].is_string(),
                    };
                    prop_assert_eq!(seen, known, "after {:?}", happening);
                }
                Ok(())
            })
        })
        .expect("no divergence");
    assert_eq!(reached.borrow().len(), State::ALL.len(), "{reached:?}");
    assert_eq!(runtime.block_on(broken_histories(&app)), 0);
}
