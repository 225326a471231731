//! The Redis keys of one queue, and the commands that the worker needs for them.

use std::fmt::Display;

use oculus_job::progress::channel;

use crate::config::QueueConfig;

/// The Redis keys of one queue. All of them are in the cluster slot of the queue, except results,
/// payloads and progress channels.
#[derive(Clone)]
pub(in crate::worker) struct Keys {
    queue: String,
    result_prefix: String,
    job_prefix: String,
}

impl Keys {
    /// Creates the keys of the queue `queue`.
    pub(in crate::worker) fn new(queue: &str, config: &QueueConfig) -> Self {
        Self {
            queue: queue.to_owned(),
            result_prefix: config.result_prefix.clone(),
            job_prefix: config.job_prefix.clone(),
        }
    }

    /// Returns the key of the list of entries.
    pub(in crate::worker) fn queue(&self) -> &str {
        &self.queue
    }

    /// Returns the key of the sorted set of leases: tokens, scored by expiry.
    pub(in crate::worker) fn leases(&self) -> String {
        self.in_slot("leases")
    }

    /// Returns the key of the last token that was issued.
    pub(in crate::worker) fn fence(&self) -> String {
        self.in_slot("fence")
    }

    /// Returns the key that is written when replicas must confirm a result.
    pub(super) fn replicated(&self) -> String {
        self.in_slot("replicated")
    }

    /// Returns the key of the list of dead letters.
    pub(in crate::worker) fn dead(&self) -> String {
        self.in_slot("dead")
    }

    /// Returns the key of the claim with this token. If the token is empty, returns the prefix of
    /// all claims.
    pub(in crate::worker) fn claim(&self, token: impl Display) -> String {
        self.in_slot(&format!("job:{token}"))
    }

    /// Returns the key that stores the token of the job's running attempt.
    pub(in crate::worker) fn running(&self, id: &str) -> String {
        self.in_slot(&format!("running:{id}"))
    }

    /// Returns the key that stores the counts of a job: attempts, crashes and vanished workers.
    pub(in crate::worker) fn count(&self, id: &str) -> String {
        self.in_slot(&format!("count:{id}"))
    }

    /// Returns the key that marks the success of a job. It stores the SHA-256 of the payload that
    /// succeeded.
    pub(in crate::worker) fn done(&self, id: &str) -> String {
        self.in_slot(&format!("done:{id}"))
    }

    /// Returns the key that stores the token of the attempt that ended the job last.
    pub(in crate::worker) fn ended(&self, id: &str) -> String {
        self.in_slot(&format!("ended:{id}"))
    }

    /// Returns the key with which a backend requests the cancellation of a job.
    pub(in crate::worker) fn cancel(&self, id: &str) -> String {
        self.in_slot(&format!("cancel:{id}"))
    }

    /// Returns the key that pauses the queue while it exists.
    pub(in crate::worker) fn paused(&self) -> String {
        self.in_slot("paused")
    }

    /// Returns the key of the list of recent results, newest first.
    pub(in crate::worker) fn recent(&self) -> String {
        self.in_slot("recent")
    }

    /// Returns the key of the sorted set of workers: boot ids, scored by the time of the last report.
    pub(in crate::worker) fn workers(&self) -> String {
        self.in_slot("workers")
    }

    /// Returns the key of the last report of the worker with this boot id. If the boot id is empty,
    /// returns the prefix of all reports.
    pub(in crate::worker) fn worker(&self, boot: impl Display) -> String {
        self.in_slot(&format!("worker:{boot}"))
    }

    /// Returns the key with which an operator drains the worker with this boot id.
    pub(in crate::worker) fn drain(&self, boot: impl Display) -> String {
        self.in_slot(&format!("drain:{boot}"))
    }

    /// Returns the key at which a producer stores the payload of the job `id`, unless the producer
    /// names another key.
    pub(in crate::worker) fn payload(&self, id: &str) -> String {
        format!("{}:{id}", self.job_prefix)
    }

    /// Returns the key of the result of a job.
    pub(in crate::worker) fn result(&self, id: &str) -> String {
        format!("{}:{id}", self.result_prefix)
    }

    /// Returns every command that the worker sends, with an example of its key and arguments.
    ///
    /// * `pop`, `push`: the commands for the configured end of the list.
    pub(in crate::worker) fn needed_commands(&self, pop: &str, push: &str) -> Vec<Vec<String>> {
        // If a key has a variable part, this part is `x` in the example. Rights are granted to
        // prefixes, so a right that covers the example covers all keys of the same kind.
        let queue = self.queue().to_owned();
        let needed: [(String, &[&[&str]]); 18] = [
            (
                queue.clone(),
                &[
                    &["LINDEX", "0"],
                    &[pop],
                    &[push, "x"],
                    &["LLEN"],
                    &["LRANGE", "0", "0"],
                    &["BLMOVE", &queue, "LEFT", "LEFT", "0"],
                ],
            ),
            (
                self.leases(),
                &[
                    &["ZADD", "0", "x"],
                    &["ZREM", "x"],
                    &["ZSCORE", "x"],
                    &["ZRANGE", "0", "0"],
                    &["ZRANGEBYSCORE", "0", "0"],
                ],
            ),
            (self.fence(), &[&["GET"], &["SET", "x"]]),
            (
                self.claim("x"),
                &[&["HSET", "x", "x"], &["HGET", "x"], &["HMGET", "x"], &["HEXISTS", "x"], &["HDEL", "x"], &["DEL"]],
            ),
            (self.running("x"), &[&["SET", "x"], &["GET"], &["DEL"]]),
            (self.count("x"), &[&["HINCRBY", "x", "1"], &["HSET", "x", "x"], &["HGET", "x"], &["HLEN"], &["DEL"]]),
            (self.done("x"), &[&["SET", "x"], &["GET"], &["EXISTS"], &["EXPIRE", "1"], &["DEL"]]),
            (self.ended("x"), &[&["SET", "x"], &["GET"]]),
            (self.cancel("x"), &[&["SET", "x"], &["DEL"]]),
            (self.paused(), &[&["EXISTS"]]),
            (self.recent(), &[&["LPUSH", "x"], &["LTRIM", "0", "0"]]),
            (self.workers(), &[&["ZADD", "0", "x"], &["ZREM", "x"], &["ZREMRANGEBYSCORE", "0", "0"]]),
            (self.worker("x"), &[&["SET", "x"], &["DEL"]]),
            (self.drain("x"), &[&["GET"], &["DEL"]]),
            (self.dead(), &[&["LPUSH", "x"], &["LLEN"], &["LRANGE", "0", "0"]]),
            (self.result("x"), &[&["SET", "x"], &["EXISTS"], &["EXPIRE", "1"], &["DEL"]]),
            (self.payload("x"), &[&["GETRANGE", "0", "1"], &["STRLEN"], &["GET"]]),
            (channel("x"), &[&["SET", "x"], &["PUBLISH", "x"], &["DEL"]]),
        ];
        // In all of these commands, the key is the first argument.
        let commands = needed.iter().flat_map(|(key, commands)| {
            commands.iter().map(|words| [&words[..1], &[key.as_str()], &words[1..]].concat())
        });
        commands.map(|words| words.into_iter().map(str::to_owned).collect()).collect()
    }

    /// Returns a key in the cluster slot of the queue.
    fn in_slot(&self, name: &str) -> String {
        // Redis Cluster hashes only the part in braces.
        format!("{{{}}}:{name}", self.queue)
    }
}
