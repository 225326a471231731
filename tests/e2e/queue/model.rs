//! Random histories of a queue: three workers, four jobs, crashes, pauses, and restarts of Redis from
//! older snapshots. After every step, no job is lost and no job runs or ends twice.
//!
//! The model knows only what was pushed and what the workers hold. Redis itself and the scripts are
//! real.

use std::collections::BTreeMap;

use oculus_host::worker::claim::{ClaimId, ClaimRecord, PayloadRecord, StartRecord};
use oculus_host::worker::server_id::ServerId;
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};

use super::*;

const N_WORKERS: usize = 3;
const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// One step of a history. An index is taken modulo the number of choices; a step without a choice does
/// nothing.
#[derive(Clone, Debug)]
enum Step {
    /// Stores a payload of a job and pushes its id.
    Push { id: usize, version: u8 },
    /// A worker claims the next entry.
    Fetch { worker: usize },
    /// A worker admits a claim that it holds.
    Admit { worker: usize, claim: usize },
    /// A worker renews its leases, and restores the claims that Redis has lost.
    Renew { worker: usize },
    /// A worker finishes a claim whose job has started.
    Finish { worker: usize, claim: usize, outcome: Outcome },
    /// A worker dies and another takes its place.
    Crash { worker: usize },
    /// The leases of a worker expire while it is paused.
    Pause { worker: usize },
    /// A worker reaps expired leases.
    Reap { worker: usize },
    /// A backend requests the cancellation of a job.
    Cancel { id: usize },
    /// Redis writes a snapshot.
    Save,
    /// Redis is killed and restarted from its last snapshot.
    Restore,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Success,
    Failure,
    Crash,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let worker = 0..N_WORKERS;
    let id = 0..IDS.len();
    let outcome =
        prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Crash), Just(Outcome::Release)];
    prop_oneof![
        5 => (id.clone(), 0..3_u8).prop_map(|(id, version)| Step::Push { id, version }),
        8 => worker.clone().prop_map(|worker| Step::Fetch { worker }),
        8 => (worker.clone(), any::<usize>()).prop_map(|(worker, claim)| Step::Admit { worker, claim }),
        4 => worker.clone().prop_map(|worker| Step::Renew { worker }),
        6 => (worker.clone(), any::<usize>(), outcome)
            .prop_map(|(worker, claim, outcome)| Step::Finish { worker, claim, outcome }),
        2 => worker.clone().prop_map(|worker| Step::Crash { worker }),
        2 => worker.clone().prop_map(|worker| Step::Pause { worker }),
        3 => worker.prop_map(|worker| Step::Reap { worker }),
        1 => id.prop_map(|id| Step::Cancel { id }),
        2 => Just(Step::Save),
        1 => Just(Step::Restore),
    ]
}

/// A claim as its worker holds it.
struct Held {
    id: ClaimId,
    claim: Claim,
    record: ClaimRecord,
}

impl Held {
    fn is_started(&self) -> bool {
        self.record.start.is_some()
    }

    fn payload(&self) -> Option<String> {
        let payload = self.record.payload.as_ref()?;
        Some(String::from_utf8_lossy(&payload.value).into_owned())
    }
}

/// A worker process: its queue, and the claims that it holds.
struct Process {
    queue: Queue,
    redis: Arc<RedisClient>,
    held: Vec<Held>,
}

impl Process {
    fn start(redis: &Redis) -> Self {
        let client = client(redis);
        // A crash never makes a dead letter here, because a job that vanishes into one looks lost.
        let config = QueueConfig { max_crashes: 1000, ..config() };
        let queue = Queue::new(Q, &Holder::new("worker").unwrap(), &config, Arc::clone(&client));
        Self { queue, redis: client, held: Vec::new() }
    }

    async fn server(&self) -> Option<ServerId> {
        loop {
            if let Ok(server) = self.redis.server().await {
                return server;
            }
        }
    }

    /// Repeats the start of a job whose claim Redis knows but whose start it has lost. Returns whether the
    /// job runs.
    async fn start_again(&self, index: usize) -> bool {
        let held = &self.held[index];
        let start = held.record.start.as_ref().unwrap();
        let reply = self.queue.start(held.id, held.record.id.as_deref().unwrap(), &start.payload_sha256).await.unwrap();
        matches!(reply, Start::Run { .. } | Start::Cancelled { .. })
    }

