import { bad, type Finding, good, warning } from '#core/deploy/finding.ts';
import { isLiving, isServing, type Service } from '#core/deploy/replica.ts';
import { roleOf, shortName } from '#core/deploy/role.ts';

/** What a file of `compose/secrets` is like; undefined members could not be learnt. */
export interface SecretFile {
  readonly name: string;
  readonly bytes: number | undefined;
  /** Whether it holds more than line breaks. */
  readonly filled: boolean;
  /** Permission bits. */
  readonly mode: number | undefined;
}

const DAY_MS = 86_400_000;
const MIB = 1_048_576;
const LEAST_ENGINE = '20.10';
const LEAST_COMPOSE = '2.20';
const LOOK_SKEW_MS = 2_000;
const BAD_SKEW_MS = 30_000;
const LITTLE_DISK = 2_048 * MIB;
const NO_DISK = 512 * MIB;

/** Versions are compared by their numbers, so far as the least one has them. */
export function judgeVersion(what: 'engine' | 'compose', version: string): Finding {
  const least = what === 'engine' ? LEAST_ENGINE : LEAST_COMPOSE;
  if (isAtLeast(version, least)) return good(what, version);
  return bad(
    what,
    `${version} is older than ${least}`,
    `install Docker ${what === 'engine' ? 'Engine' : 'Compose'} ${least} or newer`,
  );
}

/** @param vendors names of files that only switch a bridge off where they are empty */
export function judgeSecrets(
  folderMode: number | undefined,
  files: readonly SecretFile[],
  vendors: ReadonlySet<string>,
): readonly Finding[] {
  const findings: Finding[] = [];
  const missing = files.filter(({ bytes }) => bytes === undefined).map(({ name }) => name);
  if (missing.length > 0)
    findings.push(
      bad(
        'secrets',
        `missing: ${missing.join(', ')}`,
        'fleet up makes them; those of vendors are to be filled by hand',
      ),
    );
  const there = files.filter(({ bytes }) => bytes !== undefined);
  const empty = there.filter(({ filled }) => !filled).map(({ name }) => name);
  const needed = empty.filter((name) => !vendors.has(name));
  if (needed.length > 0)
    findings.push(
      bad('secrets', `empty: ${needed.join(', ')}`, 'remove the empty files, then fleet up makes new ones'),
    );
  const unset = empty.filter((name) => vendors.has(name));
  if (unset.length > 0) {
    findings.push(
      warning(
        'secrets',
        `not given, so their bridges answer 503 not_configured: ${unset.join(', ')}`,
        'write them into compose/secrets, then fleet restart the bridge; or set its …_REPLICAS=0',
      ),
    );
  }
  if (folderMode !== undefined && (folderMode & 0o077) !== 0) {
    findings.push(
      bad(
        'secrets',
        `others on this machine can enter compose/secrets (mode ${octal(folderMode)})`,
        'chmod 700 compose/secrets',
      ),
    );
  }
  const closed = there.filter(({ mode }) => mode !== undefined && (mode & 0o004) === 0).map(({ name }) => name);
  if (closed.length > 0) {
    findings.push(
      bad(
        'secrets',
        `containers, which run as other users, cannot read ${closed.join(', ')}`,
        `chmod 644 ${closed.map((name) => `compose/secrets/${name}`).join(' ')} (the folder keeps others out)`,
      ),
    );
  }
  return findings.length > 0 ? findings : [good('secrets', `${files.length} files`)];
}

/** @param skewMs how far the other's clock is ahead of this machine's */
export function judgeClock(whose: string, skewMs: number): Finding {
  const seconds = `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead' : 'behind'}`;
  const mend = 'let both machines follow NTP (timedatectl set-ntp true)';
  if (Math.abs(skewMs) < LOOK_SKEW_MS) return good('clock', `${whose} agrees to ${(LOOK_SKEW_MS / 1000).toFixed(0)} s`);
  return (Math.abs(skewMs) < BAD_SKEW_MS ? warning : bad)(
    'clock',
    `${whose} is ${seconds}: tokens and logs are off by as much`,
    mend,
  );
}

export function judgeDisk(freeBytes: number, totalBytes: number): Finding {
  const detail = `${Math.round(freeBytes / MIB)} of ${Math.round(totalBytes / MIB)} MiB free where the engine keeps its data`;
  const mend = 'docker image prune removes images that nobody uses; then look at the volumes of postgres and redis';
  if (freeBytes < NO_DISK) return bad('disk', `${detail}: Redis refuses writes when it is full`, mend);
  return freeBytes < LITTLE_DISK || freeBytes < totalBytes / 20 ? warning('disk', detail, mend) : good('disk', detail);
}

