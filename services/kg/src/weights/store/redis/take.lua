-- KEYS: queue, lease. ARGV: token, milliseconds of the lease, most, group, consumer.
-- Answers `busy`, or `taken` and the receipt and the feedback of each piece.
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {'busy'}
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
  return {'taken'}
end
-- It fails where the group is there.
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[4], '0')
local most = tonumber(ARGV[3])
local taken = {'taken'}
local function add(entries)
  for _, entry in ipairs(entries) do
    taken[#taken + 1] = entry[1]
    taken[#taken + 1] = entry[2][2]
  end
end
-- Whoever has the lease is the only publisher: what anybody else holds was left behind.
local cursor = '0-0'
repeat
  local left = most - (#taken - 1) / 2
  if left <= 0 then
    break
  end
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[4], ARGV[5], 0, cursor, 'COUNT', left)
  cursor = claimed[1]
  add(claimed[2])
until cursor == '0-0'
local left = most - (#taken - 1) / 2
if left > 0 then
  local fresh = redis.call('XREADGROUP', 'GROUP', ARGV[4], ARGV[5], 'COUNT', left, 'STREAMS', KEYS[1], '>')
  if fresh then
    add(fresh[1][2])
  end
end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[4])) do
  local about = {}
  for i = 1, #consumer, 2 do
    about[consumer[i]] = consumer[i + 1]
  end
  if about.pending == 0 and about.name ~= ARGV[5] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[4], about.name)
  end
end
if #taken == 1 then
  redis.call('DEL', KEYS[2])
end
return taken
