import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { guideCommand } from './guide.mjs';

const LOOK_MS = 50;
const FOUND_MS = 30_000;
/** Any free ports: the usual ones may be in use. */
const FREE_PORTS = '--port 0 --dashboard-port 0';
const SAVED_GREETING = 'export const greetingFor = (name: string): string => `Good day, ${name}!`;\n';
const GREETING = { text: 'Hello, Ada!', attempts: 1 };

/** @param {import('./user-project.mjs').UserProject} project */
export async function finishesARun(project) {
  await whileServing(project, 'up', async () => {
    assert.deepEqual(await finishedRun(project), GREETING);
  });
}

/**
 * The worker that makes the step is killed; the next one makes it again, and the attempt that was lost is not counted. Then the
 * program of the guide, and a greeting that is saved.
 */
export async function finishesUnderAKilledWorker(project) {
  await whileServing(project, 'dev', async (url, printed) => {
    const running = finishedRun(project);
    const pid = await busyWorker(url);
    process.kill(pid, 'SIGKILL');
    assert.deepEqual(await running, GREETING);
    const { runs } = await answerOf(`${url}/v1/runs`);
    const history = await project.run(`npx flotilla history ${runs[0].runId} --json`);
    assert.match(history, /"attempt-lost"/, 'the killed worker was not noticed');
    assert.match(await project.run(guideCommand('node src/start.ts')), /^succeeded .*"text":"Hello, Ada!"/);
    project.write('src/greeting.ts', SAVED_GREETING);
    await until(() => printed().includes('greeting.ts changed: handlers reloaded'));
    assert.deepEqual(await finishedRun(project), { text: 'Good day, Ada!', attempts: 1 });
  });
}

async function whileServing(project, command, action) {
  const fleet = await project.serve(`${guideCommand(`npx flotilla ${command}`)} ${FREE_PORTS}`);
  try {
    project.useScheduler(fleet.url);
    const dashboard = /Dashboard +(\S+)/.exec(fleet.printed())?.[1];
    assert.match(await (await fetch(dashboard)).text(), /<script type="module"/, 'the dashboard has no pages');
    await action(fleet.url, fleet.printed);
  } finally {
    await fleet.stop();
  }
}

/** @returns {Promise<unknown>} the output of the guide's run */
async function finishedRun(project) {
  const printed = await project.run(`${guideCommand('npx flotilla run')} --json`);
  const { status, output } = JSON.parse(printed);
  assert.equal(status, 'succeeded', printed);
  return output;
}

/** The process id of the worker that makes an attempt, as soon as there is one. */
async function busyWorker(url) {
  return until(async () => {
    const { agents } = await answerOf(`${url}/v1/agents`);
    return agents.find(({ load }) => load.running > 0)?.pid;
  });
}

/** What `look` finds, as soon as it finds something. */
async function until(look) {
  const deadline = performance.now() + FOUND_MS;
  while (performance.now() < deadline) {
    const found = await look();
    if (found) return found;
    await delay(LOOK_MS);
  }
  return assert.fail(`nothing found within ${FOUND_MS} ms: ${look}`);
}

async function answerOf(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.json();
}
