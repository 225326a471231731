-- Checks the holder of a claim. This file is prepended to NAME, START, RENEW and FINISH.

-- Returns whether the worker process `boot` still holds the claim `token`. The token alone is not
-- sufficient: if Redis has reverted to an older state and its clock has been set back, another
-- process may have received the same token. The boot id is empty in a claim from an older version,
-- which had no boot ids.
local function is_holder(leases, claim, token, boot)
  return redis.call('ZSCORE', leases, token) and (redis.call('HGET', claim, 'boot') or '') == boot
end
