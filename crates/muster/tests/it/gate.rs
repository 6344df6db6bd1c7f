//! The gate: who gets in, and how refusals look.

use muster_wire::{Role, TenantId};
use reqwest::Method;
use secrecy::SecretString;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::{Caller, TestApp};

#[tokio::test]
async fn a_good_token_says_who_it_stands_for() {
    let app = TestApp::start().await;
    let me = app.owner.get("/v1/me").await.expect(200);
    assert_eq!(
        (me["role"].as_str(), me["tenant_id"].as_i64()),
        (Some("owner"), Some(app.tenant.0))
    );
    let (id, bot) = app.bot("b1").await;
    assert_eq!(bot.get("/v1/me").await.expect(200)["bot_id"], id.0);
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() {
    let app = TestApp::start().await;
    let stranger = Caller::new(&app.url, None);
    assert_eq!(stranger.get("/v1/me").await.problem(401), "unauthenticated");
    for token in [
        "nonsense".to_owned(),
        format!("{}x", app.owner.token()),
        app.owner.token().replace("mst_api", "mst_bot"),
    ] {
        let caller = Caller::new(&app.url, Some(token.into()));
        assert_eq!(caller.get("/v1/me").await.problem(401), "unauthenticated");
    }
    // The right form and checksum, but nobody's.
    let unknown: SecretString = muster::token::mint(muster::token::TokenKind::Api, TenantId(app.tenant.0));
    assert_eq!(
        Caller::new(&app.url, Some(unknown))
            .get("/v1/me")
            .await
            .problem(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn a_request_id_is_taken_over_and_given_back() {
    let app = TestApp::start().await;
    let id = "018f3a52-0000-7000-8000-000000000001";
    let answer = app
        .owner
        .send(
            app.owner
                .request(Method::GET, "/nowhere")
                .header("x-request-id", id),
        )
        .await;
    assert_eq!(answer.headers["x-request-id"], id);
    assert_eq!(answer.body["request_id"], id);
    assert_eq!(answer.problem(404), "no_such_path");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_by_name() {
    let app = TestApp::start().await;
    assert_eq!(
        app.owner.delete("/v1/me").await.problem(405),
        "method_not_allowed"
    );
}

#[tokio::test]
async fn a_token_whose_owner_left_is_good_no_more() {
    let app = TestApp::start().await;
    let viewer = app.person(Role::Viewer).await;
    viewer.get("/v1/me").await.expect(200);
    sqlx::query("update operators set disabled_at = now() where name = 'viewer'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    app.app.gate.forget();
    assert_eq!(viewer.get("/v1/me").await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_refusal_is_read_also_by_whoever_still_sends_the_body() {
    let app = TestApp::start().await;
    let address = app.url.strip_prefix("http://").expect("a plain server");
    let mut connection = BufReader::new(TcpStream::connect(address).await.expect("it listens"));
    let body = vec![b'x'; 8 << 20];
    let head = format!(
        "POST /v1/imports HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("it reads");
    assert_eq!(answered(&mut connection).await, "HTTP/1.1 401 Unauthorized");
    // More than lies between the two in buffers: it is written only if it is read.
    connection.write_all(&body).await.expect("it is still read");
    let next = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.write_all(next.as_bytes()).await.expect("it reads");
    assert_eq!(answered(&mut connection).await, "HTTP/1.1 200 OK");
}

/// Reads an answer to its end and gives its first line.
async fn answered(connection: &mut BufReader<TcpStream>) -> String {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.expect("an answer comes");
        if line.trim().is_empty() {
            break;
        }
        if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = given.trim().parse().expect("a length is a number");
        }
        head.push(line.trim().to_owned());
    }
    connection
        .read_exact(&mut vec![0; length])
        .await
        .expect("a body comes");
    head.into_iter().next().unwrap_or_default()
}
