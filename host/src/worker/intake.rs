//! Reads the entry and the payload of a claim, and decides whether its job runs.
//!
//! In: a [`Claim`]. Out: an [`Admission`].

use std::borrow::Cow;
use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::hash::sha256_hex;
use redis::{RedisError, RedisResult};

use super::claim::Claim;
use super::entry::{self, Entry, EntryError, MAX_BYTES, missing_id};
use super::job_header::{JobHeader, usable_id};
use super::queue::{Queue, Start};
use super::redis_client::is_wrong_type;

/// The pauses between the attempts to read a payload. A producer may push the id before it stores
/// the payload.
const PAYLOAD_RETRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

const PAYLOAD_KEY_HINT: &str = "store the job's JSON as a string at its key before pushing its id";
const PAYLOAD_HINT: &str = "store the job's JSON in UTF-8, as one object with `symbols`, `timeframe` and `design`";

/// A job that this worker runs.
#[derive(Clone, Debug)]
pub struct AdmittedJob {
    /// The job's id, as it appears in the keys of its result and its progress channel.
    pub id: String,
    /// The id that the job's result contains.
    pub build_id: String,
    /// The job as a JSON object.
    pub payload: String,
    /// SHA-256 of the payload, in hexadecimal digits.
    pub payload_sha256: String,
    /// The key of the payload; `None` if the entry contains the payload.
    pub payload_key: Option<String>,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The number of earlier attempts whose job process died.
    pub crashes: u32,
    /// The number of entries that still waited in the queue when this one was claimed.
    pub queue_length: u64,
}

/// The decision about a claim.
#[derive(Debug)]
pub enum Admission {
    /// The job runs.
    Run(AdmittedJob),
    /// The job has started, but its cancellation is requested.
    Cancelled(AdmittedJob),
    /// The entry becomes a dead letter.
    Refused(EntryError),
    /// Nothing remains to be done for the claim: it is a duplicate, it repeats a success, or another
    /// attempt keeps its entry. The reason is logged.
    Skip,
    /// This worker no longer holds the claim.
    Lost,
}

/// A job that has been read from its payload but is not admitted yet.
struct ParsedJob {
    id: String,
    build_id: String,
    payload: String,
    payload_sha256: String,
    payload_key: Option<String>,
}

impl ParsedJob {
    /// Returns the job of an attempt that has started.
    fn admitted(self, attempt: u32, crashes: u32, queue_length: u64) -> AdmittedJob {
        let Self { id, build_id, payload, payload_sha256, payload_key } = self;
        AdmittedJob { id, build_id, payload, payload_sha256, payload_key, attempt, crashes, queue_length }
    }
}

/// The reason why no job could be read from a claim.
#[derive(Debug)]
enum IntakeError {
    /// The entry or the payload is not a job.
    Refused(EntryError),
    /// Redis was unavailable or rejected a command. A retry may succeed.
    Redis(RedisError),
}

impl From<EntryError> for IntakeError {
    fn from(refusal: EntryError) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RedisError> for IntakeError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// Returns the job id of an entry before its payload is read, or `None` if the entry has none. If the
/// payload contains another id, that id replaces this one.
pub(super) fn entry_id(queue: &Queue, entry: &[u8]) -> Option<String> {
    match entry::read(entry) {
        Ok(entry) => Some(without_prefix(queue, entry.name()).to_owned()),
        Err(refusal) => refusal.id,
    }
}

/// Reads the entry and the payload of a claim, and starts its job.
///
/// # Errors
/// Returns [`RedisError`] if Redis is unavailable or rejects a command. The call may be repeated.
pub async fn admit(queue: &Queue, claim: &Claim) -> RedisResult<Admission> {
    match read_job(queue, claim).await {
        Ok(job) => start(queue, claim, job).await,
        Err(IntakeError::Refused(refusal)) => Ok(Admission::Refused(refusal)),
        Err(IntakeError::Redis(error)) => Err(error),
    }
}

async fn read_job(queue: &Queue, claim: &Claim) -> Result<ParsedJob, IntakeError> {
    let entry = entry::read(&claim.entry)?;
    // The id is stored before the payload is read, because reading may take seconds. If this worker
    // vanishes meanwhile, the reaper needs the id to report the failure.
    if !claim.is_named {
        queue.name_claim(claim.id, without_prefix(queue, entry.name())).await?;
    }
    match entry {
        Entry::Job { id, payload } => parse_payload(queue, IdSource::Entry(id), None, payload.into_bytes()),
        Entry::Pointer { id, payload_key } => {
            // If the entry names another key, that key is tried first, then the default key.
            let default_key = queue.payload_key(&id);
            let keys = [payload_key.unwrap_or_else(|| default_key.clone()), default_key];
            let (key, bytes) = find_payload(queue, &id, keys).await?;
            parse_payload(queue, IdSource::Entry(id), Some(key), bytes)
        }
        Entry::Name(name) => {
            let default_key = queue.payload_key(&name);
            if let Some(payload) = &claim.payload {
                return parse_payload(queue, IdSource::Entry(name), Some(default_key), payload.clone());
            }
            let (key, bytes) = find_payload(queue, &name, [default_key.clone(), name.clone()]).await?;
            let id_source = if key == default_key { IdSource::Entry(name) } else { IdSource::PayloadKey(key.clone()) };
            parse_payload(queue, id_source, Some(key), bytes)
        }
    }
}

/// The source of a job's id if its payload has no `job_id`.
enum IdSource {
    /// The entry contains the id.
    Entry(String),
    /// The entry is the payload's key. The id is the payload's `build_id`. If the payload has none,
    /// the id is the key without the default prefix.
    PayloadKey(String),
}

/// Runs the script that decides whether the job runs, and logs the reason if it does not.
async fn start(queue: &Queue, claim: &Claim, job: ParsedJob) -> RedisResult<Admission> {
    let token = claim.id.token;
    match queue.start(claim.id, &job.id, &job.payload_sha256).await? {
        Start::Run { attempt, crashes } => {
            return Ok(Admission::Run(job.admitted(attempt, crashes, claim.queue_length)));
        }
        Start::Cancelled { attempt, crashes } => {
            return Ok(Admission::Cancelled(job.admitted(attempt, crashes, claim.queue_length)));
        }
        Start::Lost => return Ok(Admission::Lost),
        Start::Running { token: running_token } => {
            tracing::warn!(job = job.id, token, running_token, "entry dropped: another attempt of this job is running");
        }
        Start::Parked { token: running_token } => {
            tracing::info!(
                job = job.id,
                token,
                running_token,
                "a newer payload of a running job waits until the running attempt ends"
            );
        }
        Start::Overtaken { token: later_token } => {
            tracing::info!(job = job.id, token, later_token, "entry dropped: a later claim of this job has ended");
        }
        Start::AlreadySucceeded => {
            tracing::info!(
                job = job.id,
                token,
                "job not run: this payload has already succeeded; `complete` is published again"
            );
        }
    }
    Ok(Admission::Skip)
}

/// Returns a key without the default prefix of payloads, if it has that prefix.
fn without_prefix<'a>(queue: &Queue, key: &'a str) -> &'a str {
    key.strip_prefix(&queue.payload_key("")).unwrap_or(key)
}

