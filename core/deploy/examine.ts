import { readFileSync, statfsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type Docker, DockerError } from '#core/deploy/docker.ts';
import { bad, type Finding, good, warning } from '#core/deploy/finding.ts';
import {
  judgeCertificate,
  judgeClock,
  judgeDisk,
  judgeImages,
  judgeMemory,
  judgeRedis,
  judgeReplicas,
  judgeSecrets,
  judgeVersion,
  type SecretFile,
} from '#core/deploy/judge.ts';
import type { Project } from '#core/deploy/project.ts';
import { isServing, type Service } from '#core/deploy/replica.ts';
import { takeSnapshot } from '#core/deploy/snapshot.ts';

interface Resources {
  readonly memory?: string;
}

interface FullConfig {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly ports?: readonly { readonly published?: string; readonly host_ip?: string; readonly target: number }[];
        readonly deploy?: {
          readonly replicas?: number;
          readonly resources?: { readonly limits?: Resources; readonly reservations?: Resources };
        };
      }
    >
  >;
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>;
}

interface EngineInfo {
  readonly SystemTime: string;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
}

/** What is looked at. */
export interface Patient {
  readonly docker: Docker;
  readonly project: Project;
  /** Files of secrets that only switch a bridge off where they are empty. */
  readonly vendorSecrets: readonly string[];
}

const CONNECT_MS = 1_000;
/** The password goes by the environment of a process inside the container, never by an argument. */
const ASK_REDIS = `[ -r /run/secrets/redis_password ] && export REDISCLI_AUTH="$(cat /run/secrets/redis_password)"
redis-cli TIME | head -1
for setting in appendonly appendfsync maxmemory-policy; do redis-cli CONFIG GET "$setting"; done`;
const ASK_POSTGRES = [
  'psql',
  '--username=postgres',
  '--no-align',
  '--tuples-only',
  '--command=select extract(epoch from now())',
];

/** Looks at everything, as far as what was found before allows; nothing is changed. */
export async function examine(patient: Patient): Promise<readonly Finding[]> {
  const { docker, project } = patient;
  let info: EngineInfo;
  let askedMs = Date.now();
  const findings: Finding[] = [];
  try {
    findings.push(judgeVersion('engine', (await docker.run(['version', '--format', '{{.Server.Version}}'])).trim()));
    askedMs = Date.now();
    info = JSON.parse(await docker.run(['info', '--format', '{{json .}}']));
  } catch (error) {
    const mend = 'start it (systemctl start docker), and let this user reach it (group docker, or DOCKER_HOST)';
    return [bad('engine', said(error), mend)];
  }
  findings.push(judgeClock('the engine', Date.parse(info.SystemTime) - (askedMs + Date.now()) / 2));
  findings.push(judgeDiskOf(info.DockerRootDir));
  let config: FullConfig;
  try {
    findings.push(judgeVersion('compose', (await docker.run(['compose', 'version', '--short'])).trim()));
  } catch {
    return [...findings, bad('compose', 'the compose plugin is missing', 'install docker-compose-plugin (Compose v2)')];
  }
  try {
    config = JSON.parse(await docker.run(project.compose('config', '--format', 'json')));
    findings.push(good('files', `${project.files.join(', ')} are valid (mode ${project.mode})`));
  } catch (error) {
    return [...findings, bad('files', said(error), 'correct the file or the variable it names (compose/.env)')];
  }
  findings.push(...examineSecrets(config, project, patient.vendorSecrets), memoryOf(config, info.MemTotal));
  // The stack's containers carry no labels of compose: what runs is the swarm's to say.
  if (project.mode === 'swarm') return findings;
  const { services, changedNetworks } = await takeSnapshot(docker, project);
  findings.push(...judgeImages(services), ...judgeReplicas(services));
  if (changedNetworks.length > 0) {
    findings.push(
      warning('networks', `${changedNetworks.join(', ')} are other than the files say`, 'fleet down, then fleet up'),
    );
  }
  findings.push(...(await examinePorts(config, services)));
  findings.push(...(await examineStores(docker, services)), ...(await examineCertificate(docker, services)));
  return findings;
}

function judgeDiskOf(folder: string): Finding {
  for (const path of [folder, process.cwd()]) {
    try {
      const { bavail, blocks, bsize } = statfsSync(path);
      return judgeDisk(bavail * bsize, blocks * bsize);
    } catch {
      // An engine elsewhere keeps its data elsewhere: this machine's disk is the next best.
    }
  }
  return warning('disk', 'cannot be looked at from here', 'df -h on the engine’s machine');
}

