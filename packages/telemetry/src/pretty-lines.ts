const LEVEL_NAMES: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO ',
  40: 'WARN ',
  50: 'ERROR',
  60: 'FATAL',
};
const LEVEL_COLOURS: Readonly<Record<number, number>> = { 40: 33, 50: 31, 60: 31 };
const SHOWN_APART = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'error', 'err']);

/** One JSON log line as a line for people: `12:03:04.123 WARN  worker: message field=value`. */
export function prettyLine(json: string, colour: boolean): string {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return json; // not ours: shown as it is
  }
  const level = Number(line['level']);
  const levelName = LEVEL_NAMES[level] ?? `${level}`;
  const code = LEVEL_COLOURS[level];
  const time = new Date(Number(line['time']));
  const clock = Number.isNaN(time.getTime()) ? '' : time.toTimeString().slice(0, 8) + time.toISOString().slice(19, 23);
  const fields = Object.entries(line)
    .filter(([name]) => !SHOWN_APART.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const error = line['error'] ?? line['err'];
  const stack = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['stack'] : error;
  const shownLevel = colour && code !== undefined ? `\u001b[${code}m${levelName}\u001b[0m` : levelName;
  const tail = stack === undefined ? '' : `\n    ${String(stack).replaceAll('\n', '\n    ')}`;
  return `${clock} ${shownLevel} ${String(line['name'] ?? '')}: ${String(line['msg'] ?? '')}${fields}${tail}\n`;
}
