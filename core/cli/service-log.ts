import type { AuthEvent } from '#core/auth/authenticator.ts';
import type { AuditEvent } from '#core/store/audit-buffer.ts';
import type { StoreEvent } from '#core/store/redis.ts';
import type { Log } from '#core/telemetry/log.ts';

/** What the services of a process tell. */
export type ServiceEvent = StoreEvent | AuditEvent | AuthEvent;

/** How each event is said, and how loud. */
const SAID = {
  'store:away': ['error', 'Redis is away: keyed writes are refused, quotas are counted by each process for itself'],
  'store:back': ['info', 'Redis is back'],
  'store:warning': ['warn', 'Redis may forget records'],
  'audit:away': ['error', 'the audit database is away; rows wait'],
  'audit:back': ['info', 'the audit database is back'],
  'audit:full': ['error', 'no more audit rows can wait; they are dropped from now on'],
  'audit:refused': ['error', 'the audit database refuses rows; they are dropped'],
  'audit:dropped': ['error', 'audit rows were dropped'],
  'audit:lost': ['error', 'the process ends and audit rows are not written'],
  'auth:keys_loaded': ['info', 'API keys read'],
  'auth:keys_rejected': ['error', 'the key file cannot be used; the keys of before stay in force'],
  'auth:jwks_loaded': ['info', "the issuer's keys changed"],
  'auth:jwks_failed': ['warn', "the issuer's keys could not be fetched; those of before stay in force"],
  'auth:refused': ['info', 'a credential was refused'],
  'auth:address_limited': ['warn', 'too many bad credentials from one address'],
} as const satisfies Record<ServiceEvent['event'], readonly [keyof Log, string]>;

/** Writes the events of the process's services to the log, one line each. */
export function logService(log: Log): (event: ServiceEvent) => void {
  return ({ event, ...fields }) => {
    const [level, sentence] = SAID[event];
    log[level](sentence, { event, ...fields });
  };
}
