-- Determines which commands Redis would reject for this user, without running them. The script
-- declares no keys, so even a user without any right to keys may call it.
--
-- ARGV: a JSON list of commands; each command is a list of words.
-- Returns the rejected commands, each as a text of command and key. The list is empty if Redis is
-- older than version 7, because such a server cannot check rights.
local missing = {}
if not redis.acl_check_cmd then return missing end
for _, command in ipairs(cjson.decode(ARGV[1])) do
  if not redis.acl_check_cmd(unpack(command)) then table.insert(missing, command[1] .. ' ' .. (command[2] or '')) end
end
return missing
