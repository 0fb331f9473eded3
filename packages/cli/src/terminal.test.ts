import { afterEach, expect, jest, test } from '@jest/globals';
import { processTerminal } from './terminal.ts';

afterEach(() => {
  jest.restoreAllMocks();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeAllListeners(name);
});

test('a signal that comes twice at once, as to a process group, is one request to end; a later one is a further one', () => {
  const clock = jest.spyOn(performance, 'now').mockReturnValue(1000);
  const terminal = processTerminal();
  let further = 0;
  terminal.onFurtherSignal(() => {
    further += 1;
  });
  process.emit('SIGTERM');
  expect(terminal.signal.reason).toMatchObject({ name: 'Interrupted', signalName: 'SIGTERM' });
  clock.mockReturnValue(1020);
  process.emit('SIGTERM');
  expect(further).toBe(0);
  clock.mockReturnValue(1600);
  process.emit('SIGTERM');
  expect(further).toBe(1);
});

test('signals that are released do not abort it any more', () => {
  const before = process.listenerCount('SIGTERM');
  const terminal = processTerminal();
  expect(process.listenerCount('SIGTERM')).toBe(before + 1);
  terminal.releaseSignals();
  expect(process.listenerCount('SIGTERM')).toBe(before);
});
