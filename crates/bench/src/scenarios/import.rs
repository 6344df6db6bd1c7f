//! An import of accounts and proxies over HTTP, read, compared with what is stored, shown and committed; against raw binary
//! COPY of the same rows, sealed secrets among them, into the same tables with the same indexes and triggers. The serving role
//! may not COPY into tables under row-level security, so the superuser does.

use std::{fmt::Write as _, time::Instant};

use anyhow::{Result, ensure};
use hyper::{Method, body::Bytes};
use serde::Deserialize;
use serde_json::json;

use super::told;
use crate::{
    bench::{Bench, Fill, RUN, Template},
    cluster::SUPERUSER,
    http::Connection,
    report::Run,
};

pub const NAME: &str = "import";
pub const OURS: &str = "Muster over HTTP: upload, commit";
pub const COPY: &str = "binary COPY into the same tables";

/// Pictures, or texts, of each type in a model's pools.
const POOL_ITEMS: i32 = 20;

const MODELS: i32 = 10;

/// The tables that are filled, in the order that their keys ask for.
const TABLES: [&str; 2] = ["proxies", "accounts"];

#[derive(Deserialize)]
struct Import {
    id: i64,
    new_rows: i64,
    rejected_rows: i64,
}

/// Runs the import, then the COPY of what it stored, as often as there are rounds.
///
/// # Errors
/// When something fails, or stored other rows than it should have.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let fill = Fill {
        models: MODELS,
        items: POOL_ITEMS,
        accounts: 0,
        warming: 0,
    };
    let template = bench.template("import", &[fill]).await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.rounds {
        runs.push(ours(bench, &template).await?);
        copy_out(bench).await?;
        runs.push(copy_in(bench, &template).await?);
    }
    bench.clear(&[&template]).await?;
    Ok(runs)
}

async fn ours(bench: &Bench, template: &Template) -> Result<Run> {
    let (accounts, proxies) = (
        accounts_file(bench.sizes.imported_accounts),
        proxies_file(bench.sizes.imported_proxies),
    );
    let server = bench.serve(template).await?;
    let mut owner = server.owner().await?;
    let meter = bench.meter(Some(&server)).await?;
    let began = Instant::now();
    let mut times = [[0.0; 2]; 2];
    for (times, (kind, file, rows)) in times.iter_mut().zip([
        ("proxies", proxies, bench.sizes.imported_proxies),
        ("accounts", accounts, bench.sizes.imported_accounts),
    ]) {
        *times = store(&mut owner, kind, file, rows).await?;
    }
    let took = began.elapsed();
    let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
    check(bench).await?;
    let cost = bench.finish(server, &meter, cost).await?;
    let run = Run::new(NAME, OURS, "rows", rows(bench), took.as_secs_f64()).cost(cost);
    let [
        [proxies_upload, proxies_commit],
        [accounts_upload, accounts_commit],
    ] = times;
    Ok(told(
        run.figure("proxies, upload and compare, seconds", proxies_upload)
            .figure("proxies, commit, seconds", proxies_commit)
            .figure("accounts, upload and compare, seconds", accounts_upload)
            .figure("accounts, commit, seconds", accounts_commit),
    ))
}

/// Uploads a file, which compares it with what is stored, and commits it. Gives how long each took.
async fn store(owner: &mut Connection, kind: &str, file: Bytes, rows: u32) -> Result<[f64; 2]> {
    let began = Instant::now();
    let path = format!("/v1/imports?kind={kind}&file_name={kind}.csv");
    let staged = owner.send(Method::POST, &path, "text/csv", file).await?;
    let uploaded = began.elapsed();
    let staged: Import = serde_json::from_slice(&staged)?;
    ensure!(
        staged.new_rows == i64::from(rows) && staged.rejected_rows == 0,
        "of {rows} {kind} {} are new and {} refused",
        staged.new_rows,
        staged.rejected_rows
    );
    let _: Import = owner
        .post(
            &format!("/v1/imports/{}/commit", staged.id),
            &json!({"rows": "all"}),
        )
        .await?;
    Ok([uploaded.as_secs_f64(), (began.elapsed() - uploaded).as_secs_f64()])
}

/// Writes what was imported to files.
async fn copy_out(bench: &Bench) -> Result<()> {
    let mut admin = bench.cluster.connect(SUPERUSER, RUN).await?;
    for table in TABLES {
        let copy = sqlx::query(include_str!("../../sql/call_copy_out.sql"))
            .bind(table)
            .bind(file(bench, table));
        copy.execute(&mut admin).await?;
    }
    Ok(())
}

async fn copy_in(bench: &Bench, template: &Template) -> Result<Run> {
    bench.copy(template).await?;
    let meter = bench.meter(None).await?;
    let mut admin = bench.cluster.connect(SUPERUSER, RUN).await?;
    let mut run = Run::new(NAME, COPY, "rows", rows(bench), 0.0);
    for table in TABLES {
        let began = Instant::now();
        let copy = sqlx::query(include_str!("../../sql/call_copy_in.sql"));
        copy.bind(1_i64)
            .bind(table)
            .bind(file(bench, table))
            .execute(&mut admin)
            .await?;
        run.secs += began.elapsed().as_secs_f64();
        run = run.figure(&format!("{table}, seconds"), began.elapsed().as_secs_f64());
    }
    drop(admin);
    let mut cost = meter.stop(&bench.cluster, None).await?;
    check(bench).await?;
    meter.settle(&bench.cluster, &mut cost).await?;
    for table in TABLES {
        std::fs::remove_file(file(bench, table))?;
    }
    Ok(told(run.cost(cost)))
}

fn file(bench: &Bench, table: &str) -> String {
    bench.cluster.dir().join(table).display().to_string()
}

fn rows(bench: &Bench) -> u64 {
    u64::from(bench.sizes.imported_accounts) + u64::from(bench.sizes.imported_proxies)
}

async fn check(bench: &Bench) -> Result<()> {
    let mut admin = bench.cluster.connect(SUPERUSER, RUN).await?;
    let stored: (i64, i64) = sqlx::query_as(include_str!("../../sql/imported.sql"))
        .fetch_one(&mut admin)
        .await?;
    let wanted = (
        i64::from(bench.sizes.imported_accounts),
        i64::from(bench.sizes.imported_proxies),
    );
    ensure!(
        stored == wanted,
        "{stored:?} accounts and proxies are stored, not {wanted:?}"
    );
    Ok(())
}

fn accounts_file(rows: u32) -> Bytes {
    let mut file = String::from(
        "username,email,model,authorisation_basis,authorisation_reference,password,bio,profile_picture_url,location_city,\
         location_niche\n",
    );
    for n in 1..=rows {
        let model = 1 + n % MODELS.unsigned_abs();
        let _ = writeln!(
            file,
            "account.{n},account{n}@example.org,model {model},owned,contract {n},not-a-secret-{n},What account {n} says of \
             itself,https://cdn.example.org/pictures/{n}.jpg,London,coffee"
        );
    }
    Bytes::from(file)
}

fn proxies_file(rows: u32) -> Bytes {
    let mut file = String::from("scheme,host,port,username,password,provider,location,monthly_cost\n");
    for n in 1..=rows {
        let _ = writeln!(
            file,
            "http,p{n}.example.net,8080,user{n},not-a-secret-{n},a provider,London,3.50"
        );
    }
    Bytes::from(file)
}
