//! No room: the volume of the data or that of the WAL is full, or the archive takes nothing, while bots claim and report. What was
//! acknowledged is there, reads go on as long as PostgreSQL runs, and work goes on within ten seconds of there being room again. The
//! controls, in which commits do not wait for the disk and an archive says that it has what it has not, lose some.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    time::Duration,
};

use muster::cluster::{self, Archive, Cluster};
use nix::sys::signal::{Signal, kill};
use reqwest::{StatusCode, header::RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Executor, PgConnection};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::{
    PATIENCE, http,
    load::{Acknowledged, Ground, Load, Served, lost, processes, serve, superuser},
    long,
    volume::{Volume, with_wal_in},
    watch::Watch,
};

const ACCOUNTS: usize = 2_000;

/// The volume of the data, which has room for these accounts and little more.
const DATA_MIB: u32 = 256;

/// The volume of the WAL, likewise.
const WAL_MIB: u32 = 192;

/// How soon all is well once there is room, in the short and the long form: the short form shares the machine with other tests.
const HEALTHY: [Duration; 2] = [Duration::from_secs(40), Duration::from_secs(10)];

/// How long PostgreSQL fails to start, again and again, because there is no room for WAL, in the short and the long form.
const FULL: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// Steps that the control has acknowledged while nothing is written to disk.
const UNWRITTEN_STEPS: u64 = 100;

/// How often the control is tried, at most.
const CONTROLS_MAX: u32 = 5;

/// Steps that are acknowledged while the archive takes nothing.
const UNARCHIVED_STEPS: u64 = 300;

/// A volume, or none where this process may not mount, which the long form does not let pass.
fn volume(mebibytes: u32) -> Option<Volume> {
    let volume = Volume::mount(mebibytes);
    if volume.is_none() {
        assert_eq!(long(), 0, "nothing can be mounted here: run make faults as root");
        println!("NOT TESTED: nothing can be mounted here, so that no volume can be full");
    }
    volume
}

/// A folder that PostgreSQL can get to.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("a mode");
    folder
}

