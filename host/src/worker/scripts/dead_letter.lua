-- Writes dead letters. No other file writes them. This file is prepended to FINISH and REAP.

-- Returns whether a text is UTF-8. Every valid multi-byte character is replaced by a blank, and the
-- text is UTF-8 if only ASCII remains then. The patterns follow the table of well-formed byte
-- sequences in the Unicode standard (table 3-7), longest sequences first.
local function is_utf8(text)
  for _, character in ipairs({
    '\240[\144-\191][\128-\191][\128-\191]', '[\241-\243][\128-\191][\128-\191][\128-\191]',
    '\244[\128-\143][\128-\191][\128-\191]', '\224[\160-\191][\128-\191]',
    '[\225-\236\238\239][\128-\191][\128-\191]', '\237[\128-\159][\128-\191]', '[\194-\223][\128-\191]',
  }) do
    text = string.gsub(text, character, ' ')
  end
  return not string.find(text, '[\128-\255]')
end

-- Adds a dead letter with at most 64 KiB of the entry, so that the list stays small enough to
-- inspect. If that part is not UTF-8, it is written in hex, because a JSON text must be UTF-8. If
-- the entry is longer, its length and SHA-1 are added.
local function add_dead_letter(dead, letter, entry, id)
  local kept = entry
  if #entry > 65536 then
    letter.entry_bytes, letter.entry_sha1 = #entry, redis.sha1hex(entry)
    local cut = 65536
    -- Moves the cut back to the start of a character, which is at most three bytes away.
    for _ = 1, 3 do
      local after = string.byte(entry, cut + 1)
      if after >= 128 and after < 192 then cut = cut - 1 end
    end
    kept = string.sub(entry, 1, cut)
  end
  if is_utf8(kept) then
    letter.entry = kept
  else
    letter.entry_hex = string.gsub(kept, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
  end
  letter.id, letter.time = id or cjson.null, tonumber(redis.call('TIME')[1])
  redis.call('LPUSH', dead, cjson.encode(letter))
end
