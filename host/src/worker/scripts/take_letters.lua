-- Removes dead letters, and pushes their entries to the queue if they are retried.
--
-- Order: an entry is pushed before its letter is removed. A script that fails halfway leaves the
-- entry in both places, so it may run twice, but it is not lost.
--
-- KEYS: dead letters, queue.
-- ARGV: push command, or '' to drop the letters; then for each letter its exact text, and its entry
--       if it is retried.
-- Returns for each letter 1, or 0 if it no longer exists.
local dead, queue = unpack(KEYS)
local push = ARGV[1]
local step = push == '' and 1 or 2
redis.call('LLEN', queue)
local taken = {}
for index = 2, #ARGV, step do
  local letter = ARGV[index]
  -- The oldest letters are at the end, and the caller begins with them.
  local exists = redis.call('LPOS', dead, letter, 'RANK', -1)
  if exists then
    if push ~= '' then redis.call(push, queue, ARGV[index + 1]) end
    redis.call('LREM', dead, -1, letter)
  end
  table.insert(taken, exists and 1 or 0)
end
return taken
