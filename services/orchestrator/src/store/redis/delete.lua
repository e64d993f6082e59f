-- Deletes a consultation.
-- KEYS: the consultation, the index of its part. ARGV: its id (16 bytes), channel, bytes of a summary, where to go on
-- in the index (`0` to begin), members to look at.
-- Answers 1 when there was one, otherwise 0; and where to go on in the index, `0` when all of it is done.
local consultation, index = KEYS[1], KEYS[2]
local card = redis.call('LINDEX', consultation, 0)
local go_on = '0'
if card then
  local at = 2
  while at <= #card do
    local size = card:byte(at)
    redis.call('ZREM', index, card:sub(at + 1, at + size))
    at = at + 1 + size
  end
  redis.call('DEL', consultation)
else
  -- One that Redis itself let expire has left its members behind. They end with the id and a summary.
  local tail = tonumber(ARGV[3])
  local page = redis.call('ZSCAN', index, ARGV[4], 'COUNT', ARGV[5])
  go_on = page[1]
  for i = 1, #page[2], 2 do
    local member = page[2][i]
    if member:sub(-tail - 16, -tail - 1) == ARGV[1] then redis.call('ZREM', index, member) end
  end
end
redis.call('PUBLISH', ARGV[2], 'deleted')
return {card and 1 or 0, go_on}
