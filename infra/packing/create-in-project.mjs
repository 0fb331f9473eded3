import assert from 'node:assert/strict';
import { guideCommand } from './guide.mjs';

/** Any free ports: the usual ones may be in use. */
const FREE_PORTS = '--port 0 --dashboard-port 0';
const CREATE = guideCommand('npx --yes ./vendor/create-flotilla');

/**
 * From an empty folder to a finished run, as the guide says.
 * @param {import('./user-project.mjs').UserProject} project
 */
export async function createsAndFinishesARun(project) {
  await project.run(CREATE);
  await project.run('cd my-flotilla && npm install');
  const fleet = await project.serve(`cd my-flotilla && npm run dev -- ${FREE_PORTS}`);
  try {
    project.useScheduler(fleet.url);
    assert.match(await project.run('cd my-flotilla && npm start'), /"delivered": "Welcome aboard, Ada!"/);
  } finally {
    await fleet.stop();
  }
}

/** The tests that a created project has, and the strict compiler. */
export async function createdPassItsTests(project) {
  await project.run('cd my-flotilla && npm test && npm run typecheck');
  await project.run(CREATE.replace('my-flotilla', 'my-agents').replace('first-workflow', 'agents'));
  await project.run('cd my-agents && npm install && npm test && npm run typecheck');
}

/** Into the project that there is. */
export async function addsToAProject(project) {
  await project.run(CREATE.replace('my-flotilla', '.').replace('first-workflow', 'existing'));
  await project.run('npm install');
  assert.match(await project.run('npm run flotilla:test'), /is a valid workflow/);
}
