-- Asks which commands Redis would refuse this user, without running them. Declares no keys, so as to be let in.
-- ARGV: a JSON list of commands, each a list of words. Answers the refused ones as texts of command and key; nothing
-- where Redis is too old to tell (before 7).
local missing = {}
if not redis.acl_check_cmd then return missing end
for _, command in ipairs(cjson.decode(ARGV[1])) do
  if not redis.acl_check_cmd(unpack(command)) then table.insert(missing, command[1] .. ' ' .. (command[2] or '')) end
end
return missing
