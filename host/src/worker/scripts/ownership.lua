-- Determines which attempt owns the result and the counts of a job. This file is prepended to
-- FETCH, NAME, START, FINISH, REAP and ADOPT.

-- Returns the token of a later claim of a job that has already ended, or nil. The payload of a later
-- claim is at least as new, so an older claim must neither run nor change the result. A cancellation
-- marks the last token that was issued. An equal token is therefore of a claim that existed then.
local function later_end(token, ended)
  local last = redis.call('GET', ended)
  return last and tonumber(last) >= tonumber(token) and last or nil
end

-- Returns whether the result and the counts of a job belong to another attempt: one that is
-- running, one that has succeeded, or one that was claimed later and has ended. If the lease of a
-- running token is gone, the token is left over from a lost attempt.
local function belongs_to_another(token, leases, running, done, result, ended)
  if later_end(token, ended) then return true end
  local other = redis.call('GET', running)
  if other and other ~= token and redis.call('ZSCORE', leases, other) then return true end
  return redis.call('EXISTS', done) == 1 and redis.call('EXISTS', result) == 1 and other ~= token
end

-- Stores the job id of a claim as soon as it is known. If the worker vanishes before START, REAP can
-- report the failure under this id. The result of an earlier failure is removed, because the job runs
-- again and a backend that polls takes any result for the outcome of the new run. A success keeps its
-- result until START, which knows whether the payload has changed.
local function name_claim(claim, token, id, leases, running, done, ended, result, channel)
  redis.call('HSET', claim, 'id', id)
  if not belongs_to_another(token, leases, running, done, result, ended) then redis.call('DEL', result, channel) end
end

-- Stores the token of the attempt that has written the result of a job, or whose job has ended
-- without one. An attempt with this token or a smaller one is never adopted. A week is much longer
-- than any worker is expected to be separated from Redis.
local function mark_end(ended, token) redis.call('SET', ended, token, 'EX', 604800) end

-- Returns the key that counts the vanished workers of an entry whose job id has not been read. The
-- `#` distinguishes this key from the keys of jobs' counts, unless the id of a job is `#` followed
-- by the same hash.
local function count_of_nameless(counts, entry)
  return counts .. '#' .. redis.sha1hex(entry)
end
