import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_CHILD, Fleet, type LogLine } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { fleet } from './run.ts';

let folder: string;
let pinFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pin-'));
  pinFile = join(folder, 'pins/fake.json');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function config(env: Record<string, string> = {}, settings: object = {}): string {
  const path = join(folder, 'fleet.config.json');
  const fake = { command: process.execPath, args: [FAKE_CHILD], env, pinFile, ...settings };
  writeFileSync(path, JSON.stringify({ mcpServers: { fake } }));
  return path;
}

function changedOf(line: LogLine | undefined): { readonly now: string } | undefined {
  return (line?.changed as { readonly now: string }[] | undefined)?.[0];
}

it('fleet pin writes what the tools are, says what that changes, and --check holds them against it', async () => {
  const first = await fleet(['pin', 'fake', '--config', config({ FAKE_ONLY: 'echo,sleep' })]);
  expect(first).toMatchObject({ code: 0, stdout: '+ echo\n+ sleep\n' });
  expect(JSON.parse(readFileSync(pinFile, 'utf8'))).toEqual({
    tools: { echo: expect.stringMatching(/^sha256-.{44}$/), sleep: expect.stringMatching(/^sha256-.{44}$/) },
  });
  expect(await fleet(['pin', '--check', '--config', config({ FAKE_ONLY: 'echo,sleep' })])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: '2 tools are as pinned\n',
  });
  const differs = await fleet(['pin', '--check', '--config', config({ FAKE_ONLY: 'echo,meta' })]);
  expect(differs).toMatchObject({ code: 1, stdout: '+ meta\n- sleep\n', stderr: '2 tools are not as pinned\n' });
  expect(readFileSync(pinFile, 'utf8')).toContain('sleep');
});

it('fleet pin does not write over a file that it cannot read, nor where the server does not start', async () => {
  writeFileSync(join(folder, 'broken.json'), '{');
  const broken = await fleet(['pin', '--config', config(), '--file', join(folder, 'broken.json')]);
  expect(broken.code).toBe(78);
  expect(broken.stderr).toContain('it is not JSON');
  const down = await fleet(['pin', '--config', config({ FAKE_EXIT_AT_START: '3' }), '--file', pinFile]);
  expect(down.code).toBe(69);
  const starts = { command: 'sleep', args: ['100'], pool: { startDeadlineMs: 300 } };
  const mute = await fleet(['pin', '--config', config({}, starts), '--file', pinFile]);
  expect(mute).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/^fleet: the tools cannot be listed: .*600 ms/),
  });
  expect(() => readFileSync(pinFile)).toThrow('ENOENT');
});

it('C16 a tool that changes against its pin answers 503, new ones are not exposed, the others go on', async () => {
  expect(await fleet(['pin', 'fake', '--config', config()])).toMatchObject({ code: 0 });
  await using bridge = await Fleet.start({ args: ['serve', '--config', config()] });
  expect((await bridge.call('echo', { text: 'as pinned' })).status).toBe(200);
  expect((await bridge.call('change-tools', { add: 'fresh', describe: 'echo' })).status).toBe(200);
  await until('the change is seen', async () => (await bridge.call('echo', { text: 'x' })).status === 503);

  const refused = await bridge.call('echo', { text: 'x' });
  expect(refused.json).toMatchObject({ code: 'tool_definition_changed', executed: 'no', retryable: false });
  expect((await bridge.call('fresh')).json).toMatchObject({ status: 404, code: 'unknown_tool' });
  expect((await bridge.call('meta')).status).toBe(200);
  const listed = await bridge.request('/fake/mcp/tools/echo', undefined, { method: 'GET' });
  expect(listed.json.unavailable).toBe('tool_definition_changed');
  const told = bridge.log.findLast(({ msg }) => msg === 'tools listed');
  expect(told).toMatchObject({
    level: 'warn',
    changed: [{ tool: 'echo', pinned: expect.anything(), now: expect.anything() }],
  });

  // Looked at, and approved of: the pins are read again on SIGHUP.
  const pins = JSON.parse(readFileSync(pinFile, 'utf8'));
  pins.tools.echo = changedOf(told)?.now;
  writeFileSync(pinFile, JSON.stringify(pins));
  bridge.process.kill('SIGHUP');
  await until('it is served again', async () => (await bridge.call('echo', { text: 'x' })).status === 200);
});

it('C16 a pin file that cannot be read serves no tool', async () => {
  await using bridge = await Fleet.start({ args: ['serve', '--config', config({}, { pinFile: 'nothing.json' })] });
  expect((await bridge.call('echo', { text: 'x' })).json).toMatchObject({
    status: 503,
    code: 'tool_definition_changed',
  });
  expect(bridge.log.find(({ msg }) => msg === 'tools listed')).toMatchObject({
    level: 'warn',
    pinsUnreadable: 'ENOENT',
  });
});
