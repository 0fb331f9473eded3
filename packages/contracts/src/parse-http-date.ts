const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const FORM = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const DAY_MS = 86_400_000;

/**
 * Milliseconds since 1970 of an HTTP date in the form that RFC 9110 tells senders to use, such as
 * `Sun, 06 Nov 1994 08:49:37 GMT`; undefined for any other text.
 */
export function parseHttpDate(text: string): number | undefined {
  const match = FORM.exec(text.trim());
  if (match === null) return undefined;
  const month = MONTHS.indexOf(match[2]!) / 3;
  if (!Number.isInteger(month) || month < 0) return undefined;
  const [day, year, hours, minutes, seconds] = [match[1], match[3], match[4], match[5], match[6]].map(Number);
  return daysSince1970(year!, month + 1, day!) * DAY_MS + ((hours! * 60 + minutes!) * 60 + seconds!) * 1000;
}

/** Days of the proleptic Gregorian calendar; years begin in March so that a leap day is a year's last. */
function daysSince1970(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return marchYear * 365 + leapDays + dayOfYear - 719_468;
}
