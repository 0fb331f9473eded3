import type { Slots } from '@flotilla/executor';
import type { Meters } from '@flotilla/telemetry';

/** Has what a worker is doing read at each scrape. */
export function observeWorker(meters: Meters, slots: Slots): void {
  meters.observe(['flotilla_attempts_running', 'flotilla_slots'], () => [
    { name: 'flotilla_attempts_running', value: slots.taken, labels: {} },
    { name: 'flotilla_slots', value: slots.size, labels: { kind: 'configured' } },
    { name: 'flotilla_slots', value: Math.min(slots.limit, slots.size), labels: { kind: 'allowed' } },
  ]);
}
