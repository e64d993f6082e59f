-- KEYS: queue, known. ARGV: consultation, feedback, most that may wait, milliseconds for which a consultation is known.
-- Answers `new`, `known` or `full`.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not known and redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
-- What is known is written again: whoever repeats a call waits until the first one is durable.
redis.call('ZADD', KEYS[2], now, ARGV[1])
if known then
  return 'known'
end
redis.call('XADD', KEYS[1], '*', 'feedback', ARGV[2])
return 'new'
