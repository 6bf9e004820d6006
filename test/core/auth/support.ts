import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthEvent } from '#core/auth/authenticator.ts';
import { type AuthenticatorOptions, createAuthenticator } from '#core/auth/create-authenticator.ts';
import type { CredentialCheck } from '#core/auth/credential-check.ts';
import { BridgeError } from '#core/errors.ts';
import type { Principal } from '#core/principal.ts';

/** An entry of a key file for this secret. */
export function entry(secret: string, members: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { id: 'planner', sha256: hash('sha256', secret), allow: ['*:*'], ...members };
}

/** A key file in a folder of its own, removed at disposal. */
export class TemporaryKeyFile implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'keys-'));
  readonly path = join(this.folder, 'keys.json');

  constructor(entries: readonly unknown[]) {
    this.write(entries);
  }

  write(content: readonly unknown[] | string): void {
    writeFileSync(this.path, typeof content === 'string' ? content : JSON.stringify(content));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An authenticator with what it told, closed at disposal. */
export async function authenticatorWith(options: Omit<AuthenticatorOptions, 'on'>): Promise<
  AsyncDisposable & {
    readonly check: CredentialCheck;
    readonly events: AuthEvent[];
    /** Who it is, or the code that is thrown. */
    whois(credential: string | undefined, address?: string): Promise<string>;
    principal(credential: string): Promise<Principal>;
    told<E extends AuthEvent['event']>(event: E): readonly Extract<AuthEvent, { event: E }>[];
  }
> {
  const events: AuthEvent[] = [];
  const check = await createAuthenticator({ ...options, on: (event) => events.push(event) });
  return {
    check,
    events,
    whois: async (credential, address = '192.0.2.1') => {
      try {
        return (await check.authenticate(credential, address)).id;
      } catch (error) {
        return error instanceof BridgeError ? error.code : `thrown: ${error}`;
      }
    },
    principal: async (credential) => check.authenticate(credential, '192.0.2.1'),
    told: <E extends AuthEvent['event']>(name: E) =>
      events.filter((event): event is Extract<AuthEvent, { event: E }> => event.event === name),
    [Symbol.asyncDispose]: () => check.close(),
  };
}
