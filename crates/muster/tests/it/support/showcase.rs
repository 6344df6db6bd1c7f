//! A tenant as it looks after a while: the demo's files imported, bots part of the way, something of everything that needs a
//! person. What screens are looked at with.

use std::{sync::atomic::Ordering, time::Duration};

use muster::{
    demo::{self, Bots, Simulation},
    tick,
};
use muster_client::Client;
use secrecy::SecretString;
use serde_json::json;

use super::TestApp;

/// How many steps bots work before they are stopped: enough for accounts in every state.
const STEPS: u64 = 700;

impl TestApp {
    /// Plays the demo half through.
    pub async fn showcase(&self) {
        let owner =
            Client::new(&self.url, SecretString::from(self.owner.token().to_owned())).expect("a client");
        demo::import(&owner, &demo::samples(), |_, _| {})
            .await
            .expect("the files are imported");
        demo::illustrate(&owner).await.expect("pictures are drawn");
        // The stories of one model are for people.
        self.run("update models set people_steps = '{4}' where id = (select min(id) from models)")
            .await;
        demo::begin(&owner).await.expect("the warm-ups begin");
        let simulation = Simulation {
            bots: 3,
            concurrency: 4,
            latency_ms: (1, 3),
            failures_percent: 8,
            reviews_permille: 25,
        };
        let mut bots = Bots::start(&owner, simulation).await.expect("bots start");
        while bots.steps.load(Ordering::Relaxed) < STEPS {
            bots.all_working().expect("they work");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bots.stop().await.expect("they stop");
        let first = self
            .owner
            .get("/v1/reviews?filter=kind:finished&limit=40")
            .await
            .expect(200);
        let ids: Vec<_> = first["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|r| r["account"]["id"].clone())
            .collect();
        let decided = json!({"decision": "approve", "reason": "profile, story and post as agreed", "ids": ids[..ids.len() / 2]});
        self.owner.post("/v1/reviews", decided).await.expect(200);
        let activate = json!({"event": "activate", "reason": "campaign starts", "ids": ids[..ids.len() / 3]});
        self.owner
            .post("/v1/accounts/transitions", activate)
            .await
            .expect(200);
        // Some of these are active already, and are refused.
        let bulk = json!({"event": "activate", "reason": "campaign starts in the north", "wait_secs": 0,
            "ids": ids[ids.len() / 4..ids.len() * 2 / 5]});
        self.owner.post("/v1/batches", bulk).await.expect(201);
        tick::do_batches(&self.app, &self.scheduler().await)
            .await
            .expect("the timer runs");
        // Somebody has begun one of them.
        self.owner
            .post("/v1/work/claim", json!({"max": 1}))
            .await
            .expect(200);
        // A file that somebody has still to decide, with something of everything in it.
        let model = self.look("select min(name) from models").await.expect("a model");
        let username = self
            .look("select min(username) from accounts")
            .await
            .expect("an account");
        let file = format!(
            "Handle;E-mail;Brand;Authorisation;Reference;Password;City;Notes\n\
             {username};new.address@example.com;{model};owned;C-100;;Bath;\n\
             @river.walks;river@example.com;{model};client consent;C-101;s3cret-one;Wells;call first\n\
             @tidal.pools;tidal at example.com;{model};owned;C-102;s3cret-two;Bude;\n\
             @moor.lights;moor@example.com;Nowhere;owned;C-103;;;\n\
             @river.walks;twice@example.com;{model};owned;;;;\n\
             @fen.paths;fen@example.com;{model}\n"
        );
        let path = "/v1/imports?kind=accounts&file_name=spring%20accounts.csv";
        let staged = self
            .owner
            .send(self.owner.request(reqwest::Method::POST, path).body(file))
            .await;
        staged.expect(201);
        self.fold().await;
        // Time goes by for nobody in a test.
        self.run(
            "update accounts set state_changed_at = now() - make_interval(hours => (id % 97)::int)
                where lifecycle_state <> 'warming_up' or id % 9 = 0;
             update account_state_history h set created_at = a.state_changed_at
                from accounts a where a.tenant_id = h.tenant_id and a.id = h.account_id and h.to_state = a.lifecycle_state
                and a.lifecycle_state in ('human_review', 'imported')
                and h.created_at = (select max(created_at) from account_state_history m
                    where m.tenant_id = h.tenant_id and m.account_id = h.account_id);
             update accounts set authorisation_expires_at = now() + interval '12 days' where id % 41 = 0 and authorisation_basis is not null;
             update accounts set authorisation_expires_at = now() - interval '1 day' where id % 83 = 0 and authorisation_basis is not null;
             update proxies set last_tested_at = now() - make_interval(hours => (id % 50)::int), last_latency_ms = 80 + id % 140
                where id % 11 <> 0;
             update proxies set status = 'error', last_error_message = 'the proxy refused the connection', last_tested_at = now()
                where id % 23 = 0",
        )
        .await;
        // A batch that can be undone, but for those that were active, and one to which something happened since.
        let mixed = &ids[ids.len() / 4..ids.len() / 2];
        let flag =
            json!({"event": "flag", "reason": "the agreed links are missing", "wait_secs": 0, "ids": mixed});
        self.owner.post("/v1/batches", flag).await.expect(201);
        tick::do_batches(&self.app, &self.scheduler().await)
            .await
            .expect("the timer runs");
        let approve =
            json!({"decision": "approve", "reason": "the links are there", "ids": mixed[mixed.len() - 1..]});
        self.owner.post("/v1/reviews", approve).await.expect(200);
        let today = chrono::Utc::now().date_naive();
        let rollup = json!({"from": today - chrono::Days::new(27), "to": today});
        self.owner.post("/v1/metrics/rollup", rollup).await.expect(200);
    }
}
