-- Issues fencing tokens. No other file issues them. This file is prepended to FETCH and ADOPT.

-- Returns a new token, which is larger than every token that was issued before, and stores it as the
-- fence. `highest` is the highest token that the caller's process has received (0: none).
--
-- If Redis has reverted to an older state (a snapshot, a lagging replica) and lost its latest tokens,
-- the clock is larger than these tokens. If the clock has been set back, the fence is larger than its
-- earlier times. If both have happened, `highest` covers the tokens of this process, and boot ids
-- distinguish the tokens of others.
local function issue_token(fence, claims, highest)
  local time = redis.call('TIME')
  -- Lua numbers are exact up to 2^53. From this limit on, adding 1 has no effect and the loop below
  -- would never terminate, so tokens must stay well below it. A fence that is not a number from 0 to
  -- 2^52 was written by another program and is ignored. The clock's microseconds reach 2^52 in the
  -- year 2112.
  local last = tonumber(redis.call('GET', fence) or 0) or 0
  if not (last >= 0 and last < 2 ^ 52) then last = 0 end
  local micros = time[1] * 1000000 + time[2]
  local next_token = math.max(last + 1, micros, highest + 1)
  -- If only the fence was lost, the next token may belong to a live claim. A claim is never replaced.
  while redis.call('HEXISTS', claims .. string.format('%.0f', next_token), 'entry') == 1 do
    next_token = next_token + 1
  end
  local token = string.format('%.0f', next_token)
  -- The fence is not reset if a later step fails. An unused token is harmless, but a token that is
  -- issued twice is not.
  redis.call('SET', fence, token)
  -- The hash may contain a cancel flag for an earlier claim that Redis has lost. The hash is deleted,
  -- because the flag must not apply to the new claim.
  redis.call('DEL', claims .. token)
  return token
end

-- Returns the time at which a lease of `ttl` ms ends if it begins now, in ms since 1970.
local function lease_end(ttl)
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + ttl
end
