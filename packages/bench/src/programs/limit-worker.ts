/**
 * The limit: a hand-written loop in which one Lua script takes up to 200 steps and finishes the ones taken before. It
 * leaves out everything that makes a workflow engine: no history, lease, fence, checkpoint, retry, queue, plan or result.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { connectRedis, defineScript, runScript } from '@flotilla/redis';

const { client } = connectRedis(process.env['REDIS_URL']!, 'commands');
const SLOTS = Number(process.env['BENCH_CONCURRENCY'] ?? 64);
const MOST_AT_ONCE = 200;

// KEYS: ready list, counters hash, done counter. ARGV: how many to take, finished steps as `kind|run|i|size|ms`.
const TURN = defineScript({
  name: 'limit-turn',
  numberOfKeys: 3,
  lua: `
local ready, push = KEYS[1], {}
for index = 2, #ARGV do
  local kind, run, i, size, rest = string.match(ARGV[index], '^(%a)|([^|]*)|(%d+)|(%d+)(.*)$')
  local tail = '|' .. size .. rest
  if kind == 'c' then
    if i + 1 < tonumber(size) then push[#push + 1] = 'c|' .. run .. '|' .. (i + 1) .. tail
    else redis.call('INCR', KEYS[3]) end
  elseif kind == 'f' then
    redis.call('HSET', KEYS[2], run, size)
    for branch = 1, tonumber(size) do push[#push + 1] = 'b|' .. run .. '|' .. branch .. tail end
  elseif kind == 'b' then
    if redis.call('HINCRBY', KEYS[2], run, -1) == 0 then push[#push + 1] = 'l|' .. run .. '|0' .. tail end
  else
    redis.call('HDEL', KEYS[2], run)
    redis.call('INCR', KEYS[3])
  end
end
for first = 1, #push, 4000 do redis.call('RPUSH', ready, unpack(push, first, math.min(first + 3999, #push))) end
return redis.call('LPOP', ready, ARGV[1]) or {}`,
});

let finished: string[] = [];
let running = 0;

async function step(name: string): Promise<void> {
  const waitMs = Number(name.slice(name.lastIndexOf('|') + 1));
  if (waitMs > 0) await delay(waitMs);
  running -= 1;
  finished.push(name);
}

process.stdout.write('ready\n');
for (;;) {
  const most = Math.min(MOST_AT_ONCE, Math.max(SLOTS, MOST_AT_ONCE) - running);
  const ended = finished;
  finished = [];
  const keys = ['{limit}:ready', '{limit}:left', '{limit}:done'];
  const taken = (await runScript(client, TURN, keys, [most, ...ended])) as string[];
  running += taken.length;
  for (const name of taken) void step(name);
  await nextTurn();
  if (finished.length === 0 && taken.length === 0) await delay(1);
}
