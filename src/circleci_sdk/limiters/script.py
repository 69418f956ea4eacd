"""The decisions on a shared limit: one Lua script, atomic in Redis.

A limit has one of three states. Unknown: five calls proceed in the first second, and twice as many each tenth of the
next one, so that a fleet that starts does not send thousands of calls before a response names the limit. Known: the
calls that the headers leave are admitted at once. Paced, from the moment at which a window is used up or a call was
refused: each call takes a ticket, a number, and proceeds when a counter that runs at the pace of the limit has reached
it. The counter stands still during a pause, so a later pause moves all tickets, and a new pace applies to all of them.
Tickets that were returned are issued again.
"""

from __future__ import annotations

import hashlib
from typing import Final

# KEYS: the limit of the group, that of all groups of the credential, and the returned tickets of each.
# ARGV: the question as JSON.
# A limit is a hash. limit, window, left, ends: what the headers say. born, seen, asked, got: when the first call was
# admitted, and how many calls were, how many waited, and how many had a response, before the limit was known. paced,
# counter, at, rate, grow, base, share, tail, pause, busy, slowed, epoch: the counter and its value at a time, its pace,
# the last ticket, the end of the pause, the last time with waiting calls, and the number of changes that move tickets.
# group, till: the last group that was refused, and until when.
SCRIPT: Final = """
local question, group = cjson.decode(ARGV[1]), KEYS[1]
local now = question.now
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end

local function load(key, free)
  local line, flat = {key = key, free = free}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local number = tonumber(flat[i + 1])
    if flat[i] == 'group' then line.group = flat[i + 1]
    elseif number and math.abs(number) < 1e15 then line[flat[i]] = number end
  end
  line.tail = line.tail or 0
  line.share = line.share or 1
  line.epoch = line.epoch or 0
  -- Nothing lasts longer than a day, also after the clock of Redis was set back.
  line.pause = (line.pause and line.pause < now + 86400) and line.pause or 0
  line.ends = (line.ends and line.ends < now + 90000) and line.ends or 0
  if line.born and line.born > now then line.born = now end
  if line.paced and not (line.counter and line.at and line.rate and line.rate > 0) then line.paced = nil end
  return line
end

local FIELDS = {'limit', 'window', 'left', 'ends', 'born', 'seen', 'asked', 'got', 'paced', 'counter', 'at', 'rate',
  'base', 'grow', 'share', 'tail', 'pause', 'busy', 'slowed', 'till', 'epoch', 'group'}

local function save(line)
  local set, gone = {}, {}
  for _, field in ipairs(FIELDS) do
    local value = line[field]
    if value == nil then gone[#gone + 1] = field
    else
      set[#set + 1] = field
      set[#set + 1] = type(value) == 'number' and string.format('%.17g', value) or value
    end
  end
  redis.call('HSET', line.key, unpack(set))
  if #gone > 0 then redis.call('HDEL', line.key, unpack(gone)) end
  local seconds = math.max(3600, 2 * (line.window or 0), line.pause - now + 60)
  redis.call('PEXPIRE', line.key, math.floor(seconds * 1000))
  if redis.call('EXISTS', line.free) == 1 then redis.call('PEXPIRE', line.free, math.floor(seconds * 1000)) end
end

local function burst(line) return math.max(1, 0.02 * line.rate) end

local function advance(line, pause)
  if not line.paced then return end
  local from = math.max(math.min(line.at, now), math.min(math.max(line.pause, pause), now))
  local passed = now - from
  line.counter = line.counter + line.rate * passed
  if line.counter < line.tail then
    line.busy = now
    if (line.grow or 1) > 1 then
      local rate = math.min(100000, line.rate * math.pow(line.grow, math.min(passed, 2)))
      line.rate = rate
    end
  else
    line.busy = math.min(now, math.max(line.busy or 0, now - (line.counter - line.tail) / line.rate))
    line.counter = math.min(line.counter, line.tail + burst(line))
  end
  line.at = now
  if line.counter >= line.tail and now > line.pause
      and now - line.busy > math.min(60, math.max(1, line.window or 1)) then
    line.paced, line.epoch = nil, line.epoch + 1
    line.left, line.ends = line.limit, now + (line.window or 0)
  end
end

local function hold(line, till)
  if till > line.pause then
    line.pause, line.epoch = till, line.epoch + 1
  end
end

-- A reset in full seconds is up to a second late. Calls that are paced use a window up near its end.
local function rest(line, reset)
  if reset ~= math.floor(reset) or not line.base or now < (line.slowed or 0) + 30 then return reset end
  return math.min(reset, reset - 1 + 0.03 * (line.window or 1))
end

local function pace(line, start)
  hold(line, start)
  if line.paced then return end
  line.paced, line.counter, line.at, line.busy = 1, line.tail + 1, now, now
  if line.base then line.rate, line.grow = line.base * line.share, 1
  else line.rate, line.grow = 20, 2 end
end

-- So few calls are not paced: those of a window proceed at once, the others in the next one.
local function slow(line) return line.base and line.base < 0.9 end

local function refuse(line, till)
  if slow(line) then
    line.left, line.ends = 0, math.max(line.ends, till)
    hold(line, till)
    return
  end
  if line.paced and now > line.pause and now > (line.slowed or 0) then
    line.slowed, line.epoch = till + 1, line.epoch + 1
    if line.base then
      line.share = math.max(0.8, line.share * 0.98)
      line.rate = line.base * line.share
    else line.rate, line.grow = math.max(1, line.rate * 0.85), 1.02 end
  end
  pace(line, till)
end

local function learn(line, seen)
  line.got = (line.got or 0) + 1
  if seen.limit and (seen.limit ~= line.limit or seen.window ~= line.window) then
    line.limit, line.window, line.base, line.share = seen.limit, seen.window, seen.rate, 1
    line.epoch = line.epoch + 1
    if line.paced then line.rate, line.grow = seen.rate, 1 end
  end
  if not seen.remaining then return end
  local window = line.window or 1
  local ends = now + (seen.reset or window)
  if not line.left then
    line.left = math.max(0, seen.remaining - math.max(0, (line.seen or 0) - line.got))
    line.ends = ends
  elseif now >= line.ends or ends > line.ends + math.max(1, window / 20) then
    line.left, line.ends = seen.remaining, ends
  else
    line.left = math.min(line.left, seen.remaining)
  end
  if seen.remaining == 0 and seen.reset then
    line.left, line.ends = 0, math.max(line.ends, ends)
    if line.paced then hold(line, now + rest(line, seen.reset)) end
  end
end

-- Returns a ticket and the seconds until it is due; without a ticket, the seconds until the next question.
local function take(line)
  if not line.paced then
    if line.left and now >= line.ends then
      line.left = line.limit
      line.ends = now + (line.window or 0)
    end
    if line.left then
      if line.left >= 1 then
        line.left = line.left - 1
        return nil, math.max(0, line.pause - now)
      end
      if slow(line) then return nil, math.max(line.ends, line.pause) - now end
      pace(line, line.ends)
    else
      line.born, line.seen = line.born or now, line.seen or 0
      local age = now - line.born
      if line.seen >= 5 then
        if age < 1 then return nil, 0.05 end
        if age < 2 and line.seen >= 5 * math.pow(2, (age - 1) / 0.1) then
          -- Each call that waits asks again at a time of its own.
          line.asked = math.max(line.asked or 0, line.seen) + 1
          return nil, math.max(0.01, math.min(2, 1 + 0.1 * math.log(line.asked / 5) / math.log(2)) - age)
        end
      end
      line.seen = line.seen + 1
      return nil, math.max(0, line.pause - now)
    end
  end
  local ticket
  repeat
    local returned = redis.call('ZPOPMIN', line.free)
    ticket = tonumber(returned[1])
  until not ticket or (ticket <= line.tail and ticket > line.counter - burst(line))
  if not ticket then
    line.tail = line.tail + 1
    ticket = line.tail
  end
  return ticket, nil
end

local function due(line, ticket)
  return math.max(0, line.pause - now) + math.max(0, (ticket - line.counter) / line.rate)
end

local mine, all = load(KEYS[1], KEYS[3]), load(KEYS[2], KEYS[4])
advance(mine, all.pause)
advance(all, 0)

for _, ticket in ipairs(question.returned) do
  redis.call('ZADD', ticket < 0 and all.free or mine.free, math.abs(ticket), math.abs(ticket))
end

for _, seen in ipairs(question.seen) do
  learn(mine, seen)
  local till
  if seen.pause then till = now + seen.pause
  elseif seen.remaining == 0 and seen.reset then till = now + seen.reset end
  if seen.pause then refuse(mine, till) end
  if till then
    if all.group and all.group ~= group and (all.till or 0) > now then
      if not all.base or (seen.rate and seen.rate < all.base) then
        all.base = seen.rate and math.max(1, seen.rate)
      end
      refuse(all, till)
    end
    all.group, all.till = group, math.max(till, all.group == group and all.till or 0)
  end
end

local reply = {mine.limit and 1 or 0, mine.epoch + all.epoch}
for _, asked in ipairs(question.asked) do
  local ticket, max_wait, max_total = asked[1], asked[2], asked[3]
  local line = mine
  if ticket < 0 or (ticket == 0 and all.paced) then line = all end
  local number, wait = math.abs(ticket), nil
  local pause = math.max(0, mine.pause - now, all.pause - now)
  local before = {line.tail, line.left, line.seen}
  if number == 0 or not line.paced or number > line.tail then number, wait = take(line) end
  local kind = 0
  if number then
    wait = math.max(due(line, number), pause)
    if pause > max_wait or wait >= max_total then
      kind = 1
      if number == line.tail and number > before[1] then line.tail = before[1]
      else redis.call('ZADD', line.free, number, number) end
      number = 0
    elseif wait < 0.0005 then wait = 0 end
  else
    wait = math.max(wait, pause)
    if wait > 0 then
      kind = (wait > max_wait or wait >= max_total) and 1 or 2
      line.tail, line.left, line.seen = before[1], before[2], before[3]
    end
    number = 0
  end
  reply[#reply + 1] = kind
  reply[#reply + 1] = line == all and -number or number
  reply[#reply + 1] = math.ceil(wait * 1000000)
  reply[#reply + 1] = (line.paced and (line.grow or 1) > 1.5) and 1 or 0
end

save(mine)
if all.group then save(all) end
return reply
"""
DIGEST: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
"""The name of the script in Redis."""
