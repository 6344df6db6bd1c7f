//! The board: what stands at each step of the warm-up, who works on it, and what comes next.

use muster_wire::{
    Step,
    board::{
        BOARD_COUNTED_MAX, BOARD_LEASES_MAX, BOARD_NEXT_MAX, Board, BoardHeld, BoardLease, BoardNext,
        BoardStep,
    },
};

use crate::{
    actor::Actor,
    db::Tx,
    problem::{Bug, Failure},
};

/// The board of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn board(tx: &mut Tx, actor: &Actor) -> Result<Board, Failure> {
    let tenant = actor.tenant.0;
    let counts = sqlx::query_file!("src/work/board_counts.sql", tenant, BOARD_COUNTED_MAX)
        .fetch_all(&mut **tx)
        .await?;
    let leases = sqlx::query_file!(
        "src/work/board_leases.sql",
        tenant,
        BOARD_COUNTED_MAX,
        BOARD_LEASES_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    let next = sqlx::query_file!("src/work/board_next.sql", tenant, BOARD_NEXT_MAX)
        .fetch_all(&mut **tx)
        .await?;
    let held = sqlx::query_file!("src/work/board_held.sql", tenant, BOARD_COUNTED_MAX)
        .fetch_all(&mut **tx)
        .await?;

    let mut steps = Vec::new();
    for row in counts {
        steps.push(BoardStep {
            step: row.step,
            name: Step::from_number(row.step).ok_or_else(|| Bug::new("a step beyond the fifth"))?,
            due_for_bots: row.due_for_bots,
            due_for_people: row.due_for_people,
            later: row.later,
            under_way: 0,
            leases: Vec::new(),
            next: Vec::new(),
            held: Vec::new(),
        });
    }
    for row in leases {
        let Some(step) = at(&mut steps, row.step) else {
            continue;
        };
        step.under_way = row.under_way;
        step.leases.push(BoardLease {
            account_id: row.account_id,
            username: row.username,
            bot: row.bot,
            operator: row.operator,
            attempt: row.attempt + 1,
            leased_until: row.leased_until,
        });
    }
    for row in next {
        let Some(step) = at(&mut steps, row.step) else {
            continue;
        };
        step.next.push(BoardNext {
            account_id: row.account_id,
            username: row.username,
            for_people: row.for_people,
            attempt: row.attempt + 1,
            run_at: row.run_at,
        });
    }
    for row in held {
        let Some(step) = at(&mut steps, row.step) else {
            continue;
        };
        step.held.push(BoardHeld {
            hold: row.hold,
            accounts: row.accounts,
        });
    }
    Ok(Board { steps })
}

fn at(steps: &mut [BoardStep], number: i16) -> Option<&mut BoardStep> {
    steps.iter_mut().find(|step| step.step == number)
}
