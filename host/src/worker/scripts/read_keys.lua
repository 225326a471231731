-- Reads the starts of several strings. The keys are not declared, because the caller may lack the
-- right to some of them, and producers choose the keys of payloads.
--
-- ARGV: largest number of bytes to return per string, and the keys.
-- Returns one text per key; '' if the key does not exist or cannot be read.
local texts = {}
for index = 2, #ARGV do
  local text = redis.pcall('GETRANGE', ARGV[index], 0, ARGV[1] - 1)
  table.insert(texts, type(text) == 'string' and text or '')
end
return texts
