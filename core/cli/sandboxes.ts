import { join } from 'node:path';
import type { BridgeManifest, Sandbox } from '#core/manifest.ts';
import { tell } from './say.ts';

/**
 * The stand-ins of one `fleet dev`; disposing stops them. From the first start until `release`, a signal to stop is
 * remembered instead of ending the process, since a stand-in may be a process of its own that must not stay behind.
 */
export class Sandboxes implements AsyncDisposable {
  readonly #started = new Map<string, Sandbox>();
  readonly #interrupt = (): void => {
    this.#interrupted = true;
  };
  #interrupted = false;

  constructor() {
    process.on('SIGINT', this.#interrupt).on('SIGTERM', this.#interrupt).on('SIGHUP', this.#interrupt);
  }

  /** Whether a signal to stop came before `release`. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** By bridge: the variables its server needs to reach its stand-in. */
  get env(): ReadonlyMap<string, Readonly<Record<string, string>>> {
    return new Map([...this.#started].map(([name, { env }]) => [name, env]));
  }

  /** By bridge: what runs in the service's place. */
  get summaries(): ReadonlyMap<string, string> {
    return new Map([...this.#started].map(([name, { summary }]) => [name, summary]));
  }

  /**
   * Starts them together, each with a folder of its own below `folder`; one that cannot start is told, and its bridge
   * stays unconfigured.
   */
  async start(
    manifests: readonly (BridgeManifest & Required<Pick<BridgeManifest, 'sandbox'>>)[],
    folder: string,
  ): Promise<void> {
    await Promise.all(
      manifests.map(async ({ name, sandbox }) => {
        try {
          this.#started.set(name, await sandbox({ dataDir: join(folder, name), sharedDir: folder }));
        } catch (error) {
          tell(
            `fleet: the stand-in of ${name} cannot start: ${error instanceof Error ? error.message : 'unknown reason'}`,
          );
        }
      }),
    );
  }

  /** Signals are somebody else's from now on. */
  release(): void {
    process.off('SIGINT', this.#interrupt).off('SIGTERM', this.#interrupt).off('SIGHUP', this.#interrupt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await Promise.allSettled([...this.#started.values()].map((sandbox) => sandbox[Symbol.asyncDispose]()));
  }
}
