-- Finds the entries of a job in the queue. This file is prepended to ADOPT and AUDIT.

-- Returns whether a decoded JSON value names the job `id`.
local function names_job(value, id, payload_key)
  if type(value) == 'string' then return value == id or value == payload_key end
  if type(value) ~= 'table' then return false end
  local own_id = value.job_id
  if own_id == nil or own_id == cjson.null then own_id = value.build_id end
  if type(own_id) == 'number' then own_id = string.format('%.0f', own_id) end
  return own_id == id or value.payload_key == payload_key
end

-- Returns a text without the white space around it. A pattern that matches both ends would take time
-- that grows with the square of the number of blanks, and Redis runs nothing else meanwhile.
local function trim(text)
  local first, last = string.find(text, '%S'), #text
  if not first then return '' end
  while string.find(text, '^%s', last) do last = last - 1 end
  return string.sub(text, first, last)
end

-- Returns whether an entry belongs to the job `id`, whose payload has the key `payload_key`.
local function is_entry_of(entry, id, payload_key)
  local text = trim(entry)
  if text == id or text == payload_key then return true end
  local first = string.sub(text, 1, 1)
  if first ~= '{' and first ~= '"' then return false end
  -- Decoding is slow, and the queue may contain many large jobs. An id of letters, digits and a few
  -- marks has only one spelling in JSON, so an entry that does not contain it is of another job.
  if not string.find(id, '[^%w:._-]') and not string.find(text, id, 1, true) then return false end
  local is_json, value = pcall(cjson.decode, text)
  return is_json and names_job(value, id, payload_key)
end

-- Returns the first entry in the queue that satisfies `condition`, or nil. The queue is read in
-- parts, because entries may be large.
local function find_entry(queue, condition)
  for start = 0, redis.call('LLEN', queue) - 1, 200 do
    for _, entry in ipairs(redis.call('LRANGE', queue, start, start + 199)) do
      if condition(entry) then return entry end
    end
  end
end

-- Reads the queue once, and returns a function that returns whether the queue contains an entry of a
-- job. It suits many jobs, because a plain entry is found without a comparison with all others.
local function index_entries(queue)
  local is_plain, others = {}, {}
  find_entry(queue, function(entry)
    local text = trim(entry)
    local first = string.sub(text, 1, 1)
    if first == '{' or first == '"' then table.insert(others, entry) else is_plain[text] = true end
    return false
  end)
  return function(id, payload_key)
    if is_plain[id] or is_plain[payload_key] then return true end
    for _, entry in ipairs(others) do
      if is_entry_of(entry, id, payload_key) then return true end
    end
    return false
  end
end

-- Returns the entries in the queue that satisfy `condition`; equal entries are returned once.
local function find_entries(queue, condition)
  local found, is_known = {}, {}
  find_entry(queue, function(entry)
    if not is_known[entry] and condition(entry) then
      is_known[entry] = true
      table.insert(found, entry)
    end
    return false
  end)
  return found
end