/// Of two keys, returns the first that exists, and its value. Retries if neither exists.
async fn find_payload(queue: &Queue, name: &str, keys: [String; 2]) -> Result<(String, Vec<u8>), IntakeError> {
    let refusal =
        |code: ErrorCode, message: String| EntryError::new(Some(name.to_owned()), code, message, PAYLOAD_KEY_HINT);
    for pause in PAYLOAD_RETRIES.map(Some).into_iter().chain([None]) {
        for key in &keys {
            match queue.payload(key).await {
                Ok(Some(bytes)) => return Ok((key.clone(), bytes)),
                Ok(None) => {}
                // The other key is not tried. The producer stored a value of the wrong type here
                // and must correct it.
                Err(error) if is_wrong_type(&error) => {
                    let message = format!("the value at the key `{key}` is not a string");
                    return Err(refusal(ErrorCode::PayloadUnreadable, message).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    let message = format!("no payload at the key `{}`", keys.join("` or `"));
    Err(refusal(ErrorCode::PayloadMissing, message).into())
}

/// Reads the ids of a payload and checks its form. The job process checks the other fields.
///
/// * `payload_key`: the key of the payload; `None` if the entry contains the payload.
fn parse_payload(
    queue: &Queue,
    id_source: IdSource,
    payload_key: Option<String>,
    bytes: Vec<u8>,
) -> Result<ParsedJob, IntakeError> {
    let text = String::from_utf8_lossy(&bytes);
    let (header, parsed) = JobHeader::read(&text);
    let id = match id_source {
        IdSource::Entry(id) => header.job_id.clone().unwrap_or(id),
        IdSource::PayloadKey(key) => header.id().unwrap_or_else(|| without_prefix(queue, &key).to_owned()),
    };
    let id = usable_id(id).ok_or_else(missing_id)?;
    // The id is determined before the checks, so that each refusal is reported under this id.
    let refusal = |code: ErrorCode, message: String, hint: &str| EntryError::new(Some(id.clone()), code, message, hint);
    if bytes.len() > MAX_BYTES {
        let message = format!("the payload is too large: found more than the allowed {MAX_BYTES} bytes");
        return Err(refusal(ErrorCode::PayloadTooLarge, message, "remove the fields that the job does not need").into());
    }
    // A text is copied only if it is not UTF-8.
    if let Cow::Owned(_) = text {
        let message = "the payload is not UTF-8".to_owned();
        return Err(refusal(ErrorCode::PayloadNotJson, message, PAYLOAD_HINT).into());
    }
    if let Err(error) = parsed {
        let message = format!("the payload is not a JSON object: {error}");
        return Err(refusal(ErrorCode::PayloadNotJson, message, error.hint()).into());
    }
    let payload_sha256 = sha256_hex(&bytes);
    let payload = text.into_owned();
    let build_id = header.build_id.unwrap_or_else(|| id.clone());
    Ok(ParsedJob { id, build_id, payload, payload_sha256, payload_key })
}
