import {
  integer,
  optionalText,
  readEnvironment,
  requiredText,
  type Variable,
} from '../../core/server-kit/environment.ts';
import { HELP } from './help.ts';
import { type AllowedCountries, parseAllowedCountries } from './recipient-guard.ts';

/** What the server was told, checked. */
export interface Settings {
  readonly accountSid: string;
  readonly apiKeySid: string;
  readonly apiKeySecret: string;
  /** Sender of SMS where a call names none: a number, short code or alphanumeric sender. */
  readonly from: string | undefined;
  /** Sender of WhatsApp messages where a call names none, E.164. */
  readonly whatsappFrom: string | undefined;
  /** Goes before `from`; what is scheduled needs one. */
  readonly messagingServiceSid: string | undefined;
  readonly verifyServiceSid: string | undefined;
  /** Undefined: nothing that costs money is sent. */
  readonly allowedCountries: AllowedCountries | undefined;
  readonly maxMessageChars: number;
  /** How long a message that nobody has seen may still appear in Twilio's list. */
  readonly settleMs: number;
  readonly edge: string | undefined;
  readonly region: string | undefined;
  /** A stand-in of Twilio's API instead of its hosts; undefined: Twilio itself. */
  readonly apiUrl: string | undefined;
}

/** Twilio takes no longer text. */
export const MAX_CHARS = 1_600;
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

function shaped<T extends string | undefined>(variable: Variable<T>, shape: RegExp, what: string): Variable<T> {
  return {
    ...variable,
    parse: (text) => {
      if (!shape.test(text)) throw new Error(`must be ${what}`);
      return variable.parse(text);
    },
  };
}

function sid(prefix: string, what: string): readonly [RegExp, string] {
  return [new RegExp(`^${prefix}[0-9a-fA-F]{32}$`), `${what}, ${prefix} and 32 hexadecimal digits`];
}

const allowedCountries: Variable<AllowedCountries | undefined> = {
  help: 'countries that may be written to',
  required: false,
  fallback: undefined,
  parse: parseAllowedCountries,
};

const apiUrl: Variable<string | undefined> = {
  help: 'where a stand-in of Twilio listens',
  required: false,
  fallback: undefined,
  parse: (text) => {
    const url = URL.parse(text);
    const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
    if (url === null || !safe) throw new Error('must be an https address, or http on this machine itself');
    if (url.username !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
      throw new Error('must be a scheme, a host and a port only');
    }
    return url.origin;
  },
};

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment(
    {
      TWILIO_ACCOUNT_SID: shaped(requiredText(HELP.accountSid), ...sid('AC', 'an Account SID')),
      TWILIO_API_KEY_SID: shaped(requiredText(HELP.apiKeySid), ...sid('SK', 'the SID of an API key')),
      TWILIO_API_KEY_SECRET: shaped(
        requiredText(HELP.apiKeySecret),
        /^[\x21-\x7e]{8,256}$/,
        'the secret of the API key and nothing around it',
      ),
      TWILIO_FROM: shaped(
        optionalText('sender of SMS'),
        /^(?:\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/,
        'a number in E.164 (+49…), a short code, or up to 11 letters and digits',
      ),
      TWILIO_WHATSAPP_FROM: shaped(
        optionalText('sender of WhatsApp messages'),
        /^\+[1-9]\d{6,14}$/,
        'a number in E.164 (+49…), without whatsapp: before it',
      ),
      TWILIO_MESSAGING_SERVICE_SID: shaped(optionalText('messaging service'), ...sid('MG', 'a messaging service')),
      TWILIO_VERIFY_SERVICE_SID: shaped(optionalText('Verify service'), ...sid('VA', 'a Verify service')),
      TWILIO_ALLOWED_COUNTRIES: allowedCountries,
      TWILIO_MAX_MESSAGE_CHARS: integer('longest text', { fallback: MAX_CHARS, min: 1, max: MAX_CHARS }),
      TWILIO_RECONCILE_SETTLE_MS: integer('wait before an absence counts', { fallback: 15_000, min: 0, max: 25_000 }),
      TWILIO_EDGE: shaped(optionalText('edge'), /^[a-z0-9-]{1,32}$/, 'the name of an edge, e.g. dublin'),
      TWILIO_REGION: shaped(optionalText('region'), /^[a-z0-9]{1,16}$/, 'the name of a region, e.g. ie1'),
      TWILIO_API_URL: apiUrl,
    },
    source,
  );
  return {
    accountSid: values.TWILIO_ACCOUNT_SID,
    apiKeySid: values.TWILIO_API_KEY_SID,
    apiKeySecret: values.TWILIO_API_KEY_SECRET,
    from: values.TWILIO_FROM,
    whatsappFrom: values.TWILIO_WHATSAPP_FROM,
    messagingServiceSid: values.TWILIO_MESSAGING_SERVICE_SID,
    verifyServiceSid: values.TWILIO_VERIFY_SERVICE_SID,
    allowedCountries: values.TWILIO_ALLOWED_COUNTRIES,
    maxMessageChars: values.TWILIO_MAX_MESSAGE_CHARS,
    settleMs: values.TWILIO_RECONCILE_SETTLE_MS,
    edge: values.TWILIO_EDGE,
    region: values.TWILIO_REGION,
    apiUrl: values.TWILIO_API_URL,
  };
}
