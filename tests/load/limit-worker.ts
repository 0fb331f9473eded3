/**
 * The limit: a hand-written loop in which one Lua script takes up to 200 steps and finishes the ones taken before. It
 * leaves out everything that makes a workflow engine: no history, lease, fence, checkpoint, retry, queue, plan or result.
 */
import { connectRedis, defineScript, runScript } from '@flotilla/redis';
import { CHAIN_LENGTH, FAN_WIDTH } from './workloads.ts';

const { client } = connectRedis(process.env['REDIS_URL']!, 'commands');

// KEYS: ready list, counters hash, done counter. ARGV: how many to take, chain length, fan width, finished steps…
const TURN = defineScript({
  name: 'limit-turn',
  numberOfKeys: 3,
  lua: `
local ready, push = KEYS[1], {}
for index = 4, #ARGV do
  local kind, run, i = string.match(ARGV[index], '^(%a)|([^|]*)|(%d+)$')
  if kind == 'c' then
    if tonumber(i) + 1 < tonumber(ARGV[2]) then push[#push + 1] = 'c|' .. run .. '|' .. (i + 1)
    else redis.call('INCR', KEYS[3]) end
  elseif kind == 'f' then
    redis.call('HSET', KEYS[2], run, ARGV[3])
    for branch = 1, tonumber(ARGV[3]) do push[#push + 1] = 'b|' .. run .. '|' .. branch end
  elseif kind == 'b' then
    if redis.call('HINCRBY', KEYS[2], run, -1) == 0 then push[#push + 1] = 'l|' .. run .. '|0' end
  else
    redis.call('HDEL', KEYS[2], run)
    redis.call('INCR', KEYS[3])
  end
end
for first = 1, #push, 4000 do redis.call('RPUSH', ready, unpack(push, first, math.min(first + 3999, #push))) end
return redis.call('LPOP', ready, ARGV[1]) or {}`,
});

process.stdout.write('ready\n');
const step = async (name: string) => ({ name, result: { i: 1 } });
let finished: string[] = [];
for (;;) {
  const taken = (await runScript(
    client,
    TURN,
    ['{limit}:ready', '{limit}:left', '{limit}:done'],
    [200, CHAIN_LENGTH, FAN_WIDTH, ...finished],
  )) as string[];
  finished = (await Promise.all(taken.map(step))).map(({ name }) => name);
  if (finished.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
