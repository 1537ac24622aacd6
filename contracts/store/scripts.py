"""What must happen as a whole in Redis: Lua.

Times are those of Redis, in ms: one clock for all. Where a script writes them, it does so on any Redis from 5 on.
"""

from __future__ import annotations

PUT_OUTCOME = """
-- KEYS outcomes, failed, others, counts, due, running, state, new
-- ARGV job, text, why ('' where valid), configuration, slot, ms of the job, ms of its longest load ('' where none)
local job, text, why, configuration, slot, ms, load = unpack(ARGV)
local function count(name, by) redis.call('HINCRBY', KEYS[4], name, by) end
local function add(name, by) redis.call('HINCRBYFLOAT', KEYS[4], name, by) end
local function keep(other) redis.call('HSET', KEYS[3], job .. ':' .. redis.call('HLEN', KEYS[3]), other) end
redis.call('HDEL', KEYS[6], job)
local held = redis.call('HGET', KEYS[1], job)
if held == text then return 1 end  -- the answer was lost with the connection, so it was sent again
local now = redis.call('TIME')
redis.call('HSET', KEYS[7], 'newest_ms', now[1] * 1000 + math.floor(now[2] / 1000))
count('slot_jobs:' .. slot, 1)
add('slot_ms:' .. slot, ms)
if load ~= '' and tonumber(load) > tonumber(redis.call('HGET', KEYS[4], 'load_ms') or '0') then
  redis.call('HSET', KEYS[4], 'load_ms', load)
end
local failed = redis.call('HGET', KEYS[2], job)
local due = redis.call('HEXISTS', KEYS[5], configuration) == 1
if not due or (held and not (why == '' and failed)) then
  keep(text)
  return 0
end
if held then
  local old_why, old_ms = string.match(failed, '^(%S+) (%S+)$')
  keep(held)
  redis.call('HDEL', KEYS[2], job)
  count('failed:' .. configuration, -1)
  count('why:' .. old_why, -1)
  add('ms:' .. configuration, -old_ms)
  add('ms2:' .. configuration, -old_ms * old_ms)
else
  count('done:' .. configuration, 1)
end
add('ms:' .. configuration, ms)
add('ms2:' .. configuration, ms * ms)
redis.call('HSET', KEYS[1], job, text)
if why ~= '' then
  redis.call('HSET', KEYS[2], job, why .. ' ' .. ms)
  count('failed:' .. configuration, 1)
  count('why:' .. why, 1)
else
  redis.call('RPUSH', KEYS[8], job)
end
return 1
"""

VOID = """
-- KEYS outcomes, failed, others, counts, due, voided, attempts, taken_back
-- ARGV slot, why, job, configuration, job, configuration, …
local voided = {}
for i = 3, #ARGV, 2 do
  local job, configuration = ARGV[i], ARGV[i + 1]
  local failed = redis.call('HGET', KEYS[2], job)
  if failed and redis.call('HEXISTS', KEYS[5], configuration) == 1 and redis.call('HEXISTS', KEYS[6], job) == 0 then
    local why, ms = string.match(failed, '^(%S+) (%S+)$')
    redis.call('HSET', KEYS[3], job .. ':' .. redis.call('HLEN', KEYS[3]), redis.call('HGET', KEYS[1], job))
    redis.call('HDEL', KEYS[1], job)
    redis.call('HDEL', KEYS[2], job)
    redis.call('HDEL', KEYS[7], job)
    redis.call('HINCRBY', KEYS[4], 'failed:' .. configuration, -1)
    redis.call('HINCRBY', KEYS[4], 'why:' .. why, -1)
    redis.call('HINCRBY', KEYS[4], 'done:' .. configuration, -1)
    redis.call('HINCRBY', KEYS[4], 'voids:' .. configuration, 1)
    redis.call('HINCRBYFLOAT', KEYS[4], 'ms:' .. configuration, -ms)
    redis.call('HINCRBYFLOAT', KEYS[4], 'ms2:' .. configuration, -ms * ms)
    redis.call('HSET', KEYS[6], job, 'waiting')
    redis.call('HINCRBY', KEYS[8], 'jobs:' .. ARGV[1], 1)
    redis.call('HSET', KEYS[8], 'why:' .. ARGV[1], ARGV[2])
    voided[#voided + 1] = job
  end
end
return voided
"""

NEXT_GENERATION = """
-- KEYS state, attempts, taken
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local began = tonumber(redis.call('HGET', KEYS[1], 'began_ms'))
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest_ms'))
if began and newest and newest > began then redis.call('HINCRBY', KEYS[1], 'spent_ms', newest - began) end
redis.call('HSET', KEYS[1], 'began_ms', now_ms)
redis.call('HDEL', KEYS[1], 'newest_ms', 'problem', 'units', 'known_block')
redis.call('DEL', KEYS[2], KEYS[3])
return redis.call('HINCRBY', KEYS[1], 'generation', 1)
"""

PUT_SUMMARY = """
-- KEYS summaries, figures, due, counts; ARGV configuration, summary, figures, runs, how many outcomes had been taken back
local voids = redis.call('HGET', KEYS[4], 'voids:' .. ARGV[1]) or '0'
if redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[4] and voids == ARGV[5] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return redis.call('HLEN', KEYS[3])
"""

PUT_ROUND = """
-- KEYS rounds, due, state; ARGV block, round, configuration, runs, …
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then return there end
if redis.call('HGET', KEYS[3], 'status') ~= 'running' or redis.call('HLEN', KEYS[2]) > 0 then return false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return ARGV[2]
"""

SET_STATUS = """
-- KEYS state, executions; ARGV execution, status, 1 where it is still to be carried out, statuses that it may follow
local there = redis.call('HGET', KEYS[1], 'status')
local allowed = false
for i = 4, #ARGV do allowed = allowed or there == ARGV[i] end
if not allowed then return there end
redis.call('HSET', KEYS[1], 'status', ARGV[2])
redis.call(ARGV[3] == '1' and 'SADD' or 'SREM', KEYS[2], ARGV[1])
return ARGV[2]
"""

MOVE = """
-- KEYS from, to; ARGV number of messages, 'oldest' or 'newest' first. A queue's oldest message is at its right end.
local moved = 0
while moved < tonumber(ARGV[1]) do
  local message
  if ARGV[2] == 'newest' then message = redis.call('LPOP', KEYS[1]) else message = redis.call('RPOP', KEYS[1]) end
  if not message then break end
  if ARGV[2] == 'newest' then redis.call('RPUSH', KEYS[2], message) else redis.call('LPUSH', KEYS[2], message) end
  moved = moved + 1
end
return moved
"""

WITHOUT = """
-- KEYS hash; ARGV fields: those that the hash does not have
local absent = {}
for i = 1, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then absent[#absent + 1] = ARGV[i] end
end
return absent
"""

CANCEL = """
-- KEYS state; ARGV why
local there = redis.call('HGET', KEYS[1], 'status')
if there ~= 'running' and there ~= 'paused' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'cancelled', 'cancelled', ARGV[1])
return 1
"""

PUT_FEEDING = """
-- KEYS state; ARGV generation that was fed, units, known_block
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'units', ARGV[2], 'known_block', ARGV[3])
return 1
"""

HOLD = """
-- KEYS lease; ARGV token, ms
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
