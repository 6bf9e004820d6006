import { readEnvironment, requiredText, type Variable } from '../../core/server-kit/environment.ts';

/** What the server was told, checked. */
export interface Settings {
  /** A bot token. */
  readonly token: string;
  /** Where Slack's methods are, with a slash at the end. */
  readonly apiUrl: string;
}

/** Where to get the token, for the message that names it as missing. */
export const TOKEN_HELP =
  'the Bot User OAuth Token (xoxb-…) of your Slack app: api.slack.com/apps → your app → OAuth & Permissions';

const SLACK_API_URL = 'https://slack.com/api/';
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

const botToken: Variable<string> = {
  ...requiredText(TOKEN_HELP),
  parse: (text) => {
    if (/^(?:xoxe\.)?xoxp-/.test(text)) throw new Error('is a user token (xoxp-…); the bot token (xoxb-…) is needed');
    if (text.startsWith('xapp-')) throw new Error('is an app-level token (xapp-…); the bot token (xoxb-…) is needed');
    if (!/^(?:xoxe\.)?xoxb-[\w-]{8,512}$/.test(text))
      throw new Error('must be a bot token, xoxb-… and nothing around it');
    return text;
  },
};

const apiUrl: Variable<string> = {
  help: 'where a stand-in of Slack listens',
  required: false,
  fallback: SLACK_API_URL,
  parse: (text) => {
    const url = URL.parse(text);
    const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
    if (url === null || !safe) throw new Error('must be an https address, or http on this machine itself');
    if (url.username !== '' || url.search !== '' || url.hash !== '')
      throw new Error('must be an address and a path only');
    return url.href.endsWith('/') ? url.href : `${url.href}/`;
  },
};

/** Reads the settings. @throws EnvironmentError with every problem */
export function readSettings(source?: NodeJS.ProcessEnv): Settings {
  const values = readEnvironment({ SLACK_BOT_TOKEN: botToken, SLACK_API_URL: apiUrl }, source);
  return { token: values.SLACK_BOT_TOKEN, apiUrl: values.SLACK_API_URL };
}
