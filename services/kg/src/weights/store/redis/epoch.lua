-- KEYS: published, epochs, overlays. ARGV: number or empty, publish id or empty.
-- Answers nothing, or the epoch with its ledger and the overlay, which is empty for a retired one.
local number = ARGV[1]
if number == '' then
  number = redis.call('HGET', KEYS[1], ARGV[2])
  if not number then
    return {}
  end
end
local epoch = redis.call('HGET', KEYS[2], number)
if not epoch then
  return {}
end
return {epoch, redis.call('HGET', KEYS[3], number) or ''}
