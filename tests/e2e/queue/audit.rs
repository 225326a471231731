//! The check of a queue's invariant, and the violations that it finds.

use oculus_host::worker::queue::QueueProblem;

use super::*;

/// Returns the problems that the check finds.
async fn problems(queue: &Queue) -> Vec<QueueProblem> {
    queue.audit().await.unwrap().findings.iter().map(|finding| finding.problem).collect()
}

#[tokio::test]
async fn a_queue_with_waiting_running_and_requeued_jobs_has_no_finding() {
    let redis = Redis::start();
    let queue = queue(&redis);
    for entry in ["ended", "crashed", "running", r#"{"job_id":"pointer"}"#, "waiting"] {
        push(&redis, entry);
    }
    let ended = run(&queue, "ended").await;
    queue.finish(ended.id, Some("ended"), &success()).await.unwrap();
    let crashed = run(&queue, "crashed").await;
    queue.finish(crashed.id, Some("crashed"), &crash()).await.unwrap();
    fetch(&queue).await;
    run(&queue, "running").await;
    let audit = queue.audit().await.unwrap();
    assert_eq!((audit.n_waiting, audit.n_claims, audit.findings), (2, 2, vec![]));
}

#[tokio::test]
async fn each_violation_is_found() {
    let redis = Redis::start();
    let queue = queue(&redis);
    let id = "job-1";
    let violate = async |command: &[&str]| {
        let () = redis.query(&["FLUSHALL"]);
        push(&redis, id);
        let claim = run(&queue, id).await;
        let words = command.iter().map(|word| word.replace("TOKEN", &claim.id.token.to_string())).collect::<Vec<_>>();
        let _: redis::Value = redis.query(&words.iter().map(String::as_str).collect::<Vec<_>>());
        problems(&queue).await
    };
    for (command, expected) in [
        (&["ZREM", "{q}:leases", "TOKEN"][..], QueueProblem::ClaimWithoutLease),
        (&["ZADD", "{q}:leases", "1", "TOKEN"], QueueProblem::LeaseNotReaped),
        (&["DEL", "{q}:running:job-1"], QueueProblem::NotMarkedAsRunning),
        (&["SET", "result:job-1", "{}"], QueueProblem::ResultOfRunningJob),
    ] {
        assert_eq!(violate(command).await, [expected], "{command:?}");
    }
    let found = violate(&["DEL", "{q}:job:TOKEN"]).await;
    assert_eq!(found, [QueueProblem::LeaseWithoutClaim, QueueProblem::LostJob]);
    let _: u64 = redis.query(&["DEL", "{q}:leases"]);
    assert_eq!(problems(&queue).await, [QueueProblem::LostJob]);
    push(&redis, "\"job-1\"");
    assert_eq!(problems(&queue).await, []);
}
