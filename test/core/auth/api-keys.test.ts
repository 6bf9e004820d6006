import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiKeys } from '#core/auth/api-keys.ts';
import type { AuthEvent } from '#core/auth/authenticator.ts';
import { digestOf } from '#core/auth/digest-map.ts';
import { readKeyFile } from '#core/auth/key-file.ts';
import { until } from '../../support/until.ts';
import { entry, TemporaryKeyFile } from './support.ts';

vi.mock('node:fs/promises', { spy: true });

/** The file has been looked at some times from now on. */
async function looksPass(): Promise<void> {
  const before = vi.mocked(stat).mock.calls.length;
  await until('it is looked at', () => vi.mocked(stat).mock.calls.length > before + 5);
}

function open(path: string, ratePerMinute?: number) {
  const events: AuthEvent[] = [];
  const keys = new ApiKeys(readKeyFile(path), {
    path,
    ratePerMinute,
    on: (event) => events.push(event),
    lookEveryMs: 10,
  });
  onTestFinished(() => keys.close());
  const id = (secret: string): string | undefined => keys.find(digestOf(secret))?.caller.id;
  const told = (name: AuthEvent['event']): AuthEvent[] => events.filter(({ event }) => event === name);
  return { keys, events, id, told };
}

describe('the keys of a file', () => {
  it('are found by their secret, each with the rights of its own entry', () => {
    using file = new TemporaryKeyFile([
      entry('old', { allow: ['slack:*'], ratePerMinute: 5 }),
      entry('new', { allow: ['stripe:list_*'] }),
    ]);
    const { keys } = open(file.path, 100);
    const [old, young] = ['old', 'new'].map((secret) => keys.find(digestOf(secret))?.caller);
    expect([old?.id, young?.id]).toEqual(['planner', 'planner']);
    expect([old?.ratePerMinute, young?.ratePerMinute]).toEqual([5, 100]);
    expect([old?.mayCall('slack', 'post'), young?.mayCall('slack', 'post')]).toEqual([true, false]);
    expect([old?.mayUse('stripe'), young?.mayUse('stripe')]).toEqual([false, true]);
    expect(keys.find(digestOf('other'))).toBeUndefined();
  });

  it('are counted, the expired ones too', () => {
    using file = new TemporaryKeyFile([entry('a'), entry('b', { expires: '2020-01-01' }), entry('c', { id: 'ops' })]);
    const { keys } = open(file.path);
    expect(keys.stats()).toMatchObject({ keys: 3, principals: 2, expired: 1, stale: false });
  });

  it('follow a file that is edited in place (S7)', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    const { id, told } = open(file.path);
    file.write([entry('old'), entry('new')]);
    await until('the new key is known', () => id('new'));
    expect(id('old')).toBe('planner');
    file.write([entry('new')]);
    await until('the old key is gone', () => id('old') === undefined);
    expect(id('new')).toBe('planner');
    expect(told('auth:keys_rejected')).toEqual([]);
  });

  it('follow an edit that leaves the file as long as it was (S7)', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    const { id } = open(file.path);
    await looksPass();
    file.write([entry('new')]);
    await until('the new key is known', () => id('new'));
    expect(id('old')).toBeUndefined();
  });

  it('follow a file that is renamed into place, and a link that is turned, as mounted secrets are (S7)', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    for (const version of ['1', '2']) {
      mkdirSync(join(file.folder, version));
      writeFileSync(join(file.folder, version, 'keys.json'), JSON.stringify([entry(`linked ${version}`)]));
    }
    const link = join(file.folder, 'current');
    symlinkSync('1', link);
    const renamed = open(file.path);
    const linked = open(join(link, 'keys.json'));
    expect(linked.id('linked 1')).toBe('planner');

    writeFileSync(join(file.folder, 'next'), JSON.stringify([entry('new')]));
    renameSync(join(file.folder, 'next'), file.path);
    symlinkSync('2', join(file.folder, 'turned'));
    renameSync(join(file.folder, 'turned'), link);
    await until('both have changed', () => renamed.id('new') && linked.id('linked 2'));
    expect([renamed.id('old'), linked.id('linked 1')]).toEqual([undefined, undefined]);
  });

  it('stay in force while the file is broken, which is told once (S7)', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    const { keys, id, told } = open(file.path);
    file.write('[{"id": "canary"');
    await until('it is told', () => told('auth:keys_rejected').length);
    await looksPass();
    expect(told('auth:keys_rejected')).toHaveLength(1);
    expect(id('old')).toBe('planner');
    expect(keys.stats()).toMatchObject({ keys: 1, stale: true });
    file.write([{ id: 'planner', sha256: 'canary', allow: [] }]);
    await until('the second is told too', () => told('auth:keys_rejected').length === 2);
    rmSync(file.path);
    await until('its loss is told too', () => told('auth:keys_rejected').length === 3);
    expect(id('old')).toBe('planner');
    expect(JSON.stringify(told('auth:keys_rejected'))).not.toContain('canary');
    expect(JSON.stringify(told('auth:keys_rejected')[2])).toContain('ENOENT');

    file.write([entry('new')]);
    await until('the mended file is taken', () => id('new'));
    expect(id('old')).toBeUndefined();
    expect(keys.stats().stale).toBe(false);
    await looksPass();
    expect(told('auth:keys_rejected')).toHaveLength(3);
    expect(told('auth:keys_loaded')).toEqual([{ event: 'auth:keys_loaded', keys: 1, principals: 1 }]);
  });

  it('all go where the file says so', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    const { id } = open(file.path);
    file.write([]);
    await until('the key is gone', () => id('old') === undefined);
  });

  it('are read at once by a reload, changed or not, and none is away for a moment meanwhile (S7)', async () => {
    using file = new TemporaryKeyFile([entry('stays'), entry('old')]);
    const { keys, id, told } = open(file.path);
    let lost = 0;
    let asked = 0;
    for (let i = 0; i < 20; i += 1) {
      file.write([entry('stays'), entry(`turn ${i}`)]);
      let done = false;
      const reloaded = keys.reload().then(() => {
        done = true;
      });
      while (!done) {
        asked += 1;
        if (id('stays') !== 'planner') lost += 1;
        await new Promise(setImmediate);
      }
      await reloaded;
      expect(id(`turn ${i}`)).toBe('planner');
    }
    expect(lost).toBe(0);
    expect(asked).toBeGreaterThan(20);
    expect(id('old')).toBeUndefined();
    expect(id('turn 18')).toBeUndefined();
    const before = told('auth:keys_loaded').length;
    await keys.reload();
    expect(told('auth:keys_loaded').length).toBe(before + 1);
  });

  it('are looked after no longer once closed', async () => {
    using file = new TemporaryKeyFile([entry('old')]);
    const { keys, id, events } = open(file.path);
    keys.close();
    keys.close();
    file.write([entry('new')]);
    await keys.reload();
    expect([id('old'), id('new'), events.length]).toEqual(['planner', undefined, 0]);
  });
});
