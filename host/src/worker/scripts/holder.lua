-- Shared by NAME, START, RENEW and FINISH: prepended to each.

-- Returns whether the worker process `boot` still holds the claim `token`. The token alone is not
-- proof: if Redis returned from an older state and its clock went back, another process may have
-- received the same token since.
local function is_holder(leases, claim, token, boot)
  return redis.call('ZSCORE', leases, token) and (redis.call('HGET', claim, 'boot') or '') == boot
end
