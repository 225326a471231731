-- Ends a job's stay in a worker's hands.
-- KEYS: queue, leases, job in hand, dead letters, prefix of counts, and where an id could be read its result, progress
-- channel, running token, counts and success. ARGV: token, push command, the result object, the final progress event,
-- and an order in JSON:
--   outcome: 'result' | 'release' | 'crash' | 'dead'; of a crash, result and event are used at the cap only
--   id: absent when none could be read
--   ttl: seconds that the result is kept, 0 for ever
--   succeeded: SHA-256 of the payload that led to a success
--   letter: what the dead letter says besides entry, id and time
--   requeued: the progress event of a crash under the cap max_crashes
-- Answers 'finished', 'requeued', 'dead', or 'fenced' when the token is no longer live: then nothing is written.
local queue, leases, job, dead, counts, result_key, channel, running, count, done = unpack(KEYS)
local token, push, result, event = unpack(ARGV, 1, 4)
local order = cjson.decode(ARGV[5])
local id = order.id
local entry = redis.call('HGET', job, 'entry')
if not entry or not redis.call('ZSCORE', leases, token) then return 'fenced' end
-- Keys of a foreign type are found out before anything is written.
redis.call('LLEN', queue)
redis.call('LLEN', dead)
if id then redis.call('HLEN', count) end

local function publish(text)
  redis.call('SET', channel, text, 'EX', 3600)
  redis.call('PUBLISH', channel, text)
end

local function write_result()
  redis.call('SET', result_key, result)
  redis.call('DEL', done, count)
  if order.succeeded then redis.call('SET', done, order.succeeded) end
  if order.ttl > 0 then
    redis.call('EXPIRE', result_key, order.ttl)
    redis.call('EXPIRE', done, order.ttl)
  end
  publish(event)
end

local answer = 'finished'
if order.outcome == 'result' then
  write_result()
elseif order.outcome == 'dead' then
  bury(dead, order.letter, entry, id)
  if id and not belongs_to_another(token, leases, running, done, result_key) then write_result() end
  answer = 'dead'
elseif order.outcome == 'release' then
  redis.call(push, queue, entry)
  if id then redis.call('HINCRBY', count, 'attempts', -1) end
elseif redis.call('HINCRBY', count, 'crashes', 1) < order.max_crashes then
  redis.call(push, queue, entry)
  publish(order.requeued)
  answer = 'requeued'
else
  bury(dead, order.letter, entry, id)
  write_result()
  answer = 'dead'
end
if answer ~= 'requeued' and order.outcome ~= 'release' then redis.call('DEL', count_of_nameless(counts, entry)) end
redis.call('ZREM', leases, token)
redis.call('DEL', job)
if id and redis.call('GET', running) == token then redis.call('DEL', running) end
return answer
