-- Finishes a claim: stores its result, requeues its entry, or moves the entry to the dead letters.
--
-- Order: the claim is deleted after the outcome is written. Redis does not roll back a script that
-- fails halfway, for example because a key has another type. The claim then still exists, and the
-- worker submits the outcome again.
--
-- KEYS: queue, leases, claim, dead letters, prefix of counts; if a job id could be read, also the
--       job's result, progress channel, running token, counts, success, end and cancel key.
-- ARGV: token, boot id, push command, result object, final progress event, and a request in JSON:
--   - outcome: 'result' | 'release' | 'crash' | 'dead'; a crash always has an id
--   - id: the job id; absent if none could be read
--   - ttl: the number of seconds for which the result is kept; 0 for forever
--   - max_crashes: the number of crashes at which the entry becomes a dead letter
--   - succeeded: SHA-256 of the payload, if the job succeeded
--   - letter: the dead letter without its entry, id and time
--   - requeued: the progress event of a crash below max_crashes; at max_crashes, the result object
--     and the final event are written instead
--   - submission: the entry of a ledger to add, if the job succeeded: key, field, value, ttl (number
--     of seconds) and max_entries
--   - superseded: the progress event to publish if a newer payload of the job waits in the claim
--   - recent: the entry of the list of recent results: key, max_entries, status and code; absent for
--     a release
-- Returns one of:
--   - 'requeued': after a crash
--   - 'dead': the entry is a dead letter
--   - 'superseded': a newer payload of the job was pushed while this attempt ran; its entry is
--     requeued, and the outcome of this attempt is discarded
--   - 'finished': after a result or a release
--   - 'reverted': Redis has reverted to a state before the start of the job, and the caller has to
--     repeat START; nothing is written
--   - 'fenced': the caller no longer holds the claim; nothing is written
local queue, leases, claim, dead, counts, result_key, channel, running, count, done, ended, cancel = unpack(KEYS)
local token, boot, push, result, event = unpack(ARGV, 1, 5)
local request = cjson.decode(ARGV[6])
local id = request.id
local entry, newer, worker, attempt, claimed_at =
  unpack(redis.call('HMGET', claim, 'entry', 'next', 'worker', 'attempt', 'at'))
if not entry or not is_holder(leases, claim, token, boot) then return 'fenced' end
-- Only a job that has started has a result or crashes.
local is_of_attempt = request.outcome == 'result' or request.outcome == 'crash'
if is_of_attempt and not attempt then return 'reverted' end
-- If one of these keys has another type, the script stops here, before anything is written. The
-- other keys are only set and deleted, which works for every type.
redis.call('LLEN', queue)
redis.call('LLEN', dead)
if id then
  redis.call('HLEN', count)
  redis.call('GET', running)
end

local function publish(text)
  redis.call('SET', channel, text, 'EX', 3600)
  redis.call('PUBLISH', channel, text)
end

local function write_result()
  redis.call('SET', result_key, result)
  -- A failure removes the mark of an earlier success, so that the same payload can run again. A job
  -- with a result starts with new counts.
  redis.call('DEL', done, count, cancel)
  mark_end(ended, redis.call('HGET', claim, 'newest') or token)
  if request.succeeded then redis.call('SET', done, request.succeeded) end
  if request.ttl > 0 then
    redis.call('EXPIRE', result_key, request.ttl)
    redis.call('EXPIRE', done, request.ttl)
  end
  publish(event)
  add_recent(request.recent, id, {worker = worker, attempt = attempt, at = claimed_at})
end

local status = 'finished'
if newer then
  -- The backend has replaced this payload, and it would take any result for that of the newest one.
  -- The new payload starts with new counts.
  redis.call(push, queue, newer)
  redis.call('DEL', count)
  if request.submission then add_submission(request.submission) end
  publish(request.superseded)
  status = 'superseded'
elseif request.outcome == 'result' then
  write_result()
  if request.submission then add_submission(request.submission) end
elseif request.outcome == 'dead' then
  add_dead_letter(dead, request.letter, entry, id)
  -- A refused entry may be a duplicate. It must not replace the result of an attempt that is
  -- running or has succeeded.
  if id and not belongs_to_another(token, leases, running, done, result_key, ended) then write_result() end
  status = 'dead'
elseif request.outcome == 'release' then
  redis.call(push, queue, entry)
  if id then keep_cancellation(claim, cancel) end
  -- The counts do not include an attempt that has not started, or whose start Redis has lost.
  if id and attempt then redis.call('HINCRBY', count, 'attempts', -1) end
elseif redis.call('HINCRBY', count, 'crashes', 1) < request.max_crashes then
  redis.call(push, queue, entry)
  keep_cancellation(claim, cancel)
  publish(request.requeued)
  status = 'requeued'
else
  add_dead_letter(dead, request.letter, entry, id)
  write_result()
  status = 'dead'
end
-- Workers that vanished before the id was read are counted under the hash of the entry. This count
-- is deleted when the entry is finished.
if status ~= 'requeued' and request.outcome ~= 'release' then redis.call('DEL', count_of_nameless(counts, entry)) end
redis.call('ZREM', leases, token)
redis.call('DEL', claim)
-- If this attempt is a refused duplicate, the running token may belong to another attempt.
if id and redis.call('GET', running) == token then redis.call('DEL', running) end
return status
