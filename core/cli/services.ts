import { AuthenticatorError, createAuthenticator } from '#core/auth/create-authenticator.ts';
import type { CredentialCheck } from '#core/auth/credential-check.ts';
import type { FleetConfig } from '#core/config/fleet-config.ts';
import { ConfigError } from '#core/config/problems.ts';
import type { ServicesReport } from '#core/http/services-report.ts';
import type { AuditBuffer } from '#core/store/audit-buffer.ts';
import { openAudit } from '#core/store/open-audit.ts';
import { openStores, type Stores } from '#core/store/open-stores.ts';
import type { FleetMeters } from '#core/telemetry/fleet-meters.ts';
import type { Log } from '#core/telemetry/log.ts';
import { logService } from './service-log.ts';

/** What the bridges of a process share: the policies' stores, the audit, and who may call. */
export class Services {
  readonly stores: Stores;
  readonly audit: AuditBuffer | undefined;
  readonly authenticator: CredentialCheck | undefined;

  private constructor(stores: Stores, audit: AuditBuffer | undefined, authenticator: CredentialCheck | undefined) {
    this.stores = stores;
    this.audit = audit;
    this.authenticator = authenticator;
  }

  /**
   * Waits for nothing beyond this machine: what is away is gone on without, as the policies say.
   * @throws ConfigError where the key file cannot be used
   */
  static async open({ auth, ratePerMinute, stores }: FleetConfig, log: Log, meters: FleetMeters): Promise<Services> {
    const on = logService(log);
    const authenticator = auth === 'none' ? undefined : await authenticatorOf({ ...auth, ratePerMinute, on });
    return new Services(
      await openStores({
        redisUrl: stores.redisUrl,
        on,
        measure: (operation, ms, errorType) => meters.operated('redis', operation, ms, errorType),
      }),
      stores.auditDatabaseUrl === undefined ? undefined : await openAudit(stores.auditDatabaseUrl, { on }),
      authenticator,
    );
  }

  status(): ServicesReport {
    const { kind, ...details } = this.stores.status();
    return {
      stores: kind,
      [kind]: details,
      audit: this.audit?.stats ?? 'off',
      auth: this.authenticator?.stats() ?? 'none',
    };
  }

  /** What the process goes on without. */
  degraded(): readonly string[] {
    const away: string[] = [];
    if (this.stores.away) away.push('redis');
    if (this.audit?.stats.away === true) away.push('audit');
    return away;
  }

  /** Reads the keys again. */
  async reload(): Promise<void> {
    await this.authenticator?.reload();
  }

  /** Writes what still waits for at most `budgetMs`, then ends every connection. */
  async close(budgetMs: number): Promise<void> {
    await Promise.all([this.audit?.close(budgetMs), this.stores.close(), this.authenticator?.close()]);
  }
}

async function authenticatorOf(options: Parameters<typeof createAuthenticator>[0]): Promise<CredentialCheck> {
  try {
    return await createAuthenticator(options);
  } catch (error) {
    if (error instanceof AuthenticatorError) throw new ConfigError(error.problems);
    throw error;
  }
}
