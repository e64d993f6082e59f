-- KEYS: head, queue. Answers number and fingerprint of the newest epoch, empty for none, and how much waits.
return {redis.call('GET', KEYS[1]) or '', tostring(redis.call('XLEN', KEYS[2]))}
