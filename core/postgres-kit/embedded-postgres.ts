import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type Binaries,
  complete,
  copyBinaries,
  findBinaries,
  isComplete,
} from '#core/postgres-kit/embedded-binaries.ts';
import { isReachableByOthers, type OtherUser, otherUser, sharedFolder } from '#core/postgres-kit/embedded-user.ts';

/** A running PostgreSQL out of npm packages, on 127.0.0.1 only. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly port: number;
  readonly version: string;
  /** The folder of the cluster; another than asked for where that one is in use or out of reach. */
  readonly folder: string;
  /** What was done otherwise than asked, for a banner. */
  readonly notes: readonly string[];
  /** True when this start made the cluster. */
  readonly fresh: boolean;
  /** A connection string; the superuser `postgres` and the database `postgres` unless told otherwise. */
  url(options?: { readonly user?: string; readonly database?: string }): string;
  /** Lets `user` log in with a password of its own, kept beside the cluster, and returns nothing of it but through `url`. */
  allow(user: string): Promise<void>;
  /** Fast shutdown: ends sessions, keeps the data. Idempotent. */
  stop(): Promise<void>;
  /** Starts it again on the same port with the same data, after `stop`. */
  start(): Promise<void>;
}

/** How to start it. */
export interface EmbeddedPostgresOptions {
  /** Its own folder; made when missing. */
  readonly dataDir: string;
  /** False trades safety against power loss for speed, for tests. Default true. */
  readonly durable?: boolean;
}

const PASSWORDS = 'fleet-passwords.json';
const MAX_FOLDERS = 8;
const MAX_PORTS = 3;
const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;
const POLL_MS = 15;

/**
 * Ends PostgreSQL when this process is gone, however it went: the shell holds one end of a pipe and turns
 * its end into a fast shutdown. In a session of its own, so that Ctrl-C reaches the bridges first.
 */
const KEEPER = '"$@" & child=$!; { cat >/dev/null; kill -INT $child 2>/dev/null; } <&3 & wait $child';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '32MB',
  max_wal_size: '128MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  synchronous_commit: 'off',
  io_method: 'sync',
  logging_collector: 'off',
  log_checkpoints: 'off',
} as const;

type Passwords = Record<string, string>;

class InUse extends Error {}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no loopback port is free');
  return address.port;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function run(
  command: string,
  args: readonly string[],
  user: OtherUser | undefined,
  logFile: string,
): Promise<void> {
  await using log = await open(logFile, 'a', 0o600);
  const child = spawn(command, args, { stdio: ['ignore', log.fd, log.fd], cwd: '/', env: environment(), ...user });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0)
    throw new Error(`initdb failed with exit code ${code ?? 'none'}: see the log in the sandbox's folder`);
}

