-- Stores the job id of a claim as soon as it has been read. If the worker vanishes before START,
-- REAP can report the failure under this id.
--
-- KEYS: leases, claim.
-- ARGV: token, boot id, job id.
-- Returns 1, or 0 if the caller no longer holds the claim; then nothing is written.
local leases, claim = KEYS[1], KEYS[2]
local token, boot, id = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 0 end
redis.call('HSET', claim, 'id', id)
return 1
