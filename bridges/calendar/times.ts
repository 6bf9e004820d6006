/** Zones whose calendars were asked for; there are some 600, more are misspellings by case. */
const MAX_FORMATTERS = 700;
const formatters = new Map<string, Intl.DateTimeFormat>();
const NAME = /^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/;
const MS_PER_MINUTE = 60_000;

/** Whether this is a name of the IANA time zone database. */
export function isTimeZone(name: string): boolean {
  try {
    return NAME.test(name) && formatterOf(name) !== undefined;
  } catch {
    return false;
  }
}

/** The wall clock of a zone at an instant, `YYYY-MM-DDTHH:MM:SS`. */
export function localOf(ms: number, timeZone: string): string {
  const part: Record<string, string> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(ms)) part[type] = value;
  return `${(part.year ?? '').padStart(4, '0')}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/**
 * The instant, in ms, of a wall clock's `YYYY-MM-DD[THH:MM[:SS]]`. A time that a change of clocks skips is taken as if the
 * clocks had not changed; of a time that comes twice the first is taken.
 */
export function instantOf(local: string, timeZone: string): number {
  const asUtc = Date.parse(`${local.length === 10 ? `${local}T00:00:00` : local}Z`);
  // Offsets are at most a day apart from UTC, and clocks do not change twice within two days.
  const before = asUtc - offsetMs(asUtc - 86_400_000, timeZone);
  if (Date.parse(`${localOf(before, timeZone)}Z`) === Math.floor(asUtc / 1_000) * 1_000) return before;
  const after = asUtc - offsetMs(asUtc + 86_400_000, timeZone);
  return Date.parse(`${localOf(after, timeZone)}Z`) === Math.floor(asUtc / 1_000) * 1_000 ? after : before;
}

/** An instant with the offset of a zone, as Google writes it: `2027-06-12T15:00:00+02:00`, or with `Z`. */
export function withOffset(ms: number, timeZone: string): string {
  const minutes = Math.round(offsetMs(ms, timeZone) / MS_PER_MINUTE);
  if (minutes === 0) return `${localOf(ms, timeZone)}Z`;
  const two = (n: number) => String(n).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${localOf(ms, timeZone)}${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A day, `YYYY-MM-DD`, so many days later. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

function offsetMs(ms: number, timeZone: string): number {
  return Date.parse(`${localOf(ms, timeZone)}Z`) - Math.floor(ms / 1_000) * 1_000;
}

/** @throws RangeError where there is no such zone */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    if (formatters.size >= MAX_FORMATTERS) formatters.clear();
    formatters.set(timeZone, formatter);
  }
  return formatter;
}
