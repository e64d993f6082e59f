-- Compare and append.
-- KEYS: the consultation (element 0 its card, then its records), the index of its part.
-- ARGV: expected version, card, time of expiry (s since 1970), channel, records...
-- Answers -1 when the records are there, otherwise the version that the consultation has.
local consultation, index = KEYS[1], KEYS[2]
local expected, card, expiry, channel = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local first = 5
local count = #ARGV - first + 1

local length = redis.call('LLEN', consultation)
local version = math.max(length - 1, 0)
if version ~= expected then
  -- Perhaps these very records are there already, and only the answer to them was lost.
  if count == 0 or version < expected + count then return version end
  local stored = redis.call('LRANGE', consultation, expected + 1, expected + count)
  for i = 1, count do
    if stored[i] ~= ARGV[first + i - 1] then return version end
  end
  -- A write, so that waiting for durability covers the records as well.
  redis.call('EXPIREAT', consultation, expiry)
  return -1
end

-- A card holds the members of the index, each after its length.
local function each(text, action)
  local at = 2
  while at <= #text do
    local size = text:byte(at)
    action(text:sub(at + 1, at + size))
    at = at + 1 + size
  end
end

if length == 0 then
  redis.call('RPUSH', consultation, card)
  each(card, function(member) redis.call('ZADD', index, 0, member) end)
else
  local old = redis.call('LINDEX', consultation, 0)
  if old ~= card then
    each(old, function(member) redis.call('ZREM', index, member) end)
    each(card, function(member) redis.call('ZADD', index, 0, member) end)
    redis.call('LSET', consultation, 0, card)
  end
end
-- Lua hands over a few thousand values at once at most.
for from = first, #ARGV, 1000 do
  redis.call('RPUSH', consultation, unpack(ARGV, from, math.min(from + 999, #ARGV)))
end
redis.call('EXPIREAT', consultation, expiry)
redis.call('PUBLISH', channel, expected + count)
return -1
