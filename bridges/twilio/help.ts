/** Where to get what is required, for messages that name it as missing. */
export const HELP = {
  accountSid: 'the Account SID (AC…) of your Twilio account: console.twilio.com → Account Info',
  apiKeySid: 'the SID (SK…) of an API key: console.twilio.com → Account → API keys & tokens → Create API key',
  apiKeySecret: 'the secret of that API key, shown once when it is created (not the Auth Token)',
} as const;
