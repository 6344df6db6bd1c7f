//! Reviews: what is shown to a reviewer, and that of many who decide at once each account hears one.

use muster_wire::Role;
use serde_json::{Value, json};

use crate::{
    lifecycle::{authorised, broken_histories, lead},
    support::{TestApp, value},
};

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|r| r["account"]["username"].as_str().expect("a name"))
        .collect()
}

fn decision(decision: &str) -> Value {
    json!({"decision": decision, "reason": "seen and decided"})
}

async fn in_review(app: &TestApp, name: &str, state: &str) -> i64 {
    let id = authorised(app, name).await;
    lead(app, id, state).await;
    id
}

#[tokio::test]
async fn a_reviewer_sees_who_waits_longest_first_and_why() {
    let app = TestApp::start().await;
    let done = in_review(&app, "done", "human_review").await;
    let stopped = in_review(&app, "stopped", "escalated").await;
    let flagged = in_review(&app, "flagged", "active").await;
    let flag = json!({"event": "flag", "reason": "odd comments"});
    app.owner
        .post(&format!("/v1/accounts/{flagged}/transitions"), flag)
        .await
        .expect(200);
    sqlx::query(
        "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, \
         status, content_id, error_message) \
         select $1, $2, n, now(), now(), 3, 'post_highlight', 'failed', 7, 'refused ' || n \
         from generate_series(1, 7) n",
    )
    .bind(app.tenant.0)
    .bind(stopped)
    .execute(&mut app.superuser().await)
    .await
    .expect("attempts");

    let reviewer = app.person(Role::Reviewer).await;
    let page = reviewer.get("/v1/reviews").await.expect(200);
    assert_eq!(names(&page), ["done", "stopped", "flagged"]);
    let [first, second, third] = page["items"].as_array().expect("items").as_slice() else {
        panic!("there are three");
    };
    assert_eq!(
        (&first["kind"], &first["account"]["actions"]),
        (&json!("finished"), &json!(["approve", "retire"]))
    );
    assert_eq!(
        (
            &second["kind"],
            &second["reason"],
            &second["account"]["warmup_step"],
            &second["account"]["actions"]
        ),
        (
            &json!("escalated"),
            &json!("the story was refused"),
            &json!(3),
            &json!(["resume", "retire"])
        )
    );
    let attempts = second["attempts"].as_array().expect("attempts");
    assert_eq!(
        (
            attempts.len(),
            &attempts[0]["error"],
            &attempts[0]["content_used"]["content"]
        ),
        (5, &json!("refused 7"), &json!(7))
    );
    assert_eq!(
        (&third["kind"], &third["reason"], &third["decisions"][0]["event"]),
        (&json!("flagged"), &json!("odd comments"), &json!("flag"))
    );
    for (kind, name) in [
        ("finished", "done"),
        ("escalated", "stopped"),
        ("flagged", "flagged"),
    ] {
        let page = reviewer
            .get(&format!("/v1/reviews?filter=kind:{kind}"))
            .await
            .expect(200);
        assert_eq!(names(&page), [name]);
    }
    let count = reviewer
        .get("/v1/reviews/count?filter=kind:flagged")
        .await
        .expect(200);
    assert_eq!(count["count"], 1);

    let page = reviewer.get("/v1/reviews?limit=2").await.expect(200);
    let next = page["next"].as_str().expect("there is more");
    let rest = reviewer
        .get(&format!("/v1/reviews?limit=2&cursor={next}"))
        .await
        .expect(200);
    assert_eq!((names(&rest), &rest["next"]), (vec!["flagged"], &Value::Null));
    assert_eq!(reviewer.get("/v1/reviews?cursor=x").await.problem(422), "invalid");

    let attempts = reviewer
        .get(&format!("/v1/accounts/{stopped}/attempts?limit=4"))
        .await
        .expect(200);
    let next = attempts["next"].as_str().expect("there are more");
    let rest = reviewer
        .get(&format!("/v1/accounts/{stopped}/attempts?cursor={next}"))
        .await
        .expect(200);
    assert_eq!(rest["items"].as_array().expect("items").len(), 3);
    assert_eq!(done, first["account"]["id"]);
}

