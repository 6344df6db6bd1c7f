//! Clients that ask the server the same small question all the while, each one request at a time and none of them twice, and note
//! how each went: what somebody would see who knows nothing of the fault.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::{task::JoinSet, time::Instant};

/// How many ask.
const CLIENTS: usize = 4;

/// How long each waits before it asks again.
const PAUSE_MS: u64 = 10;

/// One question and how it was answered.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    took: Duration,
    is_good: bool,
}

/// What was seen since a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Good answers to what was asked since.
    pub good: usize,
    /// How long after the moment the last answer came that was not good, or how long nothing was answered.
    pub bad_for: Duration,
    /// The longest that anybody waited for an answer.
    pub longest: Duration,
}

pub struct Watch {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Watch {
    /// Watches whatever the address says, with a bot's token.
    pub fn start(url: &Arc<Mutex<String>>, token: &SecretString) -> Self {
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (url, token) = (url.clone(), token.clone());
            let (asked, stop) = (asked.clone(), stop.clone());
            clients.spawn(async move {
                let http = super::http();
                while !stop.load(Ordering::Relaxed) {
                    let held = format!("{}/v1/work/held", url.lock().expect("a lock"));
                    let at = Instant::now();
                    let answer = http.get(held).bearer_auth(token.expose_secret()).send().await;
                    let one = Asked {
                        at,
                        took: at.elapsed(),
                        is_good: answer.is_ok_and(|answer| answer.status().is_success()),
                    };
                    asked.lock().expect("a lock").push(one);
                    tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
                }
            });
        }
        Self { asked, stop, clients }
    }

    /// What was seen since a moment.
    pub fn since(&self, moment: Instant) -> Seen {
        let asked = self.asked.lock().expect("a lock");
        let mut seen = Seen::default();
        for one in asked.iter() {
            let answered = one.at + one.took;
            if answered < moment {
                continue;
            }
            seen.longest = seen.longest.max(one.took);
            if !one.is_good {
                seen.bad_for = seen.bad_for.max(answered - moment);
            } else if one.at >= moment {
                seen.good += 1;
            }
        }
        seen
    }

    /// Waits until this many good answers came to what was asked from now on.
    pub async fn good(&self, answers: usize) {
        let now = Instant::now();
        let waited = async {
            while self.since(now).good < answers {
                tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waited)
            .await
            .expect("it answers again");
    }

    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}
