import { expect, it } from 'vitest';
import {
  isAtLeast,
  judgeCertificate,
  judgeClock,
  judgeDisk,
  judgeImages,
  judgeMemory,
  judgeRedis,
  judgeReplicas,
  judgeSecrets,
  judgeVersion,
} from '#core/deploy/judge.ts';
import { replica, service } from './fleet-state.ts';

const MIB = 1_048_576;
const DAY_MS = 86_400_000;

function secret(name: string, change = {}) {
  return { name, bytes: 20, filled: true, mode: 0o100644, ...change };
}

it('versions are compared number by number', () => {
  expect(isAtLeast('20.10.24+dfsg1', '20.10')).toBe(true);
  expect(isAtLeast('2.9.0', '2.20')).toBe(false);
  expect(isAtLeast('v2.40.3-3', '2.20')).toBe(true);
  expect(judgeVersion('engine', '19.03.15').verdict).toBe('bad');
  expect(judgeVersion('compose', '1.29.2').mend).toContain('2.20');
});

it('secrets that are there, filled, and closed to others on the machine are good', () => {
  expect(judgeSecrets(0o40700, [secret('redis_password')], new Set())).toEqual([
    { check: 'secrets', verdict: 'good', detail: '1 files', mend: undefined },
  ]);
});

it('each thing wrong with secrets is told with its cure, and never what is in them', () => {
  const files = [
    secret('redis_url', { bytes: undefined, filled: false }),
    secret('redis_password', { filled: false }),
    secret('slack_bot_token', { bytes: 1, filled: false }),
    secret('postgres_password', { mode: 0o100600 }),
  ];
  const findings = judgeSecrets(0o40755, files, new Set(['slack_bot_token']));
  expect(findings.map(({ verdict, detail }) => [verdict, detail])).toEqual([
    ['bad', 'missing: redis_url'],
    ['bad', 'empty: redis_password'],
    ['warning', 'not given, so their bridges answer 503 not_configured: slack_bot_token'],
    ['bad', 'others on this machine can enter compose/secrets (mode 755)'],
    ['bad', 'containers, which run as other users, cannot read postgres_password'],
  ]);
  expect(findings.every(({ mend }) => mend !== undefined)).toBe(true);
});

it('a clock is good to two seconds, worth a look to thirty, and bad beyond, in either direction', () => {
  expect([0, 1_999, -1_999].map((ms) => judgeClock('Redis', ms).verdict)).toEqual(['good', 'good', 'good']);
  expect([2_000, -29_000].map((ms) => judgeClock('Redis', ms).verdict)).toEqual(['warning', 'warning']);
  expect([30_000, -3_600_000].map((ms) => judgeClock('Redis', ms).verdict)).toEqual(['bad', 'bad']);
  expect(judgeClock('Redis', -60_000).detail).toContain('60.0 s behind');
});

it('disk and memory are told with their numbers', () => {
  expect(judgeDisk(50_000 * MIB, 100_000 * MIB).verdict).toBe('good');
  expect(judgeDisk(4_000 * MIB, 100_000 * MIB).verdict).toBe('warning');
  expect(judgeDisk(1_000 * MIB, 10_000 * MIB).verdict).toBe('warning');
  expect(judgeDisk(100 * MIB, 10_000 * MIB)).toMatchObject({
    verdict: 'bad',
    detail: expect.stringContaining('100 of 10000'),
  });
  expect(judgeMemory(8_000 * MIB, 2_000 * MIB, 4_000 * MIB).verdict).toBe('good');
  expect(judgeMemory(8_000 * MIB, 2_000 * MIB, 9_000 * MIB).verdict).toBe('warning');
  expect(judgeMemory(8_000 * MIB, 9_000 * MIB, 9_000 * MIB).verdict).toBe('bad');
});

it('a Redis that may forget records is bad, with the settings that mend it', () => {
  const kept = new Map([
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['maxmemory-policy', 'noeviction'],
  ]);
  expect(judgeRedis(kept).verdict).toBe('good');
  expect(judgeRedis(new Map(kept).set('appendfsync', 'everysec'))).toMatchObject({
    verdict: 'bad',
    mend: 'CONFIG SET appendfsync always',
  });
  expect(judgeRedis(new Map()).verdict).toBe('bad');
});

it('a certificate is told of fourteen days before it runs out', () => {
  const nowMs = Date.UTC(2030, 0, 1);
  expect(judgeCertificate(nowMs + 20 * DAY_MS, nowMs, false).verdict).toBe('good');
  expect(judgeCertificate(nowMs + 20 * DAY_MS, nowMs, true).verdict).toBe('warning');
  expect(judgeCertificate(nowMs + 13 * DAY_MS, nowMs, false).verdict).toBe('warning');
  expect(judgeCertificate(nowMs - DAY_MS, nowMs, false)).toMatchObject({
    verdict: 'bad',
    detail: 'ran out 1 days ago',
  });
});

it('images that are not here are to be built or to be pulled', () => {
  const here = service([], 1);
  const missing = { ...here, wanted: { ...here.wanted, imageId: undefined } };
  const redis = { ...missing, name: 'redis', wanted: { ...missing.wanted, image: 'redis:8' } };
  expect(judgeImages([here]).map(({ verdict }) => verdict)).toEqual(['good']);
  expect(judgeImages([missing, redis]).map(({ mend }) => mend)).toEqual([
    'fleet up builds them',
    'docker pull redis:8',
  ]);
});

it('replicas that do not serve are told of, but a fleet that is down is no illness', () => {
  expect(judgeReplicas([service([])])).toEqual([]);
  expect(judgeReplicas([service([replica(1)], 1)]).map(({ verdict }) => verdict)).toEqual(['good']);
  const sick = [
    service([replica(1), replica(2, { health: 'unhealthy' })], 2),
    service([replica(1, { state: 'exited' })], 1, 'redis'),
  ];
  expect(judgeReplicas(sick).map(({ verdict, detail }) => [verdict, detail])).toEqual([
    ['warning', 'slack: 1 of 2 healthy'],
    ['bad', 'redis: 0 of 1 healthy'],
  ]);
});
