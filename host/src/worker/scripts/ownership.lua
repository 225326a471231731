-- Which attempt owns a job's result and counts. Shared by FINISH and REAP: prepended to both.

-- Returns whether the job's result and counts belong to another attempt: one that runs, or one that
-- has succeeded.
local function belongs_to_another(token, leases, running, done, result)
  local other = redis.call('GET', running)
  if other and other ~= token and redis.call('ZSCORE', leases, other) then return true end
  return redis.call('EXISTS', done) == 1 and redis.call('EXISTS', result) == 1 and other ~= token
end

-- Returns the key that counts the losses of an entry whose job id has not been read.
local function count_of_nameless(counts, entry)
  return counts .. '#' .. redis.sha1hex(entry)
end