/// Everything is well: nothing was lost, and nothing is left.
async fn end(ground: Ground, mut served: Served, watch: Watch, load: Load) -> usize {
    watch.stop().await;
    let acknowledged = load.stop().await;
    served.kill();
    let steps = acknowledged.steps.len();
    ground.end(acknowledged).await;
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_volume_of_data_loses_nothing_and_reads_go_on() {
    let Some(volume) = volume(DATA_MIB) else { return };
    let elsewhere = folder();
    let cluster = with_wal_in(&volume.path("data"), &elsewhere.path().join("wal")).await;
    let ground = Ground::on(cluster, ACCOUNTS).await;
    let served = serve(&ground);
    let (token, owner) = (ground.bot_token().await, ground.owner_token().await);
    let load = Load::start(served.url.clone(), &token);
    let watch = Watch::start(&load.url, &token);
    load.progress(500).await;

    volume.fill();
    let full = Instant::now();
    let note = Note::new(&served.url, &owner);
    while note.write().await != StatusCode::SERVICE_UNAVAILABLE {
        assert!(full.elapsed() < PATIENCE, "it is not full");
    }
    watch.good(200).await;
    let seen = watch.since(full);
    assert_eq!(seen.bad_for, Duration::ZERO, "reads go on: {seen:?}");
    volume.free();
    let freed = Instant::now();
    while note.write().await != StatusCode::NO_CONTENT {}
    let back = freed.elapsed();
    load.progress(200).await;
    let steps = end(ground, served, watch, load).await;
    println!(
        "data full: {steps} acknowledged, 0 lost; {} reads, none refused; writes went on after {back:?}",
        seen.good
    );
    assert!(back <= HEALTHY[long()], "{back:?}");
}

/// Writes notes as long as they can be, so that there is soon no room.
struct Note {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

impl Note {
    fn new(url: &str, token: &SecretString) -> Self {
        Self {
            http: http(),
            url: format!("{url}/v1/accounts/1/notes"),
            token: token.clone(),
        }
    }

    async fn write(&self) -> StatusCode {
        let note = serde_json::json!({"text": "x".repeat(2_000)});
        let asked = self.http.post(&self.url).json(&note);
        let answer = asked
            .bearer_auth(self.token.expose_secret())
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        assert!(
            status == StatusCode::NO_CONTENT
                || status == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key(RETRY_AFTER),
            "{status}"
        );
        status
    }
}

/// A server whose WAL is on a volume of its own, and bots.
async fn on_a_volume_of_wal(volume: &Volume, elsewhere: &TempDir) -> (Ground, Served, Watch, Load) {
    let cluster = with_wal_in(&elsewhere.path().join("data"), &volume.path("wal")).await;
    let ground = Ground::on(cluster, ACCOUNTS).await;
    let served = serve(&ground);
    let token = ground.bot_token().await;
    let load = Load::start(served.url.clone(), &token);
    let watch = Watch::start(&load.url, &token);
    load.progress(500).await;
    (ground, served, watch, load)
}

/// Fills the volume and has WAL written until PostgreSQL gives up, which the work that goes on may also make it do. Whatever does
/// not wait for WAL gets so many steps further each time.
async fn run_out_of_wal(ground: &Ground, volume: &Volume, load: &Load, steps: u64) {
    let (mut db, mut sleeper) = (ground.superuser().await, ground.superuser().await);
    volume.fill();
    let fill = async {
        while db.execute("select pg_switch_wal()").await.is_ok() {
            load.progress(steps).await;
        }
    };
    let gives_up = async {
        tokio::select! {
            () = fill => {}
            // Ends early with PostgreSQL.
            _ = sleeper.execute("select pg_sleep(3600)") => {}
        }
    };
    tokio::time::timeout(PATIENCE, gives_up)
        .await
        .expect("it is full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_volume_of_wal_loses_nothing_and_work_goes_on_by_itself_when_there_is_room() {
    let Some(volume) = volume(WAL_MIB) else { return };
    let elsewhere = folder();
    let (ground, served, watch, load) = on_a_volume_of_wal(&volume, &elsewhere).await;
    run_out_of_wal(&ground, &volume, &load, 0).await;
    let before = load.count();
    // This is the fault itself.
    tokio::time::sleep(FULL[long()]).await;
    println!("WAL full: {} acknowledged meanwhile", load.count() - before);
    volume.free();
    let freed = Instant::now();
    watch.good(20).await;
    load.progress(200).await;
    let back = watch.since(freed).bad_for;
    let steps = end(ground, served, watch, load).await;
    println!("WAL full: {steps} acknowledged, 0 lost; no errors after {back:?}");
    assert!(back <= HEALTHY[long()], "{back:?}");
}

/// The control: that the comparison sees what was only in PostgreSQL's memory when it ran out of WAL. Whoever runs out of it first may
/// have written everything just before, so it is tried several times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_do_not_wait_for_the_disk_are_lost_when_wal_has_no_room() {
    for _ in 0..CONTROLS_MAX {
        let Some(volume) = volume(WAL_MIB) else { return };
        if lost_without_room(&volume).await > 0 {
            return;
        }
    }
    panic!("the comparison sees no loss");
}

/// How many acknowledged steps are gone after PostgreSQL ran out of WAL, when commits do not wait for it.
async fn lost_without_room(volume: &Volume) -> usize {
    let elsewhere = folder();
    let (ground, mut served, watch, load) = on_a_volume_of_wal(volume, &elsewhere).await;
    crate::kills::commit_without_waiting(&ground).await;
    for writer in processes(&ground.cluster, "walwriter") {
        kill(writer, Signal::SIGSTOP).expect("SIGSTOP");
    }
    let writers = processes(&ground.cluster, "walwriter");
    run_out_of_wal(&ground, volume, &load, UNWRITTEN_STEPS).await;
    for writer in writers {
        let _ = kill(writer, Signal::SIGKILL);
    }
    volume.free();
    watch.good(20).await;
    watch.stop().await;
    let acknowledged = load.stop().await;
    served.kill();
    let gone = gone(&ground, &acknowledged).await;
    println!(
        "WAL full, control: {} acknowledged, {gone} lost",
        acknowledged.steps.len()
    );
    ground.cluster.stop().await.expect("it stops");
    gone
}

async fn gone(ground: &Ground, acknowledged: &Acknowledged) -> usize {
    lost(&mut superuser(&ground.cluster).await, acknowledged)
        .await
        .len()
        + acknowledged.doubled.len()
}

/// A cluster that archives into a folder by this command, in which `ARCHIVE` is the folder.
async fn archived(above: &Path, command: &str) -> Cluster {
    let archive = above.join("archive");
    fs::create_dir(&archive).expect("a folder");
    let folder = Cluster::hold(&above.join("live")).await.expect("it is new");
    let (uid, gid) = (folder.server.uid.into(), folder.server.gid.into());
    chown(&archive, Some(uid), Some(gid)).expect("an owner");
    let settings = cluster::Settings {
        archive: Archive::Push {
            command: command.replace("ARCHIVE", archive.to_str().expect("text")),
            environment: Vec::new(),
        },
        ..cluster::Settings::default()
    };
    Cluster::start_in(folder, settings).await.expect("it starts")
}

/// Begins a new segment; gives the name of the one that ended.
async fn next_segment(db: &mut PgConnection) -> String {
    sqlx::query_scalar("select pg_walfile_name(pg_switch_wal())")
        .fetch_one(db)
        .await
        .expect("a segment")
}

/// The segments that were begun and are not in the archive, up to one.
fn missing(archive: &Path, last: &str) -> usize {
    let number = |name: &str| {
        let (log, part) = (&name[8..16], &name[16..24]);
        let read = |hex| u64::from_str_radix(hex, 16).expect("a number");
        read(log) * 256 + read(part)
    };
    let there = fs::read_dir(archive).expect("a folder").flatten();
    let there = there.filter(|file| file.file_name().len() == last.len()).count() as u64;
    // The first is number 1.
    usize::try_from(number(last) - there).expect("no more than there are")
}

/// Lets the archive take nothing for a while, and then everything again; gives how many segments it lacks in the end, and how
/// soon it had them.
async fn block_the_archive(ground: &Ground, load: &Load, archive: &Path) -> (usize, Duration) {
    let mut db = ground.superuser().await;
    fs::set_permissions(archive, Permissions::from_mode(0o000)).expect("a mode");
    for _ in 0..3 {
        load.progress(UNARCHIVED_STEPS / 3).await;
        next_segment(&mut db).await;
    }
    fs::set_permissions(archive, Permissions::from_mode(0o700)).expect("a mode");
    let opened = Instant::now();
    loop {
        load.progress(10).await;
        let last = next_segment(&mut db).await;
        let is_archived: bool =
            sqlx::query_scalar("select coalesce(last_archived_wal >= $1, false) from pg_stat_archiver")
                .bind(&last)
                .fetch_one(&mut db)
                .await
                .expect("a view");
        if is_archived {
            return (missing(archive, &last), opened.elapsed());
        }
        assert!(opened.elapsed() < PATIENCE, "it is never archived");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_takes_nothing_stops_no_work_and_lacks_nothing_when_it_is_back() {
    let above = folder();
    let cluster = archived(above.path(), "cp %p ARCHIVE/%f").await;
    let ground = Ground::on(cluster, ACCOUNTS).await;
    let served = serve(&ground);
    let token = ground.bot_token().await;
    let load = Load::start(served.url.clone(), &token);
    let watch = Watch::start(&load.url, &token);
    watch.good(1).await;
    let begun = Instant::now();
    let (missing, back) = block_the_archive(&ground, &load, &above.path().join("archive")).await;
    let seen = watch.since(begun);
    let steps = end(ground, served, watch, load).await;
    println!(
        "archive: {steps} acknowledged, 0 lost; {} reads; nothing missing {back:?} after it is back",
        seen.good
    );
    assert_eq!((missing, seen.bad_for), (0, Duration::ZERO));
    assert!(back <= HEALTHY[long()], "{back:?}");
}

/// The control: that what an archive lacks is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_says_it_has_what_it_has_not_lacks_some() {
    let above = folder();
    let cluster = archived(above.path(), "cp %p ARCHIVE/%f || true").await;
    let ground = Ground::on(cluster, ACCOUNTS).await;
    let mut served = serve(&ground);
    let load = Load::start(served.url.clone(), &ground.bot_token().await);
    let (missing, _) = block_the_archive(&ground, &load, &above.path().join("archive")).await;
    println!("archive, control: {missing} segments are missing");
    assert!(missing > 0, "nothing is seen to be missing");
    load.stop().await;
    served.kill();
    ground.cluster.stop().await.expect("it stops");
}
