/** What one of Google's refusals means to a caller. */
export interface Meaning {
  readonly code: string;
  readonly retryable?: boolean;
  readonly hint: string;
}

/** Google wants to be left alone for a while; it did not carry the request out. */
export const RATE_LIMITED: Meaning = {
  code: 'vendor_rate_limited',
  retryable: true,
  hint: 'Wait retryAfterMs, or a minute where it is not given, before calling again',
};
const NO_SPACE: Meaning = { code: 'storage_full', hint: 'Free storage of the account, or use a shared drive' };
const SCOPE: Meaning = {
  code: 'scope_missing',
  hint: "The credentials were granted without this bridge's scope; its README says which one to grant",
};
const REFUSED_FILE: Meaning = {
  code: 'permission_denied',
  hint: 'The account of this server has no right to do that; share it with that account, with the role it needs',
};
const TOO_LARGE: Meaning = { code: 'too_large', hint: 'Google refuses this size; take a smaller one' };

/** By `reason`. https://developers.google.com/workspace/drive/api/guides/handle-errors */
export const BY_REASON: Readonly<Record<string, Meaning>> = {
  rateLimitExceeded: RATE_LIMITED,
  userRateLimitExceeded: RATE_LIMITED,
  sharingRateLimitExceeded: RATE_LIMITED,
  quotaExceeded: RATE_LIMITED,
  dailyLimitExceeded: {
    ...RATE_LIMITED,
    hint: "The project's quota of today is used up; raise it in the Cloud console",
  },
  calendarUsageLimitsExceeded: RATE_LIMITED,
  RESOURCE_EXHAUSTED: RATE_LIMITED,
  storageQuotaExceeded: NO_SPACE,
  teamDriveFileLimitExceeded: NO_SPACE,
  insufficientPermissions: SCOPE,
  ACCESS_TOKEN_SCOPE_INSUFFICIENT: SCOPE,
  accessNotConfigured: {
    code: 'api_disabled',
    hint: 'Enable this API for the project of the credentials in the Google Cloud console',
  },
  SERVICE_DISABLED: {
    code: 'api_disabled',
    hint: 'Enable this API for the project of the credentials in the Google Cloud console',
  },
  forbiddenForServiceAccounts: {
    code: 'permission_denied',
    hint: 'A service account alone cannot invite guests: let it work for a person (GOOGLE_SUBJECT, domain-wide delegation)',
  },
  exportSizeLimitExceeded: TOO_LARGE,
  uploadTooLarge: TOO_LARGE,
  fileNotDownloadable: { code: 'not_readable', hint: 'This kind of file has no content to read' },
  fileNotExportable: { code: 'not_readable', hint: 'This kind of file cannot be turned into that format' },
};

/** By HTTP status, where the reason says nothing more. */
export const BY_STATUS: Readonly<Record<number, Meaning>> = {
  400: { code: 'vendor_refused', hint: 'Google finds the request wrong; correct the arguments' },
  403: REFUSED_FILE,
  404: { code: 'not_found', hint: 'It does not exist, or the account of this server may not see it' },
  409: { code: 'conflict', hint: 'It exists already, or was changed by somebody else; look at it first' },
  410: { code: 'gone', hint: 'It was deleted' },
  412: { code: 'changed_meanwhile', hint: 'It was changed by somebody else; get it again and use its new version' },
  413: TOO_LARGE,
  429: RATE_LIMITED,
};
