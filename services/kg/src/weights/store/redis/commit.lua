-- KEYS: head, queue, lease, published, epochs, overlays.
-- ARGV: number, fingerprint, publish id, epoch with ledger, overlay, number of the overlay to retire or empty,
-- token or empty, group, channel, name of the pack on the channel, receipts.
-- Answers `ok`, `published` and its number, `conflict` and the newest number, or `lease`.
local before = redis.call('HGET', KEYS[4], ARGV[3])
if before then
  -- Written again, so that whoever repeats a call waits until the first one is durable.
  redis.call('HSET', KEYS[4], ARGV[3], before)
  return {'published', before}
end
local newest = string.match(redis.call('GET', KEYS[1]) or '0', '^%d+')
if newest + 1 ~= tonumber(ARGV[1]) then
  return {'conflict', newest}
end
if ARGV[7] ~= '' then
  if redis.call('GET', KEYS[3]) ~= ARGV[7] then
    return {'lease'}
  end
  redis.call('DEL', KEYS[3])
end
for i = 11, #ARGV do
  redis.call('XACK', KEYS[2], ARGV[8], ARGV[i])
  redis.call('XDEL', KEYS[2], ARGV[i])
end
redis.call('HSET', KEYS[5], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[6], ARGV[1], ARGV[5])
if ARGV[6] ~= '' then
  redis.call('HDEL', KEYS[6], ARGV[6])
end
redis.call('HSET', KEYS[4], ARGV[3], ARGV[1])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
redis.call('PUBLISH', ARGV[9], ARGV[10])
return {'ok'}
