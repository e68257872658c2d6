/** HTTP-date (RFC 7231 section 7.1.1.1): whole seconds, GMT. */

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const imfFixdate = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const rfc850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const asctime = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** `time` (milliseconds since 1970) as IMF-fixdate; a time that has no such form becomes 1970. */
export function formatHttpDate(time: number): string {
  const date = new Date(time);
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.toUTCString() : new Date(0).toUTCString();
}

/** Milliseconds since 1970, or undefined if `text` has none of the three forms. */
export function parseHttpDate(text: string): number | undefined {
  const trimmed = text.trim();
  const fixdate = imfFixdate.exec(trimmed);
  if (fixdate !== null) {
    const [, day, month, year, hour, minute, second] = fixdate;
    return instant(Number(year), month, day, hour, minute, second);
  }
  const old = rfc850.exec(trimmed);
  if (old !== null) {
    const [, day, month, year, hour, minute, second] = old;
    // Two digits: the reader decides the century; files older than 1970 have no such date.
    const full = Number(year) >= 70 ? 1900 + Number(year) : 2000 + Number(year);
    return instant(full, month, day, hour, minute, second);
  }
  const c = asctime.exec(trimmed);
  if (c === null) return undefined;
  const [, month, day, hour, minute, second, year] = c;
  return instant(Number(year), month, day, hour, minute, second);
}

function instant(
  year: number,
  monthName: string | undefined,
  ...clock: readonly (string | undefined)[]
): number | undefined {
  const month = months.indexOf(monthName ?? '');
  const [day = 0, hour = 0, minute = 0, second = 0] = clock.map(Number);
  const valid = month >= 0 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60;
  return valid ? Date.UTC(year, month, day, hour, minute, second) : undefined;
}
