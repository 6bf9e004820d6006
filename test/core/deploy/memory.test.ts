import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Memory } from '#core/deploy/memory.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'memory-'));
  path = join(dir, 'state/fleet.json');
});

afterEach(() => rmSync(dir, { recursive: true }));

it('numbers and images outlast the process, as a compose file', () => {
  const memory = new Memory(path);
  expect(memory.exists).toBe(false);
  memory.choose({ mode: 'prod', monitoring: true, files: [] });
  memory.remember('mcp-slack', { count: 5 });
  memory.remember('mcp-slack', { image: 'mcp-bridge-slack:2', previous: 'mcp-bridge-slack:1' });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    services: { 'mcp-slack': { image: 'mcp-bridge-slack:2', deploy: { replicas: 5 } } },
    'x-fleet': { mode: 'prod', monitoring: true, files: [], previous: { 'mcp-slack': 'mcp-bridge-slack:1' } },
  });
  const later = new Memory(path);
  expect(later.of('mcp-slack')).toEqual({ count: 5, image: 'mcp-bridge-slack:2', previous: 'mcp-bridge-slack:1' });
  expect(later.read()).toMatchObject({ mode: 'prod', monitoring: true });
});

it('what is forgotten leaves nothing that would add a service to the compose files', () => {
  const memory = new Memory(path);
  memory.remember('mcp-slack', { image: 'mcp-bridge-slack:2', previous: 'mcp-bridge-slack:1' });
  memory.remember('mcp-slack', { image: undefined, previous: undefined });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ services: {}, 'x-fleet': { previous: {} } });
});

it('one service is remembered without touching another', () => {
  const memory = new Memory(path);
  memory.remember('mcp-slack', { count: 2, previous: 'a' });
  memory.remember('mcp-stripe', { count: 0 });
  expect(memory.of('mcp-slack')).toEqual({ count: 2, image: undefined, previous: 'a' });
  expect(memory.of('mcp-stripe').count).toBe(0);
});

it('a broken file is an error that says what to do, not an empty memory', () => {
  new Memory(path).remember('mcp-slack', { count: 2 });
  writeFileSync(path, '{"services":');
  expect(() => new Memory(path).of('mcp-slack')).toThrow(/is broken; remove it/);
});
