import { renderMetricsReference } from '@flotilla/telemetry';
import { startTestServer } from '../testing/start-test-server.ts';
import { renderErrors } from './render-errors.ts';
import { type OpenApi, renderHttpApi } from './render-http-api.ts';

/** The pages of docs/reference that are made from code, by file name. */
export async function renderReferencePages(): Promise<Record<string, string>> {
  const server = await startTestServer();
  try {
    const { body } = await server.send('GET', '/openapi.json');
    return {
      'errors.md': renderErrors(),
      'http-api.md': renderHttpApi(body as unknown as OpenApi),
      'metrics.md': renderMetricsReference(),
    };
  } finally {
    await server.app.close();
  }
}
