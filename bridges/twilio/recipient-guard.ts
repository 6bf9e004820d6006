import { ToolError } from '../../core/server-kit/tool-error.ts';
import { CALLING_CODES, PREMIUM_PREFIXES } from './calling-codes.ts';

/** The variable that says where money may be spent. */
export const ALLOWED_COUNTRIES = 'TWILIO_ALLOWED_COUNTRIES';

/** What the operator allows: countries by name, prefixes as they are written, or everything that has a country. */
export interface AllowedCountries {
  readonly countries: ReadonlySet<string>;
  /** Digits without the plus. */
  readonly prefixes: ReadonlySet<string>;
  readonly everywhere: boolean;
}

/** Whose number it is, by its longest known prefix. */
export interface Origin {
  /** ISO 3166-1 alpha-2; undefined for premium numbers and for codes that belong to no country. */
  readonly country: string | undefined;
  /** Digits without the plus; empty where no prefix is known. */
  readonly prefix: string;
}

const COUNTRY_OF: ReadonlyMap<string, string | undefined> = new Map([
  ...Object.entries(CALLING_CODES).flatMap(([country, prefixes]) =>
    prefixes.split(' ').map((prefix): [string, string] => [prefix, country]),
  ),
  ...PREMIUM_PREFIXES.map((prefix): [string, undefined] => [prefix, undefined]),
]);
const MAX_PREFIX_DIGITS = 15;

/**
 * Reads a list of ISO country codes (`DE`), calling prefixes (`+4915`) and `*`, parted by commas or spaces.
 * @throws Error that says what an entry should be
 */
export function parseAllowedCountries(text: string): AllowedCountries {
  const countries = new Set<string>();
  const prefixes = new Set<string>();
  let everywhere = false;
  for (const entry of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const country = entry.toUpperCase();
    if (entry === '*') everywhere = true;
    else if (/^\+[1-9]\d{0,14}$/.test(entry)) prefixes.add(entry.slice(1));
    else if (Object.hasOwn(CALLING_CODES, country)) countries.add(country);
    else throw new Error('must be ISO country codes (DE), calling prefixes (+49) or *, parted by commas');
  }
  return { countries, prefixes, everywhere };
}

/** @param number E.164, with its plus */
export function originOf(number: string): Origin {
  const digits = number.slice(1);
  for (let length = Math.min(digits.length, MAX_PREFIX_DIGITS); length > 0; length--) {
    const prefix = digits.slice(0, length);
    if (COUNTRY_OF.has(prefix)) return { country: COUNTRY_OF.get(prefix), prefix };
  }
  return { country: undefined, prefix: '' };
}

/**
 * Whether money may be spent on a number. The longest prefix wins: `+1` allows the United States and not Jamaica
 * (`+1876`), whose own prefix is longer.
 */
export function isAllowed(number: string, { countries, prefixes, everywhere }: AllowedCountries): boolean {
  const { country, prefix } = originOf(number);
  if (country !== undefined && (everywhere || countries.has(country))) return true;
  const digits = number.slice(1);
  for (let length = digits.length; length >= Math.max(prefix.length, 1); length--) {
    if (prefixes.has(digits.slice(0, length))) return true;
  }
  return false;
}

/**
 * Refuses what would spend money where the operator did not allow it; nothing is allowed until the operator says so.
 * @throws ToolError `sending_not_enabled`, `country_not_allowed`
 */
export function requireAllowed(number: string, allowed: AllowedCountries | undefined): void {
  if (allowed === undefined) {
    throw new ToolError('sending_not_enabled', `${ALLOWED_COUNTRIES} is not set, so nothing that costs money is sent`, {
      hint: `The operator sets ${ALLOWED_COUNTRIES} to the countries that may be written to, e.g. DE,AT,CH`,
    });
  }
  if (isAllowed(number, allowed)) return;
  const { country, prefix } = originOf(number);
  const whose = country === undefined ? 'a premium or unknown destination' : `a number of ${country}`;
  throw new ToolError(
    'country_not_allowed',
    `${whose} (+${prefix}) is not among the allowed countries: nothing was sent`,
    {
      hint: `Check the number; the operator extends ${ALLOWED_COUNTRIES} where it is right`,
      details: { country: country ?? null },
    },
  );
}
