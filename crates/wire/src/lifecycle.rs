//! The lifecycle of an account, written once: states, events, the table of transitions, and the five warm-up steps.
//!
//! `migrate` stores [`TABLE`] in the database, where a trigger refuses whatever it does not allow; buttons, verbs and
//! documents are made from it.

use crate::Role;

crate::words! {
    /// Where an account is in its life.
    pub enum State {
        /// Known, not yet given a proxy.
        Imported = "imported",
        /// Has a proxy, waits for its warm-up to begin.
        ProxyAssigned = "proxy_assigned",
        /// Being led through the five steps.
        WarmingUp = "warming_up",
        /// A person must decide.
        HumanReview = "human_review",
        /// Approved, waits to be put to use.
        Ready = "ready",
        /// In use.
        Active = "active",
        /// Retired.
        Cleanup = "cleanup",
    }
}

crate::words! {
    /// What moves an account from one state to another.
    pub enum Event {
        /// A proxy with room was given to the account.
        AssignProxy = "assign_proxy",
        /// The proxy was taken back.
        ReleaseProxy = "release_proxy",
        /// The warm-up begins, at step 1.
        StartWarmup = "start_warmup",
        /// The fifth step was completed.
        FinishWarmup = "finish_warmup",
        /// Retries are used up, or the report asked for a person.
        Escalate = "escalate",
        /// A reviewer accepts an account whose warm-up is complete.
        Approve = "approve",
        /// A reviewer sends an account back to the step it stopped at.
        Resume = "resume",
        /// The account is put to use.
        Activate = "activate",
        /// Something about a ready or active account needs a person's eye.
        Flag = "flag",
        /// The account is taken out of use.
        Retire = "retire",
        /// A retired account begins again.
        Restore = "restore",
    }
}

crate::words! {
    /// A warm-up step.
    pub enum Step {
        /// Step 1: the profile picture.
        ChangePfp = "change_pfp",
        /// Step 2: the biography.
        ChangeBio = "change_bio",
        /// Step 3: a highlight.
        PostHighlight = "post_highlight",
        /// Step 4: a story.
        PostStory = "post_story",
        /// Step 5: a post.
        PostPost = "post_post",
    }
}

impl Step {
    /// Its number, 1 to 5.
    pub const fn number(self) -> i16 {
        self as i16 + 1
    }

    /// The step of a number; none outside 1 to 5.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.number() == number)
    }
}

crate::wire! {
    /// One row of the lifecycle.
    #[derive(Copy, PartialEq, Eq)]
    pub struct Transition {
        /// What happens.
        pub event: Event,
        /// In which state it may happen.
        pub from: State,
        /// Where it leads.
        pub to: State,
        /// Whether the account's warm-up must be complete (`true`) or incomplete (`false`) after it.
        pub warmup_complete: Option<bool>,
    }
}

crate::wire! {
    /// The lifecycle, whole.
    pub struct Lifecycle {
        /// The states, from first to last.
        pub states: Vec<State>,
        /// The warm-up steps, in order: the first is step 1.
        pub steps: Vec<Step>,
        /// Every transition there is.
        pub transitions: Vec<Transition>,
    }
}

impl Lifecycle {
    /// The lifecycle of every account.
    pub fn whole() -> Self {
        Self {
            states: State::ALL.to_vec(),
            steps: Step::ALL.to_vec(),
            transitions: TABLE.to_vec(),
        }
    }
}

const fn row(event: Event, from: State, to: State, warmup_complete: Option<bool>) -> Transition {
    Transition {
        event,
        from,
        to,
        warmup_complete,
    }
}

/// Every transition there is.
pub const TABLE: &[Transition] = &[
    row(Event::AssignProxy, State::Imported, State::ProxyAssigned, None),
    row(Event::ReleaseProxy, State::ProxyAssigned, State::Imported, None),
    row(
        Event::StartWarmup,
        State::ProxyAssigned,
        State::WarmingUp,
        Some(false),
    ),
    row(
        Event::FinishWarmup,
        State::WarmingUp,
        State::HumanReview,
        Some(true),
    ),
    row(Event::Escalate, State::WarmingUp, State::HumanReview, Some(false)),
    row(Event::Approve, State::HumanReview, State::Ready, Some(true)),
    row(Event::Resume, State::HumanReview, State::WarmingUp, Some(false)),
    row(Event::Activate, State::Ready, State::Active, Some(true)),
    row(Event::Flag, State::Ready, State::HumanReview, Some(true)),
    row(Event::Flag, State::Active, State::HumanReview, Some(true)),
    row(Event::Retire, State::Imported, State::Cleanup, None),
    row(Event::Retire, State::ProxyAssigned, State::Cleanup, None),
    row(Event::Retire, State::WarmingUp, State::Cleanup, None),
    row(Event::Retire, State::HumanReview, State::Cleanup, None),
    row(Event::Retire, State::Ready, State::Cleanup, None),
    row(Event::Retire, State::Active, State::Cleanup, None),
    row(Event::Restore, State::Cleanup, State::Imported, None),
];