/** What all replicas together are promised, and what they may take at most, against what there is. */
export function judgeMemory(totalBytes: number, reservedBytes: number, limitBytes: number): Finding {
  const detail = `${Math.round(totalBytes / MIB)} MiB; reserved ${Math.round(reservedBytes / MIB)}, limits together ${Math.round(limitBytes / MIB)}`;
  if (reservedBytes > totalBytes) return bad('memory', detail, 'fewer replicas (fleet scale), or a larger machine');
  if (limitBytes > totalBytes)
    return warning(
      'memory',
      `${detail}: not all can reach their limits at once`,
      'lower BRIDGE_MEMORY or the numbers of replicas',
    );
  return good('memory', detail);
}

/** @param settings `appendonly` and the like, as Redis tells them */
export function judgeRedis(settings: ReadonlyMap<string, string>): Finding {
  const wanted = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' };
  const wrong = Object.entries(wanted).filter(([name, value]) => settings.get(name) !== value);
  if (wrong.length === 0) return good('redis', 'keeps what it is given (appendfsync always, noeviction)');
  const detail = wrong.map(([name]) => `${name} is ${settings.get(name) ?? 'unknown'}`).join(', ');
  return bad(
    'redis',
    `${detail}: a keyed call may run twice after Redis is lost`,
    wrong.map(([name, value]) => `CONFIG SET ${name} ${value}`).join('; '),
  );
}

/** @param ownName whether who signed it is who it is for */
export function judgeCertificate(validToMs: number, nowMs: number, ownName: boolean): Finding {
  const days = Math.floor((validToMs - nowMs) / DAY_MS);
  const mend = 'put a new certificate into the files the front reads; it takes them by itself';
  if (days < 0) return bad('certificate', `ran out ${-days} days ago`, mend);
  if (days < 14) return warning('certificate', `runs out in ${days} days`, mend);
  if (ownName)
    return warning(
      'certificate',
      `self-signed, ${days} days left: callers cannot tell the front from another`,
      'set FRONT_TLS_CERT and FRONT_TLS_KEY',
    );
  return good('certificate', `${days} days left`);
}

export function judgeImages(services: readonly Service[]): readonly Finding[] {
  const missing = services.filter(({ wanted }) => wanted.count > 0 && wanted.imageId === undefined);
  if (missing.length === 0) return [good('images', 'all are here')];
  const images = [...new Set(missing.map(({ wanted }) => wanted.image))];
  const ours = images.filter((image) => image.includes('mcp-bridge-'));
  const others = images.filter((image) => !ours.includes(image));
  return [
    ...(ours.length > 0 ? [warning('images', `to be built: ${ours.join(', ')}`, 'fleet up builds them')] : []),
    ...(others.length > 0
      ? [
          warning(
            'images',
            `to be pulled: ${others.join(', ')}`,
            others.map((image) => `docker pull ${image}`).join('; '),
          ),
        ]
      : []),
  ];
}

/** Says nothing of a fleet that is down. */
export function judgeReplicas(services: readonly Service[]): readonly Finding[] {
  const up = services.filter(({ replicas }) => replicas.some(isLiving));
  const sick = services.filter(
    ({ name, wanted, replicas }) =>
      up.length > 0 &&
      replicas.filter(isServing).length < wanted.count &&
      (replicas.length > 0 || roleOf(name) !== 'bridge'),
  );
  if (up.length > 0 && sick.length === 0) return [good('replicas', `${up.length} services are healthy`)];
  return sick.map(({ name, wanted, replicas }) => {
    const short = shortName(name);
    const serving = replicas.filter(isServing).length;
    const detail = `${short}: ${serving} of ${wanted.count} healthy`;
    return (serving === 0 ? bad : warning)('replicas', detail, `fleet logs ${short}; fleet up starts what is missing`);
  });
}

export function isAtLeast(version: string, least: string): boolean {
  const have = numbersOf(version);
  for (const [i, number] of numbersOf(least).entries()) {
    const mine = have[i] ?? 0;
    if (mine !== number) return mine > number;
  }
  return true;
}

function numbersOf(version: string): readonly number[] {
  return (/\d+(\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number);
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8);
}