#[tokio::test]
async fn a_decision_must_fit_give_a_reason_and_be_a_reviewers() {
    let app = TestApp::start().await;
    let done = in_review(&app, "done", "human_review").await;
    let stopped = in_review(&app, "stopped", "escalated").await;
    let reviewer = app.person(Role::Reviewer).await;
    let path = |id: i64| format!("/v1/reviews/{id}");
    let answer = reviewer.post(&path(stopped), decision("approve")).await;
    assert_eq!(answer.problem(409), "illegal_transition");
    let answer = reviewer.post(&path(done), decision("resume")).await;
    assert_eq!(answer.problem(409), "illegal_transition");
    for body in [
        json!({"decision": "approve", "reason": ""}),
        json!({"decision": "approve"}),
    ] {
        assert_eq!(reviewer.post(&path(done), body).await.problem(422), "invalid");
    }
    let operator = app.person(Role::Operator).await;
    assert_eq!(
        operator.post(&path(done), decision("approve")).await.problem(403),
        "forbidden"
    );
    assert_eq!(
        reviewer
            .post(&path(999_999), decision("approve"))
            .await
            .problem(404),
        "not_found"
    );

    let resumed = reviewer
        .post(&path(stopped), decision("resume"))
        .await
        .expect(200);
    assert_eq!(
        (
            &resumed["lifecycle_state"],
            &resumed["warmup_step"],
            &resumed["last_error_message"]
        ),
        (&json!("warming_up"), &json!(3), &Value::Null)
    );
    assert_eq!(resumed["requires_human_review"], false);
    assert_eq!(resumed["progress"]["attempt"], 1);
    let approved = reviewer.post(&path(done), decision("approve")).await.expect(200);
    assert_eq!(approved["lifecycle_state"], "ready");
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_is_heard_and_the_other_told() {
    let app = TestApp::start().await;
    let (one, two) = (app.person(Role::Reviewer).await, app.person(Role::Reviewer).await);
    for n in 0..12 {
        let id = in_review(&app, &format!("a{n}"), "human_review").await;
        let path = format!("/v1/reviews/{id}");
        let (a, b) = tokio::join!(
            one.post(&path, decision("approve")),
            two.post(&path, decision("reject"))
        );
        let (winner, loser) = if a.status == 200 { (a, b) } else { (b, a) };
        winner.expect(200);
        let told = loser.expect(409);
        assert_eq!(told["code"], "not_in_review");
        assert!(
            told["detail"]
                .as_str()
                .is_some_and(|d| d.contains("by reviewer at") && d.contains("(seen and decided)")),
            "{told}"
        );
    }
    let decided: i64 = value(
        &app,
        "select count(*) from account_state_history where from_state = 'human_review' and user_id is not null",
    )
    .await;
    assert_eq!((decided, broken_histories(&app).await), (12, 0));
}

#[tokio::test]
async fn while_many_are_rejected_and_each_is_approved_none_is_moved_twice() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(in_review(&app, &format!("a{n}"), "human_review").await);
    }
    let bulk = json!({"decision": "reject", "reason": "all of them", "ids": ids, "expected_count": 40});
    let mut singles = tokio::task::JoinSet::new();
    for (n, id) in ids.iter().copied().enumerate() {
        let reviewer = if n < 2 {
            app.person(Role::Reviewer).await
        } else {
            app.owner.clone()
        };
        singles.spawn(async move {
            let answer = reviewer
                .post(&format!("/v1/reviews/{id}"), decision("approve"))
                .await;
            answer.status.as_u16()
        });
    }
    let rejected = app.owner.post("/v1/reviews", bulk).await.expect(200);
    let answers = singles.join_all().await;
    assert!(
        answers.iter().all(|status| matches!(status, 200 | 409)),
        "{answers:?}"
    );
    let approved = answers.iter().filter(|status| **status == 200).count() as i64;
    assert_eq!(
        rejected["moved"].as_i64().map(|moved| moved + approved),
        Some(40),
        "{rejected}"
    );
    assert!(
        rejected["refused"]
            .as_array()
            .expect("refused")
            .iter()
            .all(|r| r["code"] == "not_in_review"),
        "{rejected}"
    );
    let moves: i64 = value(
        &app,
        "select count(*) from account_state_history where from_state = 'human_review'",
    )
    .await;
    let retired: i64 = value(
        &app,
        "select count(*) from accounts where lifecycle_state = 'cleanup'",
    )
    .await;
    assert_eq!((moves, Some(retired)), (40, rejected["moved"].as_i64()));
    assert_eq!(broken_histories(&app).await, 0);
}

#[tokio::test]
async fn all_reviews_that_match_are_decided_when_their_count_is_right() {
    let app = TestApp::start().await;
    for n in 0..3 {
        in_review(&app, &format!("done{n}"), "human_review").await;
    }
    in_review(&app, "stopped", "escalated").await;
    let ready = in_review(&app, "ready", "ready").await;
    let reviewer = app.person(Role::Reviewer).await;
    let all = |extra: Value| {
        let mut body = decision("approve");
        let fields = body.as_object_mut().expect("an object");
        fields.extend(extra.as_object().expect("an object").clone());
        reviewer.post("/v1/reviews", body)
    };
    let dry = all(json!({"filter": "", "dry_run": true})).await.expect(200);
    assert_eq!((&dry["matched"], &dry["moved"]), (&json!(4), &json!(3)));
    let answer = all(json!({"filter": "kind:finished", "expected_count": 4})).await;
    assert_eq!(answer.problem(409), "count_changed");
    let moved = all(json!({"filter": "kind:finished", "expected_count": 3}))
        .await
        .expect(200);
    assert_eq!((&moved["moved"], &moved["refused_count"]), (&json!(3), &json!(0)));
    let refused = all(json!({"ids": [ready]})).await.expect(200);
    assert_eq!(refused["refused"][0]["code"], "not_in_review");
    let answer = all(json!({"filter": "state:ready", "expected_count": 0})).await;
    assert_eq!(answer.expect(422)["errors"][0]["code"], "unknown_qualifier");
}
