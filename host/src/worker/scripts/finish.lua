-- Ends a job's stay in a worker's hands.
-- KEYS: queue, result (the queue again when no id could be read). ARGV: token, push command, the result object, the
-- final progress event, and an order in JSON:
--   outcome: 'result' | 'release' | 'crash' | 'dead'; of a crash, result and event are used at the cap only
--   id: absent when none could be read
--   ttl: seconds that the result is kept, 0 for ever
--   succeeded: SHA-256 of the payload that led to a success
--   letter: what the dead letter says besides entry, id and time
--   requeued: the progress event of a crash under the cap max_crashes
-- Answers 'finished', 'requeued', 'dead', or 'fenced' when the token is no longer live: then nothing is written.
local queue, result_key = KEYS[1], KEYS[2]
local token, push, result, event = unpack(ARGV, 1, 4)
local order = cjson.decode(ARGV[5])
local tag, id = '{' .. queue .. '}', order.id
local leases, job = tag .. ':leases', tag .. ':job:' .. token
local entry = redis.call('HGET', job, 'entry')
if not entry or not redis.call('ZSCORE', leases, token) then return 'fenced' end

local function publish(text)
  local channel = 'oculus:training:progress:' .. id
  redis.call('SET', channel, text, 'EX', 3600)
  redis.call('PUBLISH', channel, text)
end

local function write_result()
  if not id then return end
  local done = tag .. ':done:' .. id
  redis.call('SET', result_key, result)
  redis.call('DEL', done, tag .. ':count:' .. id)
  if order.succeeded then redis.call('SET', done, order.succeeded) end
  if order.ttl > 0 then
    redis.call('EXPIRE', result_key, order.ttl)
    redis.call('EXPIRE', done, order.ttl)
  end
  publish(event)
end

local function bury()
  local letter = order.letter
  letter.entry, letter.id, letter.time = entry, id or cjson.null, tonumber(redis.call('TIME')[1])
  redis.call('LPUSH', tag .. ':dead', cjson.encode(letter))
  write_result()
end

local answer = 'finished'
if order.outcome == 'result' then
  write_result()
elseif order.outcome == 'dead' then
  bury()
  answer = 'dead'
elseif order.outcome == 'release' then
  redis.call(push, queue, entry)
  if id then redis.call('HINCRBY', tag .. ':count:' .. id, 'attempts', -1) end
elseif redis.call('HINCRBY', tag .. ':count:' .. id, 'crashes', 1) < order.max_crashes then
  redis.call(push, queue, entry)
  publish(order.requeued)
  answer = 'requeued'
else
  bury()
  answer = 'dead'
end
redis.call('ZREM', leases, token)
redis.call('DEL', job)
if id and redis.call('GET', tag .. ':running:' .. id) == token then redis.call('DEL', tag .. ':running:' .. id) end
return answer
