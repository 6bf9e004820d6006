import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const MODES = ['dev', 'prod', 'cluster', 'swarm'] as const;
/** Which of the compose files are put together. */
export type Mode = (typeof MODES)[number];

/** What is remembered of a service. */
export interface Remembered {
  /** Set by `fleet scale`. */
  readonly count?: number | undefined;
  /** Set by `fleet deploy` and `fleet rollback`. */
  readonly image?: string | undefined;
  /** What ran before the last deploy, for `fleet rollback`. */
  readonly previous?: string | undefined;
}

/** Which files a project is made of, until another mode is said. */
export interface Choice {
  readonly mode: Mode;
  readonly monitoring: boolean;
  /** Relative to the checkout; empty: those of the mode. */
  readonly files: readonly string[];
}

interface MemoryFile {
  readonly services?: Readonly<
    Record<string, { readonly image?: string; readonly deploy?: { readonly replicas?: number } }>
  >;
  readonly 'x-fleet'?: Partial<Choice> & { readonly previous?: Readonly<Record<string, string>> };
}

/**
 * Numbers of replicas and images that were set by command, which compose itself forgets with each `up`. The file is at
 * once what we remember and the last of the compose files (JSON is YAML): what compose is told cannot differ from it.
 */
export class Memory {
  readonly path: string;
  #choice: Choice | undefined;

  constructor(path: string) {
    this.path = path;
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** What was chosen when something was last remembered. */
  read(): Partial<Choice> {
    return this.#read()['x-fleet'] ?? {};
  }

  /** What the next {@link remember} writes down beside. */
  choose(choice: Choice): void {
    this.#choice = choice;
  }

  of(service: string): Remembered {
    const file = this.#read();
    const { image, deploy } = file.services?.[service] ?? {};
    return { count: deploy?.replicas, image, previous: file['x-fleet']?.previous?.[service] };
  }

  /** Undefined forgets: the compose files alone rule again. A member not named stays. */
  remember(service: string, change: Remembered): void {
    const file = this.#read();
    const now = { ...this.of(service), ...change };
    const { previous: { [service]: _, ...previous } = {} } = file['x-fleet'] ?? {};
    const { [service]: __, ...services } = file.services ?? {};
    this.#write({
      services: {
        ...services,
        ...(now.image === undefined && now.count === undefined
          ? {}
          : {
              [service]: {
                ...(now.image === undefined ? {} : { image: now.image }),
                ...(now.count === undefined ? {} : { deploy: { replicas: now.count } }),
              },
            }),
      },
      'x-fleet': {
        ...this.#choice,
        previous: now.previous === undefined ? previous : { ...previous, [service]: now.previous },
      },
    });
  }

  /** Writes down the chosen files, so that the next commands need not be told of them. */
  keepChoice(): void {
    const file = this.#read();
    this.#write({ ...file, 'x-fleet': { ...file['x-fleet'], ...this.#choice } });
  }

  #read(): MemoryFile {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return {};
    }
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${this.path} is broken; remove it, then set numbers of replicas anew by fleet scale`, {
        cause: error,
      });
    }
  }

  /** Whoever reads meanwhile, also after a crash, sees the old or the new. */
  #write(file: MemoryFile): void {
    mkdirSync(dirname(this.path), { recursive: true });
    const draft = `${this.path}.${process.pid}.tmp`;
    // A stack takes files of one version only; compose wants none.
    const version = file['x-fleet']?.mode === 'swarm' ? { version: '3.9' } : {};
    writeFileSync(
      draft,
      `${JSON.stringify({ ...version, services: file.services, 'x-fleet': file['x-fleet'] }, null, 2)}\n`,
    );
    renameSync(draft, this.path);
  }
}
