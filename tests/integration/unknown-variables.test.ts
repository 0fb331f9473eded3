import { join } from 'node:path';
import { freePort, sharedRedis, spawnNode, testNamespace } from '@flotilla/testing';
import { expect, test } from '@jest/globals';

const project = join(import.meta.dirname, '../..');

test.each(['scheduler', 'worker', 'dashboard'])(
  'a %s warns of a variable that no program reads',
  async (app) => {
    const name = `FLOTILLA_${'RETENTON_MS'}`;
    const port = String(await freePort());
    const program = await spawnNode(join(project, 'apps', app, 'src/main.ts'), [], {
      env: {
        REDIS_URL: sharedRedis().url,
        FLOTILLA_NAMESPACE: testNamespace(import.meta.url),
        FLOTILLA_PORT: port,
        FLOTILLA_DASHBOARD_PORT: port,
        [name]: '1000',
      },
    });
    try {
      const { input = '' } = await program.waitForLine(/no program reads it/, 30_000);
      expect(JSON.parse(input)).toMatchObject({
        level: 40,
        msg: `${name} is set, but no program reads it (did you mean FLOTILLA_RETENTION_MS?)`,
      });
    } finally {
      await program.kill9();
    }
  },
  60_000,
);