function examineSecrets(
  { secrets = {} }: FullConfig,
  project: Project,
  vendors: readonly string[],
): readonly Finding[] {
  const paths = Object.values(secrets).flatMap(({ file }) => (file === undefined ? [] : [file]));
  if (paths.length === 0) return [];
  const folder = project.secretsFolder;
  // Its folder is mounted, so that it can be replaced: it is no secret of the files' own.
  const keys = join(folder, 'keys/api_keys');
  if (paths.some((path) => path.startsWith(folder)) && !paths.includes(keys)) paths.push(keys);
  const files = paths.map((path): SecretFile => {
    const name = path.startsWith(folder) ? relative(folder, path) : path;
    try {
      const { size, mode } = statSync(path);
      return { name, bytes: size, filled: readFileSync(path, 'utf8').trim() !== '', mode };
    } catch {
      return { name, bytes: undefined, filled: false, mode: undefined };
    }
  });
  const folderMode = statSync(folder, { throwIfNoEntry: false })?.mode;
  return judgeSecrets(folderMode, files, new Set(vendors.map((name) => name.toLowerCase())));
}

function memoryOf({ services }: FullConfig, totalBytes: number): Finding {
  let reserved = 0;
  let limits = 0;
  for (const { deploy } of Object.values(services)) {
    const count = deploy?.replicas ?? 1;
    reserved += count * Number(deploy?.resources?.reservations?.memory ?? 0);
    limits += count * Number(deploy?.resources?.limits?.memory ?? 0);
  }
  return judgeMemory(totalBytes, reserved, limits);
}

/** A port that our own containers hold is as it should be. */
async function examinePorts(config: FullConfig, services: readonly Service[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [name, { ports = [] }] of Object.entries(config.services)) {
    if (services.find((service) => service.name === name)?.replicas.some(({ state }) => state === 'running')) continue;
    for (const { published, host_ip } of ports) {
      const port = Number(published);
      if (!(port > 0)) continue;
      const host = host_ip === undefined || host_ip === '0.0.0.0' || host_ip === '::' ? '127.0.0.1' : host_ip;
      findings.push(
        (await answers(host, port))
          ? bad(
              'ports',
              `${port}, which ${name} publishes, is taken`,
              `find who has it (ss -ltnp 'sport = :${port}') or set another in compose/.env`,
            )
          : good('ports', `${port} is free for ${name}`),
      );
    }
  }
  return findings;
}

async function examineStores(docker: Docker, services: readonly Service[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const redis = servingOf(services, 'redis');
  if (redis !== undefined) {
    const beganMs = Date.now();
    const [time = '', ...settings] = (await ask(docker, redis, ['sh', '-c', ASK_REDIS]))
      .split('\n')
      .map((line) => line.trim());
    if (/^\d+$/.test(time)) {
      const pairs = Array.from(
        { length: settings.length >> 1 },
        (_, i) => [settings[2 * i], settings[2 * i + 1]] as [string, string],
      );
      findings.push(judgeRedis(new Map(pairs)));
      // It tells whole seconds.
      findings.push(judgeClock('Redis', Number(time) * 1000 + 500 - (beganMs + Date.now()) / 2));
    } else findings.push(warning('redis', 'does not answer its own client', 'fleet logs redis'));
  }
  const postgres = servingOf(services, 'postgres');
  if (postgres !== undefined) {
    const beganMs = Date.now();
    const seconds = Number((await ask(docker, postgres, ASK_POSTGRES)).trim() || Number.NaN);
    findings.push(
      Number.isNaN(seconds)
        ? warning('postgres', 'does not answer its own client', 'fleet logs postgres')
        : judgeClock('PostgreSQL', seconds * 1000 - (beganMs + Date.now()) / 2),
    );
  }
  return findings;
}

async function examineCertificate(docker: Docker, services: readonly Service[]): Promise<readonly Finding[]> {
  const front = servingOf(services, 'front');
  if (front === undefined) return [];
  const published = (await docker.run(['port', front])).match(/^8443\/tcp -> .*:(\d+)$/m)?.[1];
  if (published === undefined) return [];
  const certificate = await certificateOf(Number(published));
  if (certificate === undefined) return [];
  return [judgeCertificate(certificate.validToMs, Date.now(), certificate.selfSigned)];
}

function servingOf(services: readonly Service[], name: string): string | undefined {
  return services.find((service) => service.name === name)?.replicas.find(isServing)?.id;
}

async function ask(docker: Docker, container: string, command: readonly string[]): Promise<string> {
  try {
    return await docker.run(['exec', container, ...command], { timeoutMs: 10_000 });
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    return '';
  }
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false));
  });
}

function certificateOf(
  port: number,
): Promise<{ readonly validToMs: number; readonly selfSigned: boolean } | undefined> {
  return new Promise((resolve) => {
    // Whether it is to be trusted is not asked here, only how long it lasts.
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, timeout: CONNECT_MS });
    const end = (certificate?: { validToMs: number; selfSigned: boolean }) => {
      socket.destroy();
      resolve(certificate);
    };
    socket
      .once('secureConnect', () => {
        const { valid_to, subject, issuer } = socket.getPeerCertificate();
        end({ validToMs: Date.parse(valid_to), selfSigned: JSON.stringify(subject) === JSON.stringify(issuer) });
      })
      .once('error', () => end())
      .once('timeout', () => end());
  });
}

function said(error: unknown): string {
  if (!(error instanceof DockerError)) throw error;
  return error.message;
}
