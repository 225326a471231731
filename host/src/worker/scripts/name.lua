-- Notes a fetched entry's id as soon as it is read, so that whoever reaps it knows whose it is.
-- KEYS: leases, job in hand. ARGV: token, id. Answers 1, or 0 when the lease is lost: then nothing is written.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], 'id', ARGV[2])
return 1
