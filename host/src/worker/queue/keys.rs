//! The keys of one queue, and what the worker does with them.

use std::fmt::Display;

use crate::config::QueueConfig;
use oculus_job::progress::channel;

/// The keys of one queue; but for results and progress all of them share the queue's cluster slot.
#[derive(Clone)]
pub struct Keys {
    queue: String,
    result_prefix: String,
    job_prefix: String,
}

impl Keys {
    /// Of the queue `queue`.
    pub fn new(queue: &str, rules: &QueueConfig) -> Self {
        Self {
            queue: queue.to_owned(),
            result_prefix: rules.result_prefix.clone(),
            job_prefix: rules.job_prefix.clone(),
        }
    }

    /// The list itself.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The sorted set of tokens by expiry.
    pub fn leases(&self) -> String {
        self.beside("leases")
    }

    /// The last token.
    pub fn fence(&self) -> String {
        self.beside("fence")
    }

    /// The list of dead letters.
    pub fn dead(&self) -> String {
        self.beside("dead")
    }

    /// The hash of the claim with this token; an empty token gives the prefix.
    pub fn job(&self, token: impl Display) -> String {
        self.beside(&format!("job:{token}"))
    }

    /// The token of the id's live attempt.
    pub fn running(&self, id: &str) -> String {
        self.beside(&format!("running:{id}"))
    }

    /// The counts of the id.
    pub fn count(&self, id: &str) -> String {
        self.beside(&format!("count:{id}"))
    }

    /// The payload with which the id succeeded.
    pub fn done(&self, id: &str) -> String {
        self.beside(&format!("done:{id}"))
    }

    /// The id's result.
    pub fn result(&self, id: &str) -> String {
        format!("{}:{id}", self.result_prefix)
    }

    /// The commands that the worker cannot do without, beside its own `pop` and `push`: one or more of every kind of key.
    pub fn needed_commands(&self, pop: &str, push: &str) -> Vec<Vec<String>> {
        let (queue, leases, fence, dead) = (self.queue().to_owned(), self.leases(), self.fence(), self.dead());
        let (job, running, count, done) = (self.job("x"), self.running("x"), self.count("x"), self.done("x"));
        let (result, payload, progress) = (self.result("x"), format!("{}:x", self.job_prefix), channel("x"));
        let needed: [(&String, &[&[&str]]); 11] = [
            (&queue, &[&["LINDEX", "0"], &[pop], &[push, "x"], &["LLEN"], &["BLMOVE", &queue, "LEFT", "LEFT", "0"]]),
            (&leases, &[&["ZADD", "0", "x"], &["ZREM", "x"], &["ZSCORE", "x"], &["ZRANGEBYSCORE", "0", "0"]]),
            (&fence, &[&["GET"], &["SET", "x"]]),
            (&job, &[&["HSET", "x", "x"], &["HGET", "x"], &["HMGET", "x"], &["HEXISTS", "x"], &["DEL"]]),
            (&running, &[&["SET", "x"], &["GET"], &["DEL"]]),
            (&count, &[&["HINCRBY", "x", "1"], &["HGET", "x"], &["HLEN"], &["DEL"]]),
            (&done, &[&["SET", "x"], &["GET"], &["EXISTS"], &["EXPIRE", "1"], &["DEL"]]),
            (&dead, &[&["LPUSH", "x"], &["LLEN"]]),
            (&result, &[&["SET", "x"], &["EXISTS"], &["EXPIRE", "1"]]),
            (&payload, &[&["GETRANGE", "0", "1"]]),
            (&progress, &[&["SET", "x"], &["PUBLISH", "x"]]),
        ];
        let commands = needed.iter().flat_map(|(key, commands)| {
            commands.iter().map(|words| [&words[..1], &[key.as_str()], &words[1..]].concat())
        });
        commands.map(|words| words.into_iter().map(str::to_owned).collect()).collect()
    }

    fn beside(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.queue)
    }
}
