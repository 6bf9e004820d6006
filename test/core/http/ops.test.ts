import { describe, expect, test } from 'vitest';
import { Edge } from '#core/http/edge.ts';
import { createOpsApp } from '#core/http/ops.ts';
import { fakeBridge, mapOf } from './support.ts';

function ops(degraded: readonly string[] = []) {
  const alpha = fakeBridge('alpha');
  const main = new Edge({ bridges: mapOf(alpha), version: '1.2.3' });
  return {
    alpha,
    main,
    app: createOpsApp({
      edge: main.forOps(),
      main,
      services: { degraded: () => degraded, status: () => ({ stores: 'memory', audit: 'off', auth: 'none' }) },
      metrics: () => 'bridge_uptime_seconds 1\n',
      about: () => ({ log: { level: 'info' } }),
    }),
  };
}

describe('the ops port', () => {
  test('/livez is 200 while the process lives', async () => {
    const { app, alpha } = ops();
    alpha.ready = false;
    expect((await app.request('/livez')).status).toBe(200);
  });

  test('/readyz says whether traffic may come, with the state of each bridge', async () => {
    const { app, alpha, main } = ops(['redis']);
    const ready = await app.request('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      status: 'ready',
      bridges: { alpha: { ready: true, mode: 'live', state: 'ready' } },
      degraded: ['redis'],
    });
    alpha.ready = false;
    const unready = await app.request('/readyz');
    expect(unready.status).toBe(503);
    expect(await unready.json()).toMatchObject({ status: 'not_ready' });
    alpha.ready = true;
    main.drain();
    const draining = await app.request('/readyz');
    expect(draining.status).toBe(503);
    expect(await draining.json()).toMatchObject({ status: 'draining' });
  });

  test('a bridge that is not configured makes nothing ready', async () => {
    const { app, alpha } = ops();
    alpha.mode = 'not_configured';
    expect((await app.request('/readyz')).status).toBe(503);
  });

  test('/status shows pool, calls and stores per bridge', async () => {
    const { app } = ops();
    const status = (await (await app.request('/status')).json()) as Record<string, unknown>;
    expect(status).toMatchObject({
      version: '1.2.3',
      stores: 'memory',
      draining: false,
      bridges: { alpha: { mode: 'live', pool: { waiting: 3, workers: [{ id: 1 }, { id: 2 }] }, calls: { ok: 9 } } },
    });
  });

  test('may be asked by its address whatever names are allowed, so that each replica can be scraped', async () => {
    const main = new Edge({
      bridges: mapOf(fakeBridge('alpha')),
      version: '1.2.3',
      allowedHosts: new Set(['api.example']),
    });
    const app = createOpsApp({ edge: main.forOps(), main });
    const statusOf = async (host: string) => (await app.request('/livez', { headers: { host } })).status;
    expect(await Promise.all(['10.0.0.5:9464', '[fd00::1]:9464', 'api.example'].map(statusOf))).toEqual([
      200, 200, 200,
    ]);
    expect(await Promise.all(['evil.example:9464', '10.0.0.5.evil.example'].map(statusOf))).toEqual([403, 403]);
  });

  test('anything else is a problem', async () => {
    const { app } = ops();
    expect((await app.request('/alpha/mcp/tools')).status).toBe(404);
    const posted = await app.request('/metrics', { method: 'POST' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
  });

  test('/metrics is what the process tells, as Prometheus text', async () => {
    const { app } = ops();
    const response = await app.request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('bridge_uptime_seconds 1\n');
  });

  test('/status shows what else the process tells of itself', async () => {
    const { app } = ops();
    expect(await (await app.request('/status')).json()).toMatchObject({ log: { level: 'info' } });
  });
});
