import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bridgeOf, isTag, withTag } from '#core/deploy/images.ts';
import { LockedError, lock } from '#core/deploy/lock.ts';
import { roleOf, serviceNamed, shortName } from '#core/deploy/role.ts';
import { endOf } from '#core/deploy/swarm.ts';

it('a tag is exchanged, and the port of a registry is none', () => {
  expect(withTag('mcp-bridge-slack:local', '2')).toBe('mcp-bridge-slack:2');
  expect(withTag('mcp-bridge-slack', '2')).toBe('mcp-bridge-slack:2');
  expect(withTag('registry:5000/team/mcp-bridge-slack', '2')).toBe('registry:5000/team/mcp-bridge-slack:2');
  expect(withTag('registry:5000/mcp-bridge-slack:1@sha256:abc', '2')).toBe('registry:5000/mcp-bridge-slack:2');
});

it('a tag is what a registry would take', () => {
  expect(['1.4.0', 'local', '_x', 'a'.repeat(128)].map(isTag)).toEqual([true, true, true, true]);
  expect(['', '-x', '.x', 'a b', 'a/b', 'a:b', 'a'.repeat(129)].some(isTag)).toBe(false);
});

it('an image of ours says which bridge it is built for', () => {
  expect(bridgeOf('mcp-bridge-slack:local')).toBe('slack');
  expect(bridgeOf('registry:5000/x/mcp-bridge-all:1')).toBeUndefined();
  expect(bridgeOf('redis:8')).toBe(false);
  expect(bridgeOf('not-mcp-bridge-slack:1')).toBe(false);
});

it('people name a bridge without its prefix, and a store where no bridge is called so', () => {
  const services = ['mcp-slack', 'mcp-postgres', 'postgres', 'redis', 'front'];
  expect(serviceNamed('slack', services)).toBe('mcp-slack');
  expect(serviceNamed('mcp-slack', services)).toBe('mcp-slack');
  expect(serviceNamed('postgres', services)).toBe('mcp-postgres');
  expect(serviceNamed('redis', services)).toBe('redis');
  expect(serviceNamed('stripe', services)).toBeUndefined();
  expect(['mcp-slack', 'front', 'redis', 'grafana'].map(roleOf)).toEqual(['bridge', 'proxy', 'store', 'aside']);
  expect(shortName('mcp-slack')).toBe('slack');
});

it('an update of a swarm has ended when it says so and all its tasks run', () => {
  expect(endOf('updating', '3/3', 'update')).toBeUndefined();
  expect(endOf(undefined, '3/3', 'update')).toBeUndefined();
  expect(endOf('completed', '2/3', 'update')).toBeUndefined();
  expect(endOf('completed', '3/3 (max 1 per node)', 'update')).toBe('done');
  expect(endOf('rollback_started', '3/3', 'update')).toBeUndefined();
  expect(endOf('rollback_completed', '3/3', 'update')).toBe('rolled back');
  expect(endOf('rollback_completed', '3/3', 'rollback')).toBe('done');
  expect(endOf('paused', '3/3', 'update')).toBe('stuck');
  expect(endOf(undefined, '3/3', 'running')).toBe('done');
  expect(endOf(undefined, '', 'running')).toBeUndefined();
});

it('two commands do not change one project at once, and one that died leaves no lock that holds', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lock-'));
  const path = join(dir, 'fleet.lock');
  try {
    const held = lock(path);
    expect(() => lock(path)).toThrow(LockedError);
    held[Symbol.dispose]();
    // No process has this id: it is above the largest that Linux gives.
    writeFileSync(path, '4194305');
    lock(path)[Symbol.dispose]();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
