/** A `ts` of Slack as ISO 8601. */
export function isoOfTs(ts: string): string {
  const [seconds = '', fraction = ''] = ts.split('.');
  return isoOfSeconds(Number(seconds), Number(fraction.slice(0, 3)));
}

/** Whole seconds since 1970 as ISO 8601. */
export function isoOfSeconds(seconds: number, millis = 0): string {
  return new Date(seconds * 1_000 + millis).toISOString();
}

/** Whole seconds since 1970, as Slack takes them. */
export function secondsOf(iso: string): number {
  return Math.floor(Date.parse(iso) / 1_000);
}