    /// Restores a claim if Redis has lost it, as the worker does. Returns whether it is held again.
    async fn recover(&mut self, index: usize) -> bool {
        let server = self.server().await;
        let held = &mut self.held[index];
        if server == held.record.server {
            return false;
        }
        let Some(id) = self.queue.adopt(held.id, &held.record).await.unwrap() else { return false };
        held.id = id;
        held.claim.id = id;
        held.record.server = server;
        true
    }
}

/// The facts about each job since the state of Redis: its numbers of pushes and accepted results.
#[derive(Clone, Default)]
struct Ledger(BTreeMap<String, Counts>);

#[derive(Clone, Default)]
struct Counts {
    n_pushed: u32,
    n_accepted: u32,
    /// True if a cancellation was requested. The job then ends, but not with its newest payload.
    is_cancelled: bool,
    /// Payloads of claims that Redis has forgotten, because they were made after its snapshot. Until the
    /// next push, they may be newer than the payload that Redis has.
    forgotten: Vec<String>,
}

/// Redis, the workers, and the model.
struct World {
    redis: Redis,
    workers: Vec<Process>,
    ledger: Ledger,
    /// The ledger at the last snapshot.
    saved: Ledger,
}

impl World {
    fn start() -> Self {
        let redis = Redis::start_with_snapshots();
        redis.save();
        let workers = (0..N_WORKERS).map(|_| Process::start(&redis)).collect();
        Self { redis, workers, ledger: Ledger::default(), saved: Ledger::default() }
    }

    fn counts(&mut self, id: &str) -> &mut Counts {
        self.ledger.0.entry(id.to_owned()).or_default()
    }

    async fn apply(&mut self, step: &Step) {
        match *step {
            Step::Push { id, version } => self.push(IDS[id], version),
            Step::Fetch { worker } => drop(self.fetch(worker).await),
            Step::Admit { worker, claim } => {
                let waiting: Vec<usize> = self.held_by(worker, |held| !held.is_started());
                if let Some(index) = pick(&waiting, claim) {
                    self.admit(worker, index).await;
                }
            }
            Step::Renew { worker } => self.renew(worker).await,
            Step::Finish { worker, claim, outcome } => {
                let started = self.held_by(worker, Held::is_started);
                if let Some(index) = pick(&started, claim) {
                    self.finish(worker, index, outcome).await;
                }
            }
            Step::Crash { worker } => self.crash(worker).await,
            Step::Pause { worker } => {
                self.workers[worker].held.iter().for_each(|held| self.expire(held.id.token));
            }
            Step::Reap { worker } => {
                // More than ten vanished workers would make a dead letter.
                for id in IDS {
                    let _: u64 = self.redis.query(&["HDEL", &format!("{{q}}:count:{id}"), "vanished"]);
                }
                reap(&self.workers[worker].queue).await.unwrap();
            }
            Step::Cancel { id } => {
                let () = self.redis.query(&["SET", &format!("{{q}}:cancel:{}", IDS[id]), "1", "EX", "3600"]);
                self.counts(IDS[id]).is_cancelled = true;
            }
            Step::Save => {
                self.redis.save();
                // A job that only its worker knows is not in the snapshot.
                let mut saved = self.ledger.clone();
                saved.0.retain(|id, _| self.is_in_redis(id));
                self.saved = saved;
            }
            Step::Restore => self.restore().await,
        }
    }

    /// Ends a lease, if it exists, one second ago.
    fn expire(&self, token: u64) {
        let [seconds, _]: [u64; 2] = self.redis.query::<Vec<u64>>(&["TIME"]).try_into().unwrap();
        let end = ((seconds - 1) * 1000).to_string();
        let _: u64 = self.redis.query(&["ZADD", "{q}:leases", "XX", "CH", &end, &token.to_string()]);
    }

    fn push(&mut self, id: &str, version: u8) {
        let () = self.redis.query(&["SET", &format!("job:{id}"), &payload(version)]);
        push(&self.redis, id);
        let counts = self.counts(id);
        counts.n_pushed += 1;
        counts.forgotten.clear();
    }

    async fn fetch(&mut self, worker: usize) -> bool {
        let process = &mut self.workers[worker];
        let Fetched::Claimed(claim) = process.queue.fetch().await.unwrap() else { return false };
        let id = String::from_utf8(claim.entry.clone()).unwrap();
        let payload = claim.payload.clone().map(|value| PayloadRecord { key: format!("job:{id}"), value });
        let record = ClaimRecord {
            entry: claim.entry.clone(),
            id: Some(id),
            payload,
            start: None,
            server: claim.server.clone(),
        };
        process.held.push(Held { id: claim.id, claim, record });
        true
    }

