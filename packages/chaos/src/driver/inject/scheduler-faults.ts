import type { Injector } from './injury.ts';

/** F5 */
export const killSchedulers: Injector = async (scene, { slot, variant }) => {
  const up = scene.schedulers.filter(({ isUp }) => isUp);
  const victims = variant.name === 'all' ? up : up.slice(slot % Math.max(1, up.length)).slice(0, 1);
  const startAt = Date.now();
  const killed = await Promise.all(victims.map((victim) => victim.killAndStart()));
  const proof = killed
    .filter(({ exit }) => exit.signal === 'SIGKILL')
    .map((each) => `process ${each.killed.process.pid} ended by SIGKILL`);
  const targets = killed.map((each) => each.killed.id);
  const started = killed.map((each) => each.started);
  // While another runs the fault is over at once; with none left it lasts until the first is back.
  const isAlone = victims.length === scene.schedulers.length;
  if (isAlone && started.length > 0) await Promise.any(started);
  const endAt = isAlone ? Date.now() : startAt;
  await Promise.all(started);
  return { startAt, endAt, targets, proof };
};
