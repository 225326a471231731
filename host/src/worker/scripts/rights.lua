-- Checks which commands Redis would refuse this user, without running them. Declares no keys, so
-- that a user without any right to keys may call it.
-- ARGV: a JSON list of commands, each a list of words.
-- Returns the refused commands as texts of command and key; an empty list if Redis is older than 7
-- and cannot check.
local missing = {}
if not redis.acl_check_cmd then return missing end
for _, command in ipairs(cjson.decode(ARGV[1])) do
  if not redis.acl_check_cmd(unpack(command)) then table.insert(missing, command[1] .. ' ' .. (command[2] or '')) end
end
return missing
