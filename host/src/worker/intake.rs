//! From a claimed entry to a job that can run, or to the reason why it cannot.

use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::hash::sha256_hex;
use redis::{RedisError, RedisResult};

use super::claim::Claim;
use super::entry::{self, Entry, MAX_BYTES, Refusal, without_id};
use super::job_header::{JobHeader, usable_id};
use super::queue::{Queue, Start};
use super::redis_client::is_wrong_type;

/// Pauses between the attempts to read a payload: a producer may push the id before it stores the
/// payload.
const PAYLOAD_RETRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

const PAYLOAD_KEY_HINT: &str = "store the job's JSON as a string at its key before pushing its id";
const PAYLOAD_HINT: &str = "store the job's JSON as one object, with `symbols`, `timeframe` and `design`";

/// A job that runs.
#[derive(Clone, Debug)]
pub struct AdmittedJob {
    /// The id in the keys of its result and of its progress channel.
    pub id: String,
    /// The id that its result contains.
    pub build_id: String,
    /// The job as a JSON object.
    pub payload: String,
    /// SHA-256 of the payload, in hexadecimal digits.
    pub payload_sha256: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Deaths of the job's process so far.
    pub crashes: u32,
}

/// What follows from a claim's entry and payload.
#[derive(Debug)]
pub enum Admission {
    /// The job runs.
    Run(AdmittedJob),
    /// The entry becomes a dead letter.
    Refused(Refusal),
    /// The claim has ended: a duplicate, a repetition of a success, or a lost claim. The reason is
    /// logged.
    Skip,
}

/// A job as its payload describes it, before it is known whether it runs.
struct ParsedJob {
    id: String,
    build_id: String,
    payload: String,
    payload_sha256: String,
}

/// Why a claim does not become a job.
#[derive(Debug)]
enum IntakeError {
    /// The entry or the payload is not a job.
    Refused(Refusal),
    /// Redis has failed; a retry may succeed.
    Redis(RedisError),
}

impl From<Refusal> for IntakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RedisError> for IntakeError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Reads entry and payload of a claim and starts its job.
///
/// # Errors
/// Redis' own; the call may be repeated.
pub async fn admit(queue: &Queue, claim: &Claim) -> RedisResult<Admission> {
    match read_job(queue, claim).await {
        Ok(job) => start(queue, claim, job).await,
        Err(IntakeError::Refused(refusal)) => Ok(Admission::Refused(refusal)),
        Err(IntakeError::Redis(error)) => Err(error),
    }
}

async fn read_job(queue: &Queue, claim: &Claim) -> Result<ParsedJob, IntakeError> {
    let entry = entry::read(&claim.entry)?;
    queue.name_claim(claim.id, without_prefix(queue, entry.name())).await?;
    match entry {
        Entry::Job { id, payload } => parse_payload(queue, Naming::ByEntry(id), payload.into_bytes()),
        Entry::Pointer { id, payload_key } => {
            let usual = usual_key(queue, &id);
            let keys = [payload_key.unwrap_or_else(|| usual.clone()), usual];
            let (_, bytes) = find_payload(queue, &id, keys).await?;
            parse_payload(queue, Naming::ByEntry(id), bytes)
        }
        Entry::Name(name) => {
            let usual = usual_key(queue, &name);
            let (key, bytes) = find_payload(queue, &name, [usual.clone(), name.clone()]).await?;
            let naming = if key == usual { Naming::ByEntry(name) } else { Naming::ByKey(key) };
            parse_payload(queue, naming, bytes)
        }
    }
}

/// Where the id of a job comes from whose payload has no `job_id`.
enum Naming {
    /// From the entry.
    ByEntry(String),
    /// From the payload's `build_id`, else from its key without the usual prefix: the entry is that
    /// key.
    ByKey(String),
}

async fn start(queue: &Queue, claim: &Claim, job: ParsedJob) -> RedisResult<Admission> {
    match queue.start(claim.id, &job.id, &job.payload_sha256).await? {
        Start::Run { attempt, crashes } => {
            let ParsedJob { id, build_id, payload, payload_sha256 } = job;
            return Ok(Admission::Run(AdmittedJob { id, build_id, payload, payload_sha256, attempt, crashes }));
        }
        Start::Running { token } => tracing::warn!(job = job.id, token, "duplicate of a running job dropped"),
        Start::AlreadySucceeded => {
            tracing::info!(job = job.id, "this payload has succeeded before: `complete` published again");
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

/// Returns the first of two keys that exists, with its value.
async fn find_payload(queue: &Queue, name: &str, keys: [String; 2]) -> Result<(String, Vec<u8>), IntakeError> {
    let refusal =
        |code: ErrorCode, message: String| Refusal::new(Some(name.to_owned()), code, message, PAYLOAD_KEY_HINT);
    for pause in PAYLOAD_RETRIES.map(Some).into_iter().chain([None]) {
        for key in &keys {
            match queue.payload(key).await {
                Ok(Some(bytes)) => return Ok((key.clone(), bytes)),
                Ok(None) => {}
                Err(error) if is_wrong_type(&error) => {
                    let message = format!("the key `{key}` holds no string");
                    return Err(refusal(ErrorCode::PayloadUnreadable, message).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    let message = format!("no payload at `{}`", keys.join("`, nor at `"));
    Err(refusal(ErrorCode::PayloadMissing, message).into())
}

fn parse_payload(queue: &Queue, naming: Naming, bytes: Vec<u8>) -> Result<ParsedJob, IntakeError> {
    let (header, parsed) = JobHeader::read(&bytes);
    let id = match naming {
        Naming::ByEntry(id) => header.job_id.clone().unwrap_or(id),
        Naming::ByKey(key) => header.id().unwrap_or_else(|| without_prefix(queue, &key).to_owned()),
    };
    let id = usable_id(id).ok_or_else(without_id)?;
    let refusal = |code: ErrorCode, message: String, hint: &str| Refusal::new(Some(id.clone()), code, message, hint);
    if bytes.len() > MAX_BYTES {
        let message = format!("the payload has more than {MAX_BYTES} bytes");
        return Err(refusal(ErrorCode::PayloadTooLarge, message, "leave out what the job does not need").into());
    }
    if let Err(error) = parsed {
        let message = format!("the payload is not a JSON object: {error}");
        return Err(refusal(ErrorCode::PayloadNotJson, message, PAYLOAD_HINT).into());
    }
    let payload_sha256 = sha256_hex(&bytes);
    let payload = String::from_utf8(bytes).map_err(|error| {
        let message = format!("the payload is not UTF-8: {error}");
        refusal(ErrorCode::PayloadNotJson, message, PAYLOAD_HINT)
    })?;
    let build_id = header.build_id.unwrap_or_else(|| id.clone());
    Ok(ParsedJob { id, build_id, payload, payload_sha256 })
}
