//! From a claimed entry to a job that can be run, or to the reason why not.

use oculus_job::code::ErrorCode;
use std::time::Duration;

use oculus_job::hash::sha256_hex;
use redis::RedisResult;

use super::claim::Claim;
use super::entry::{self, Entry, Header, MAX_BYTES, Refusal, usable_id, without_id};
use super::queue::{Queue, Start};
use super::redis_client::is_about_the_data;

/// A producer may push the id before it stores the payload: how long it is given.
const PAYLOAD_PATIENCE: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

const PAYLOAD_HINT: &str = "store the job's JSON as one object, with `symbols`, `timeframe` and `design`";

/// A job that is to be run.
#[derive(Clone, Debug)]
pub struct AdmittedJob {
    /// The name of its result and of its progress channel.
    pub id: String,
    /// The name that its result carries inside.
    pub build_id: String,
    /// Its JSON, an object.
    pub payload: String,
    /// SHA-256 of the payload, as hex.
    pub payload_sha256: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Deaths of the job's process so far.
    pub crashes: u32,
}

/// What a claim turns out to be.
#[derive(Debug)]
pub enum Admission {
    /// To be run.
    Run(AdmittedJob),
    /// To become a dead letter.
    Refused(Refusal),
    /// Not to be run: a duplicate, a repetition of a success, or a lost lease; the reason is logged.
    Skip,
}

/// Reads entry and payload of a claim and starts it.
///
/// # Errors
/// Redis' own; the same call may be made again.
pub async fn admit(queue: &Queue, claim: &Claim) -> RedisResult<Admission> {
    let entry = entry::read(&claim.entry);
    if let Ok(Entry::Job { id, .. } | Entry::Pointer { id, .. } | Entry::Name(id)) = &entry {
        queue.name_claim(claim.id, without_prefix(queue, id)).await?;
    }
    let found = match entry {
        Ok(Entry::Job { id, payload }) => Ok((Naming::ByEntry(id), payload.into_bytes())),
        Ok(Entry::Pointer { id, payload_key }) => {
            let usual = usual_key(queue, &id);
            let keys = [payload_key.unwrap_or_else(|| usual.clone()), usual];
            find_payload(queue, &id, keys).await?.map(|(_, bytes)| (Naming::ByEntry(id), bytes))
        }
        Ok(Entry::Name(name)) => {
            let usual = usual_key(queue, &name);
            let found = find_payload(queue, &name, [usual.clone(), name.clone()]).await?;
            let naming = |key: String| if key == usual { Naming::ByEntry(name) } else { Naming::ByKey(key) };
            found.map(|(key, bytes)| (naming(key), bytes))
        }
        Err(refusal) => Err(refusal),
    };
    match found.and_then(|(naming, bytes)| read_payload(queue, naming, bytes)) {
        Ok(job) => start(queue, claim, job).await,
        Err(refusal) => Ok(Admission::Refused(refusal)),
    }
}

/// What a job is called whose payload has no `job_id`.
enum Naming {
    /// As the entry calls it.
    ByEntry(String),
    /// As its `build_id`, else as the payload's key without the usual prefix: the entry is that key.
    ByKey(String),
}

async fn start(queue: &Queue, claim: &Claim, mut job: AdmittedJob) -> RedisResult<Admission> {
    match queue.start(claim.id, &job.id, &job.payload_sha256).await? {
        Start::Run { attempt, crashes } => {
            (job.attempt, job.crashes) = (attempt, crashes);
            return Ok(Admission::Run(job));
        }
        Start::Running { token } => tracing::warn!(job = job.id, token, "duplicate of a running job dropped"),
        Start::AlreadySucceeded => {
            tracing::info!(job = job.id, "this payload has succeeded before: `complete` published again")
        }
        Start::Lost => tracing::warn!(job = job.id, token = claim.id.token, "lease lost before the job could start"),
    }
    Ok(Admission::Skip)
}

fn usual_key(queue: &Queue, id: &str) -> String {
    format!("{}:{id}", queue.rules().job_prefix)
}

fn without_prefix<'a>(queue: &Queue, key: &'a str) -> &'a str {
    key.strip_prefix(&usual_key(queue, "")).unwrap_or(key)
}

/// The first key of the two that holds something, with what it holds.
async fn find_payload(queue: &Queue, name: &str, keys: [String; 2]) -> RedisResult<Result<(String, Vec<u8>), Refusal>> {
    let refuse = |code: ErrorCode, message: String, hint: &str| {
        Ok(Err(Refusal::new(Some(name.to_owned()), code, message, hint)))
    };
    let hint = "store the job's JSON as a string at its key before pushing its id";
    for patience in PAYLOAD_PATIENCE.map(Some).into_iter().chain([None]) {
        for key in &keys {
            match queue.payload(key).await {
                Ok(Some(bytes)) => return Ok(Ok((key.clone(), bytes))),
                Ok(None) => {}
                Err(error) if is_about_the_data(&error) => {
                    let message = format!("the key `{key}` holds no string");
                    return refuse(ErrorCode::PayloadUnreadable, message, hint);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(patience) = patience {
            tokio::time::sleep(patience).await;
        }
    }
    let message = format!("no payload at `{}`", keys.join("`, nor at `"));
    refuse(ErrorCode::PayloadMissing, message, hint)
}

fn read_payload(queue: &Queue, naming: Naming, bytes: Vec<u8>) -> Result<AdmittedJob, Refusal> {
    let (header, outcome) = Header::read(&bytes);
    let id = match naming {
        Naming::ByEntry(id) => header.job_id.clone().unwrap_or(id),
        Naming::ByKey(key) => header.id().unwrap_or_else(|| without_prefix(queue, &key).to_owned()),
    };
    let id = usable_id(id).ok_or_else(without_id)?;
    let refuse =
        |code: ErrorCode, message: String, hint: &str| Err(Refusal::new(Some(id.clone()), code, message, hint));
    if bytes.len() > MAX_BYTES {
        let message = format!("the payload has more than {MAX_BYTES} bytes");
        return refuse(ErrorCode::PayloadTooLarge, message, "leave out what the job does not need");
    }
    if let Err(error) = outcome {
        return refuse(ErrorCode::PayloadNotJson, format!("the payload is not a JSON object: {error}"), PAYLOAD_HINT);
    }
    let payload_sha256 = sha256_hex(&bytes);
    match String::from_utf8(bytes) {
        Ok(payload) => {
            let build_id = header.build_id.unwrap_or_else(|| id.clone());
            Ok(AdmittedJob { id, build_id, payload, payload_sha256, attempt: 0, crashes: 0 })
        }
        Err(error) => refuse(ErrorCode::PayloadNotJson, format!("the payload is not UTF-8: {error}"), PAYLOAD_HINT),
    }
}
