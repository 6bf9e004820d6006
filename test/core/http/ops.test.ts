import { describe, expect, test } from 'vitest';
import { Edge } from '#core/http/edge.ts';
import { type MetricsSource, metricsText } from '#core/http/metrics.ts';
import { createOpsApp } from '#core/http/ops.ts';
import { fakeBridge, fakeStats, mapOf } from './support.ts';

const nothing: MetricsSource = {
  version: '1.2.3',
  uptimeMs: 0,
  answers: { '2xx': 0, '4xx': 0, '5xx': 0, gone: 0 },
  bridges: [],
  services: { stores: 'memory', audit: 'off', auth: 'none' },
};

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

  test('anything else is a problem', async () => {
    const { app } = ops();
    expect((await app.request('/alpha/mcp/tools')).status).toBe(404);
    const posted = await app.request('/metrics', { method: 'POST' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
  });

  test('/metrics is Prometheus text', async () => {
    const { app, main } = ops();
    main.count(200);
    main.count(404);
    main.count(undefined);
    const response = await app.request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    const lines = text.split('\n');
    expect(lines).toContain('# TYPE bridge_http_answers_total counter');
    expect(lines).toContain('bridge_http_answers_total{status="2xx"} 1');
    expect(lines).toContain('bridge_http_answers_total{status="gone"} 1');
    expect(lines).toContain('bridge_calls_total{bridge="alpha",outcome="ok"} 9');
    expect(lines).toContain('bridge_workers{bridge="alpha",state="ready"} 1');
    expect(lines).toContain('bridge_calls_in_flight{bridge="alpha"} 2');
    expect(lines).toContain('bridge_queue_oldest_seconds{bridge="alpha"} 1.5');
    expect(lines).toContain('bridge_worker_ends_total{bridge="alpha",reason="crashed"} 1');
    for (const line of lines.slice(0, -1)) {
      expect(line).toMatch(/^(# (HELP|TYPE) bridge_[a-z_]+ .+|bridge_[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.]+)$/);
    }
    expect(text.endsWith('\n')).toBe(true);
  });

  test('label values are escaped', () => {
    const text = metricsText({ ...nothing, version: 'a"b\\c\nd', bridges: [fakeStats('x')] });
    expect(text).toContain('bridge_info{version="a\\"b\\\\c\\nd"} 1');
  });

  test('what the policies did is counted, and of the services those that are in use', () => {
    const stats = {
      ...fakeStats('x'),
      rateLimit: { principal: 2, tool: 1 },
      breakers: [{ tool: 'pay', state: 'open', calls: 20, failures: 11, opened: 4, retryAfterMs: 900 }] as const,
    };
    const text = metricsText({
      ...nothing,
      bridges: [stats],
      services: {
        stores: 'redis',
        redis: { state: 'away', outages: 3, timeouts: 1, refused: 40, quotas: { shared: 9, local: 8 } },
        audit: { buffered: 7, written: 90, dropped: 2, away: true },
        auth: { refused: { missing: 5, invalid: 6, limited: 0 } },
      },
    });
    for (const line of [
      'bridge_rate_limited_total{bridge="x",quota="principal"} 2',
      'bridge_breaker_state{bridge="x",tool="pay"} 2',
      'bridge_breaker_opened_total{bridge="x",tool="pay"} 4',
      'bridge_redis_up 0',
      'bridge_redis_refused_total 40',
      'bridge_rate_limit_takes_total{where="local"} 8',
      'bridge_audit_up 0',
      'bridge_audit_buffered_rows 7',
      'bridge_audit_rows_total{result="dropped"} 2',
      'bridge_auth_refused_total{reason="invalid"} 6',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(metricsText(nothing)).not.toMatch(/bridge_(redis|audit|auth)/);
  });
});
