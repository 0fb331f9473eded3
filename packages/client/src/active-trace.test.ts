import { afterEach, expect, test } from '@jest/globals';
import { activeTrace } from './active-trace.ts';

const API = Symbol.for('opentelemetry.js.api.1');
const globals = globalThis as Record<symbol, unknown>;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

afterEach(() => {
  delete globals[API];
});

test('without OpenTelemetry, or before its SDK has started, nothing is sent', () => {
  expect(activeTrace()).toEqual({});
  globals[API] = { version: '1.10.0' };
  expect(activeTrace()).toEqual({});
});

test('the traceparent of the active span is sent, and nothing else that is propagated', () => {
  const active = { name: 'the active context' };
  globals[API] = {
    context: { active: () => active },
    propagation: {
      inject(
        context: unknown,
        carrier: Record<string, string>,
        setter: { set(carrier: object, key: string, value: string): void },
      ) {
        if (context !== active) return;
        setter.set(carrier, 'traceparent', TRACEPARENT);
        setter.set(carrier, 'baggage', 'customer=42');
      },
    },
  };
  expect(activeTrace()).toEqual({ traceparent: TRACEPARENT });
});
