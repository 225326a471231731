-- Adds submissions to ledgers. This file is prepended to FINISH.

-- Returns the time of an entry of a ledger, or '' if the entry is not a submission. The empty text
-- is before every time, so such an entry is the first that is removed.
local function time_of(value)
  local is_json, submission = pcall(cjson.decode, value)
  return is_json and type(submission) == 'table' and type(submission.at) == 'string' and submission.at or ''
end

-- Removes the oldest entry of a ledger.
local function remove_oldest(key)
  local entries = redis.pcall('HGETALL', key)
  local oldest, oldest_time
  for index = 1, #entries, 2 do
    local time = time_of(entries[index + 1])
    if not oldest or time < oldest_time then oldest, oldest_time = entries[index], time end
  end
  if oldest then redis.pcall('HDEL', key, oldest) end
end

-- Adds a submission to its ledger, unless the ledger contains it. The first entry stays, so a
-- repeated call changes nothing. The ledger must not prevent a result from being stored. Therefore
-- every command is called with `pcall`, and an error ends only this function. For the same reason
-- the key is not one of KEYS: Redis would reject the whole call if the user had no right to it.
local function add_submission(entry)
  local added = redis.pcall('HSETNX', entry.key, entry.field, entry.value)
  if added ~= 1 then return end
  redis.pcall('EXPIRE', entry.key, entry.ttl)
  local n_entries = redis.pcall('HLEN', entry.key)
  if type(n_entries) == 'number' and n_entries > entry.max_entries then remove_oldest(entry.key) end
end
