import { resolve } from 'node:path';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '#core/postgres-kit/embedded-postgres.ts';

/** One user's hold on a PostgreSQL that others of this process may use too. */
export interface SharedPostgres extends AsyncDisposable {
  readonly server: Omit<EmbeddedPostgres, 'start' | 'stop' | typeof Symbol.asyncDispose>;
}

interface Running {
  readonly started: Promise<EmbeddedPostgres>;
  users: number;
  stopped: Promise<void> | undefined;
}

const running = new Map<string, Running>();

/**
 * The PostgreSQL of a folder, started by the first of this process who asks and stopped by the last who lets go: a
 * second cluster would cost its stand-in a second and 72 MB.
 * @throws Error as `startEmbeddedPostgres`
 */
export async function sharePostgres(options: EmbeddedPostgresOptions): Promise<SharedPostgres> {
  const folder = resolve(options.dataDir);
  for (;;) {
    const stopping = running.get(folder)?.stopped;
    if (stopping === undefined) break;
    await stopping;
  }
  const entry = running.get(folder) ?? { started: startEmbeddedPostgres(options), users: 0, stopped: undefined };
  running.set(folder, entry);
  entry.users += 1;
  let held = true;
  const letGo = async () => {
    if (!held) return;
    held = false;
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.stopped = entry.started
      .then(
        (server) => server.stop(),
        () => undefined,
      )
      .finally(() => running.delete(folder));
    await entry.stopped;
  };
  try {
    return { server: await entry.started, [Symbol.asyncDispose]: letGo };
  } catch (error) {
    await letGo();
    throw error;
  }
}