    fn held_by(&self, worker: usize, condition: impl Fn(&Held) -> bool) -> Vec<usize> {
        let held = self.workers[worker].held.iter().enumerate();
        held.filter(|(_, held)| condition(held)).map(|(index, _)| index).collect()
    }

    async fn admit(&mut self, worker: usize, index: usize) {
        let process = &mut self.workers[worker];
        let admission = admit(&process.queue, &process.held[index].claim).await.unwrap();
        match admission {
            Admission::Run(job) | Admission::Cancelled(job) => {
                let held = &mut process.held[index];
                let start =
                    StartRecord { attempt: job.attempt, crashes: job.crashes, payload_sha256: job.payload_sha256 };
                held.record.start = Some(start);
                held.record.payload = job.payload_key.map(|key| PayloadRecord { key, value: job.payload.into_bytes() });
            }
            Admission::Lost if process.recover(index).await => {}
            Admission::Skip | Admission::Lost => drop(process.held.remove(index)),
            Admission::Refused(refusal) => panic!("every entry has a payload: {refusal:?}"),
        }
    }

    async fn renew(&mut self, worker: usize) {
        let process = &mut self.workers[worker];
        for index in (0..process.held.len()).rev() {
            let held = &process.held[index];
            let status = process.queue.renew_through(&process.redis, held.id, held.is_started()).await.unwrap();
            let is_held = match status {
                LeaseStatus::Held | LeaseStatus::Cancelled => true,
                LeaseStatus::Reverted => process.start_again(index).await,
                LeaseStatus::Lost => process.recover(index).await,
            };
            if !is_held {
                process.held.remove(index);
            }
        }
    }

    async fn finish(&mut self, worker: usize, index: usize, outcome: Outcome) {
        let process = &mut self.workers[worker];
        let id = process.held[index].record.id.clone().unwrap();
        let outcome = claim_outcome(&process.held[index], outcome);
        let mut status = process.queue.finish(process.held[index].id, Some(&id), &outcome).await.unwrap();
        if status == FinishStatus::Reverted && process.start_again(index).await {
            status = process.queue.finish(process.held[index].id, Some(&id), &outcome).await.unwrap();
        }
        if status == FinishStatus::Fenced && process.recover(index).await {
            status = process.queue.finish(process.held[index].id, Some(&id), &outcome).await.unwrap();
            assert_ne!(status, FinishStatus::Fenced, "a restored claim is held");
        }
        process.held.remove(index);
        if status == FinishStatus::Finished && matches!(outcome, ClaimOutcome::Result { .. }) {
            self.counts(&id).n_accepted += 1;
        }
    }

    /// Replaces a worker process by a new one. A job that Redis has forgotten and that this worker has not
    /// restored yet is unknown to all then.
    async fn crash(&mut self, worker: usize) {
        let crashed = std::mem::replace(&mut self.workers[worker], Process::start(&self.redis));
        let server = self.workers[worker].server().await;
        for held in crashed.held.iter().filter(|held| held.record.server != server) {
            let id = held.record.id.as_deref().unwrap();
            if !self.is_known(id) {
                self.ledger.0.remove(id);
            }
        }
    }

    /// Kills Redis and restarts it from the snapshot. Jobs that only a live worker knows belong to the
    /// new state too.
    async fn restore(&mut self) {
        self.redis.crash_and_recover();
        self.ledger = self.saved.clone();
        let highest_token = self.redis.query::<Option<u64>>(&["GET", "{q}:fence"]).unwrap_or(0);
        for worker in &self.workers {
            // The first command of each client fails, because its connection is closed.
            while worker.queue.now().await.is_err() {}
            for held in &worker.held {
                let counts = self.ledger.0.entry(held.record.id.clone().unwrap()).or_default();
                // The run of a forgotten claim counts like a push.
                counts.n_pushed += 1;
                if held.id.token > highest_token {
                    counts.forgotten.extend(held.payload());
                }
            }
        }
    }

    /// Checks the invariant.
    async fn check(&self) {
        let audit = self.workers[0].queue.audit().await.unwrap();
        assert_eq!(audit.findings, [], "in a queue with {} entries and {} claims", audit.n_waiting, audit.n_claims);
        for (id, counts) in &self.ledger.0 {
            assert!(counts.n_accepted <= counts.n_pushed, "{id} has more results than pushes");
            assert!(counts.n_pushed == 0 || self.is_known(id), "{id} is lost");
        }
    }

