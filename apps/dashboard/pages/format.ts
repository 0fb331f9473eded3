/** How times, durations and amounts are written, everywhere the same. */
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const whole = new Intl.NumberFormat('en');
const moment = new Intl.DateTimeFormat('en-CA', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hour12: false,
});

/** `240 ms`, `4.21 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const length = Math.max(0, ms);
  if (length < SECOND_MS) return `${Math.round(length)} ms`;
  if (length < 10 * SECOND_MS) return `${(length / SECOND_MS).toFixed(2)} s`;
  if (length < MINUTE_MS) return `${(length / SECOND_MS).toFixed(1)} s`;
  if (length < HOUR_MS) return pair(length, MINUTE_MS, 'min', SECOND_MS, 's');
  if (length < DAY_MS) return pair(length, HOUR_MS, 'h', MINUTE_MS, 'min');
  return pair(length, DAY_MS, 'd', HOUR_MS, 'h');
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** `8 s ago`, `in 3 min`; coarse, so that it changes seldom. */
export function relative(at: number, now: number): string {
  const away = Math.abs(now - at);
  if (away < 2 * SECOND_MS) return 'now';
  const text = coarse(away);
  return at > now ? `in ${text}` : `${text} ago`;
}

function coarse(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

/** `2026-11-30, 12:04:11.120`, in the browser's time zone. */
export function absolute(at: number): string {
  return moment.format(at);
}

/** `12:04:11.120` */
export function timeOfDay(at: number): string {
  return absolute(at).split(', ')[1] ?? '';
}

export function count(value: number): string {
  return whole.format(value);
}

/** `1 run`, `12 runs`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 / 1024).toFixed(1)} MiB`;
}
