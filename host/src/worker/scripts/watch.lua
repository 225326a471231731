-- Reads the requests to cancel the jobs of some claims, between two renewals of their leases.
--
-- KEYS: prefix of claims, prefix of cancel keys, fence. ARGV: the tokens of the claims.
-- Returns the tokens of the claims whose jobs are to be cancelled.
local claims, cancels, fence = unpack(KEYS)
local cancelled = {}
for _, token in ipairs(ARGV) do
  -- A claim that Redis has lost has no entry, and must not be created by a flag.
  if redis.call('HEXISTS', claims .. token, 'entry') == 1 and is_cancelled(claims .. token, cancels, fence) then
    table.insert(cancelled, token)
  end
end
return cancelled
