-- Ends a claim: stores its result, returns its entry to the queue, or moves the entry to the dead
-- letters.
-- KEYS: queue, leases, claim, dead letters, prefix of counts; if a job id could be read also its
-- result, progress channel, running token, counts and success.
-- ARGV: token, boot id, push command, result object, final progress event, and a request in JSON:
--   outcome: 'result' | 'release' | 'crash' | 'dead'; a crash uses result and event only at the cap
--   id: the job id; absent if none could be read
--   ttl: seconds that the result is kept, 0 for forever
--   max_crashes: the number of crashes at which the entry becomes a dead letter
--   succeeded: SHA-256 of the payload that led to a success
--   letter: the dead letter without its entry, id and time
--   requeued: the progress event of a crash under the cap
-- Returns 'finished', 'requeued', 'dead', or 'fenced' if the caller no longer holds the claim: then
-- nothing is written.
local queue, leases, claim, dead, counts, result_key, channel, running, count, done = unpack(KEYS)
local token, boot, push, result, event = unpack(ARGV, 1, 5)
local request = cjson.decode(ARGV[6])
local id = request.id
local entry = redis.call('HGET', claim, 'entry')
if not entry or not is_holder(leases, claim, token, boot) then return 'fenced' end
-- A key of another type raises an error here, before anything is written.
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
  redis.call('DEL', done, count)
  if request.succeeded then redis.call('SET', done, request.succeeded) end
  if request.ttl > 0 then
    redis.call('EXPIRE', result_key, request.ttl)
    redis.call('EXPIRE', done, request.ttl)
  end
  publish(event)
end

local answer = 'finished'
if request.outcome == 'result' then
  write_result()
elseif request.outcome == 'dead' then
  add_dead_letter(dead, request.letter, entry, id)
  if id and not belongs_to_another(token, leases, running, done, result_key) then write_result() end
  answer = 'dead'
elseif request.outcome == 'release' then
  redis.call(push, queue, entry)
  -- A claim without this field has forgotten its START (Redis returned from an older state), and
  -- `attempts` does not include it.
  if id and redis.call('HEXISTS', claim, 'attempt') == 1 then redis.call('HINCRBY', count, 'attempts', -1) end
elseif redis.call('HINCRBY', count, 'crashes', 1) < request.max_crashes then
  redis.call(push, queue, entry)
  publish(request.requeued)
  answer = 'requeued'
else
  add_dead_letter(dead, request.letter, entry, id)
  write_result()
  answer = 'dead'
end
if answer ~= 'requeued' and request.outcome ~= 'release' then redis.call('DEL', count_of_nameless(counts, entry)) end
redis.call('ZREM', leases, token)
redis.call('DEL', claim)
if id and redis.call('GET', running) == token then redis.call('DEL', running) end
return answer
