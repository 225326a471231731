-- Stores the job id of a claim as soon as it has been read. If the worker vanishes before START,
-- REAP can report the failure under this id. The result of an earlier failure is removed, because
-- the job runs again and a backend that polls takes any result for the outcome of the new run. A
-- success keeps its result until START, which knows whether the payload has changed.
--
-- KEYS: leases, claim, result, progress channel, running token, counts, success.
-- ARGV: token, boot id, job id.
-- Returns 1, or 0 if the caller no longer holds the claim; then nothing is written.
local leases, claim, result, channel, running, _, done = unpack(KEYS)
local token, boot, id = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 0 end
redis.call('HSET', claim, 'id', id)
if not belongs_to_another(token, leases, running, done, result) then
  redis.call('DEL', result)
  redis.call('DEL', channel)
end
return 1