    /// Returns whether a job is known to Redis or held by a live worker.
    fn is_known(&self, id: &str) -> bool {
        let is_held = |held: &Held| held.record.id.as_deref() == Some(id);
        self.is_in_redis(id) || self.workers.iter().any(|worker| worker.held.iter().any(is_held))
    }

    /// Returns whether a job is in the queue, leased, or ended.
    fn is_in_redis(&self, id: &str) -> bool {
        let is_leased = |token: &String| {
            let claim: HashMap<String, String> = self.redis.query(&["HGETALL", &format!("{{q}}:job:{token}")]);
            claim.get("entry").is_some_and(|entry| entry == id) || claim.get("next").is_some_and(|entry| entry == id)
        };
        let tokens: Vec<String> = self.redis.query(&["ZRANGE", "{q}:leases", "0", "-1"]);
        waiting(&self.redis).iter().any(|entry| entry == id)
            || tokens.iter().any(is_leased)
            || self.redis.query::<bool>(&["EXISTS", &format!("result:{id}")])
    }

    /// Lets the workers finish everything, and checks that each job has the result of its newest
    /// payload.
    async fn drain(&mut self) {
        for id in IDS {
            let _: u64 = self.redis.query(&["DEL", &format!("{{q}}:cancel:{id}")]);
        }
        for worker in 0..N_WORKERS {
            self.renew(worker).await;
        }
        // The leases of crashed workers expire.
        let held: Vec<u64> =
            self.workers.iter().flat_map(|worker| worker.held.iter().map(|held| held.id.token)).collect();
        let tokens: Vec<u64> = self.redis.query(&["ZRANGE", "{q}:leases", "0", "-1"]);
        tokens.iter().filter(|token| !held.contains(token)).for_each(|token| self.expire(*token));
        self.apply(&Step::Reap { worker: 0 }).await;
        loop {
            let mut is_idle = true;
            for worker in 0..N_WORKERS {
                is_idle &= !self.fetch(worker).await;
                while let Some(index) = self.held_by(worker, |held| !held.is_started()).pop() {
                    self.admit(worker, index).await;
                }
                while let Some(index) = self.held_by(worker, Held::is_started).pop() {
                    self.finish(worker, index, Outcome::Success).await;
                    is_idle = false;
                }
            }
            if is_idle {
                break;
            }
        }
        self.check().await;
        assert_eq!(self.redis.query::<u64>(&["ZCARD", "{q}:leases"]), 0);
        for (id, counts) in self.ledger.0.iter().filter(|(_, counts)| counts.n_pushed > 0) {
            let stored: String = self.redis.query(&["GET", &format!("job:{id}")]);
            let result: Value = self.redis.json_at(&format!("result:{id}"));
            let is_newest = counts.forgotten.iter().chain([&stored]).any(|payload| result["payload"] == json!(payload));
            assert!(is_newest || counts.is_cancelled, "{id} has the result {result} instead of that of {stored}");
        }
    }
}

fn payload(version: u8) -> String {
    format!(r#"{{"symbols":["A"],"version":{version}}}"#)
}

/// Returns an outcome whose result contains the payload of its job.
fn claim_outcome(held: &Held, outcome: Outcome) -> ClaimOutcome {
    let message = ResultMessage { result: json!({ "payload": held.payload() }).to_string(), event: "{}".to_owned() };
    let succeeded = held.record.start.as_ref().map(|start| start.payload_sha256.clone());
    match outcome {
        Outcome::Success => ClaimOutcome::Result { message, succeeded, submission: None },
        Outcome::Failure => ClaimOutcome::Result { message, succeeded: None, submission: None },
        Outcome::Crash => crash(),
        Outcome::Release => ClaimOutcome::Release,
    }
}

fn pick(indexes: &[usize], choice: usize) -> Option<usize> {
    indexes.get(choice.checked_rem(indexes.len())?).copied()
}

#[test]
fn no_history_of_faults_loses_a_job_or_runs_it_twice() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let default = ProptestConfig::default();
    // Without the variable, 64 histories keep the test short. A change of a script deserves thousands.
    let cases = std::env::var_os("PROPTEST_CASES").map_or(64, |_| default.cases);
    let config = ProptestConfig { cases, max_shrink_iters: 300, failure_persistence: None, ..default };
    let histories = proptest::collection::vec(step(), 1..60);
    let result = TestRunner::new(config).run(&histories, |steps| {
        runtime.block_on(async {
            let mut world = World::start();
            for step in &steps {
                world.apply(step).await;
                world.check().await;
            }
            world.drain().await;
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