function environment(): NodeJS.ProcessEnv {
  // PGDATA, PGPORT and the like of the surroundings must not reach it.
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** One cluster in one folder, owned by this process while it runs. */
class Cluster implements EmbeddedPostgres {
  readonly folder: string;
  readonly version: string;
  readonly notes: readonly string[];
  fresh = false;
  readonly #binaries: Binaries;
  readonly #user: OtherUser | undefined;
  readonly #durable: boolean;
  #port = 0;
  #keeper: ChildProcess | undefined;
  #passwords: Passwords = {};
  /** One at a time writes the file. */
  #saving: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly folder: string;
    readonly binaries: Binaries;
    readonly user: OtherUser | undefined;
    readonly durable: boolean;
    readonly notes: readonly string[];
  }) {
    this.folder = options.folder;
    this.version = options.binaries.version;
    this.notes = options.notes;
    this.#binaries = options.binaries;
    this.#user = options.user;
    this.#durable = options.durable;
  }

  get port(): number {
    return this.#port;
  }

  get #data(): string {
    return join(this.folder, 'cluster');
  }

  url({ user = 'postgres', database = 'postgres' }: { user?: string; database?: string } = {}): string {
    const password = this.#passwords[user];
    if (password === undefined) throw new Error(`no password is known for ${user}: call allow first`);
    return `postgres://${user}:${password}@127.0.0.1:${this.#port}/${database}`;
  }

  async allow(user: string): Promise<void> {
    const password = this.#passwords[user] ?? randomBytes(16).toString('hex');
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    try {
      await client.query(`alter role ${client.escapeIdentifier(user)} login password '${password}'`);
    } finally {
      await client.end();
    }
    this.#passwords[user] = password;
    this.#saving = this.#saving.then(() => this.#savePasswords());
    await this.#saving;
  }

  /** Makes the cluster where there is none. @throws InUse when another living process runs it */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    if (this.#user !== undefined) await chown(this.folder, this.#user.uid, this.#user.gid);
    await this.#clearStalePid();
    if (await stat(join(this.#data, 'PG_VERSION')).catch(() => undefined)) {
      this.#passwords = JSON.parse(await readFile(join(this.#data, PASSWORDS), 'utf8')) as Passwords;
      return;
    }
    await this.#initialise();
    this.fresh = true;
  }

  /** PostgreSQL believes any living process with the noted pid; after a crash that may be anybody. */
  async #clearStalePid(): Promise<void> {
    const file = join(this.#data, 'postmaster.pid');
    const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
    if (!Number.isSafeInteger(pid) || pid <= 1) return;
    if (isAlive(pid)) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
      if (command === undefined || command.includes(this.#data)) throw new InUse(`process ${pid} runs it`);
    }
    await rm(file, { force: true });
  }

  async #initialise(): Promise<void> {
    const unique = `${process.pid}-${randomBytes(4).toString('hex')}`;
    const partial = join(this.folder, `cluster.${unique}`);
    const secret = join(this.folder, `secret.${unique}`);
    const password = randomBytes(16).toString('hex');
    try {
      await writeFile(secret, `${password}\n`, { mode: 0o600 });
      if (this.#user !== undefined) await chown(secret, this.#user.uid, this.#user.gid);
      const options = ['--auth=scram-sha-256', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'];
      await run(
        join(this.#binaries.root, 'bin', 'initdb'),
        [...options, '--no-instructions', `--pgdata=${partial}`, `--pwfile=${secret}`],
        this.#user,
        join(this.folder, 'postgres.log'),
      );
      this.#passwords = { postgres: password };
      // Inside the cluster, so that both appear in one step: of two who make it at once, one wins as a whole.
      await this.#savePasswords(partial);
      await rename(partial, this.#data);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') throw new InUse('another process has just made it');
      throw error;
    } finally {
      await rm(secret, { force: true });
    }
  }

  async #savePasswords(folder = this.#data): Promise<void> {
    const file = join(folder, PASSWORDS);
    await writeFile(`${file}.new`, JSON.stringify(this.#passwords), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  async start(): Promise<void> {
    if (this.#keeper !== undefined) return;
    if (this.#port !== 0) return this.#startOnce();
    for (let turn = 1; ; turn += 1) {
      this.#port = await freePort();
      try {
        return await this.#startOnce();
      } catch (error) {
        // Somebody may have taken the port between the look and the start.
        if (error instanceof InUse || turn === MAX_PORTS) throw error;
      }
    }
  }

  async #startOnce(): Promise<void> {
    const settings = {
      ...SETTINGS,
      port: String(this.#port),
      ...(this.#durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    await using log = await open(join(this.folder, 'postgres.log'), 'w', 0o600);
    const keeper = spawn(
      '/bin/sh',
      ['-c', KEEPER, 'keeper', join(this.#binaries.root, 'bin', 'postgres'), '-D', this.#data, ...flags],
      { stdio: ['ignore', log.fd, log.fd, 'pipe'], cwd: '/', env: environment(), detached: true, ...this.#user },
    );
    this.#keeper = keeper;
    keeper.unref();
    const ended = once(keeper, 'close').then(() => {
      this.#keeper = undefined;
    });
    const giveUpAt = performance.now() + START_DEADLINE_MS;
    while (!(await this.#accepts())) {
      if (this.#keeper === undefined) {
        await ended;
        await this.#clearStalePid();
        throw new Error('PostgreSQL ended while it started: see postgres.log in the sandbox folder');
      }
      if (performance.now() > giveUpAt) {
        await this.stop();
        throw new Error(`PostgreSQL took no connection within ${START_DEADLINE_MS} ms`);
      }
      await delay(POLL_MS);
    }
  }

  async #accepts(): Promise<boolean> {
    // Somebody else's server may listen on the port; ours is the one that has written its own pid file.
    const pidFile = await readFile(join(this.#data, 'postmaster.pid'), 'utf8').catch(() => '');
    const lines = pidFile.split('\n');
    return lines[3] === String(this.#port) && lines[7]?.trim() === 'ready';
  }

  async stop(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    const closed = once(keeper, 'close');
    keeper.stdio[3]?.destroy();
    const late = setTimeout(() => {
      try {
        if (keeper.pid !== undefined) process.kill(-keeper.pid, 'SIGKILL');
      } catch {
        // it ended in between
      }
    }, STOP_DEADLINE_MS);
    await closed;
    clearTimeout(late);
    this.#keeper = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Binaries and folder such that the other user, where there must be one, can reach both. */
async function place(dataDir: string, user: OtherUser | undefined) {
  let binaries = await findBinaries();
  let folder = resolve(dataDir);
  const notes: string[] = [];
  if (user === undefined) {
    if (!(await isComplete(binaries.root))) {
      await complete(binaries.root).catch(async () => {
        binaries = await copyBinaries(binaries, await sharedFolder());
      });
    }
    return { binaries, folder, notes };
  }
  await complete(binaries.root).catch(() => undefined);
  if (!(await isReachableByOthers(binaries.root)) || !(await isComplete(binaries.root))) {
    binaries = await copyBinaries(binaries, await sharedFolder());
    notes.push(
      'PostgreSQL runs from a copy below the temporary folder, since root may not run it and others cannot reach the checkout',
    );
  }
  if (!(await isReachableByOthers(join(folder, '..')))) {
    folder = join(await sharedFolder(), `data-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`);
    notes.push('its data are kept below the temporary folder too');
  }
  return { binaries, folder, notes };
}

/**
 * Starts PostgreSQL with its data in `dataDir`, in about a second the first time and a tenth of one later.
 *
 * It listens on a free port of 127.0.0.1 and asks for a random password kept beside the data, readable by this
 * user only. As root it runs as `postgres` or `nobody`. When another living process uses the folder, the next of
 * `dataDir-2` … `dataDir-8` is taken. It ends when this process ends, also when that is killed.
 * @throws Error when the packages are missing or it does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32')
    throw new Error('the PostgreSQL sandbox needs Linux or macOS: set the connection string of a database of your own');
  const user = otherUser();
  const { binaries, folder, notes } = await place(options.dataDir, user);
  for (let turn = 1; turn <= MAX_FOLDERS; turn += 1) {
    const cluster = new Cluster({
      folder: turn === 1 ? folder : `${folder}-${turn}`,
      binaries,
      user,
      durable: options.durable ?? true,
      notes: turn === 1 ? notes : [...notes, `folder ${turn}, since another process uses the ones before`],
    });
    try {
      await cluster.prepare();
      await cluster.start();
      return cluster;
    } catch (error) {
      if (!(error instanceof InUse)) throw error;
    }
  }
  throw new Error(
    `${MAX_FOLDERS} processes use the PostgreSQL sandbox already: stop one, or set the connection string of a database of your own`,
  );
}
