-- Stores the job id of a claim, unless FETCH has read it from the entry.
--
-- KEYS: leases, claim, result, progress channel, running token, counts, success, end.
-- ARGV: token, boot id, job id.
-- Returns 1, or 0 if the caller no longer holds the claim; then nothing is written.
local leases, claim, result, channel, running, _, done, ended = unpack(KEYS)
local token, boot, id = unpack(ARGV)
if not is_holder(leases, claim, token, boot) then return 0 end
name_claim(claim, token, id, leases, running, done, ended, result, channel)
return 1
