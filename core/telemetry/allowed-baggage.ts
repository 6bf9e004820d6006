/** What the W3C asks every hop to pass on at least; more is cut, so that a header cannot become a load on a child. */
const MAX_BYTES = 8192;
const MAX_MEMBERS = 64;
const MEMBER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*[!#-+\--:<-[\]-~]*(?:[ \t]*;[ -~]*)?$/;

/** Of a `baggage` header (W3C Baggage) the well-formed members with these keys, undefined where there are none. */
export function allowedBaggage(header: string | undefined, keys: ReadonlySet<string>): string | undefined {
  if (header === undefined || header.length > MAX_BYTES) return undefined;
  const members = header
    .split(',')
    .slice(0, MAX_MEMBERS)
    .map((member) => member.trim())
    .filter((member) => keys.has(MEMBER.exec(member)?.[1] ?? ''));
  return members.length === 0 ? undefined : members.join(',');
}