impl Event {
    /// The operators who may ask for it; nobody, where it only follows from reported work.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Event::AssignProxy
            | Event::ReleaseProxy
            | Event::StartWarmup
            | Event::Activate
            | Event::Restore => &[Role::Owner, Role::Admin, Role::Operator],
            Event::Approve | Event::Resume => &[Role::Owner, Role::Admin, Role::Reviewer],
            Event::Flag | Event::Retire => &[Role::Owner, Role::Admin, Role::Operator, Role::Reviewer],
            Event::FinishWarmup | Event::Escalate => &[],
        }
    }

    /// The event that can lead an account back to where this one found it, where people can ask for one. A proxy that was released
    /// is not given back: the next is chosen anew.
    pub const fn undone_by(self) -> Option<Event> {
        match self {
            Event::AssignProxy => Some(Event::ReleaseProxy),
            Event::Approve => Some(Event::Flag),
            Event::Flag => Some(Event::Approve),
            Event::Retire => Some(Event::Restore),
            Event::Restore => Some(Event::Retire),
            Event::ReleaseProxy
            | Event::StartWarmup
            | Event::FinishWarmup
            | Event::Escalate
            | Event::Resume
            | Event::Activate => None,
        }
    }

    /// Whether the server itself may do it, unasked.
    pub const fn by_server(self) -> bool {
        matches!(
            self,
            Event::AssignProxy | Event::StartWarmup | Event::Activate | Event::Escalate
        )
    }
}

/// What an operator of this role can do next with an account: the buttons it has.
pub fn actions(state: State, warmup_complete: bool, role: Role) -> Vec<Event> {
    Event::ALL
        .iter()
        .copied()
        .filter(|event| event.roles().contains(&role) && next(state, *event, warmup_complete).is_some())
        .collect()
}

/// The transition of an event in a state, given whether the account's warm-up is complete; none where it is illegal.
pub fn next(from: State, event: Event, warmup_complete: bool) -> Option<Transition> {
    TABLE.iter().copied().find(|t| {
        t.from == from && t.event == event && t.warmup_complete.is_none_or(|needed| needed == warmup_complete)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_in_a_state_leads_to_one_place_at_most() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[i + 1..] {
                assert!((a.event, a.from) != (b.event, b.from), "{a:?} and {b:?}");
                assert!(
                    (a.from, a.to, a.warmup_complete) != (b.from, b.to, b.warmup_complete),
                    "{a:?} and {b:?}"
                );
            }
        }
    }

    #[test]
    fn every_state_but_the_first_is_reached_and_every_state_can_be_left() {
        for state in State::ALL {
            assert!(TABLE.iter().any(|t| t.from == *state), "{state} is a dead end");
            assert!(TABLE.iter().any(|t| t.to == *state), "{state} is never reached");
        }
    }

    #[test]
    fn approve_needs_a_complete_warmup_and_resume_an_incomplete_one() {
        assert_eq!(
            next(State::HumanReview, Event::Approve, true).map(|t| t.to),
            Some(State::Ready)
        );
        assert_eq!(next(State::HumanReview, Event::Approve, false), None);
        assert_eq!(
            next(State::HumanReview, Event::Resume, false).map(|t| t.to),
            Some(State::WarmingUp)
        );
        assert_eq!(next(State::HumanReview, Event::Resume, true), None);
        assert_eq!(next(State::Imported, Event::Activate, true), None);
    }

    #[test]
    fn the_buttons_of_an_account_are_those_of_its_state_and_the_role() {
        let reviewer = |state, complete| actions(state, complete, Role::Reviewer);
        assert_eq!(
            reviewer(State::HumanReview, true),
            [Event::Approve, Event::Retire]
        );
        assert_eq!(
            reviewer(State::HumanReview, false),
            [Event::Resume, Event::Retire]
        );
        assert_eq!(
            actions(State::Ready, true, Role::Operator),
            [Event::Activate, Event::Flag, Event::Retire]
        );
        assert_eq!(actions(State::WarmingUp, false, Role::Owner), [Event::Retire]);
        assert!(
            State::ALL
                .iter()
                .all(|s| actions(*s, true, Role::Viewer).is_empty())
        );
    }

    #[test]
    fn an_event_is_undone_where_another_leads_back_that_people_can_ask_for() {
        for event in Event::ALL.iter().filter(|event| !event.roles().is_empty()) {
            let leads_back = |back: &Event| {
                let there = TABLE.iter().filter(|t| t.event == *event);
                !back.roles().is_empty()
                    && there
                        .flat_map(|t| [true, false].map(|complete| (t, next(t.to, *back, complete))))
                        .any(|(t, back)| back.is_some_and(|back| back.to == t.from))
            };
            let backs: Vec<_> = Event::ALL.iter().copied().filter(leads_back).collect();
            let expected = if *event == Event::ReleaseProxy {
                vec![Event::AssignProxy]
            } else {
                event.undone_by().into_iter().collect()
            };
            assert_eq!(backs, expected, "{event}");
        }
    }

    #[test]
    fn steps_are_numbered_from_one_to_five() {
        assert_eq!(
            Step::ALL.iter().map(|s| s.number()).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        assert_eq!(Step::from_number(3), Some(Step::PostHighlight));
        assert_eq!(Step::from_number(6), None);
    }
}
