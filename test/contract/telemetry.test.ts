/** What a trace and the numbers tell, by a collector of the tests' own: real processes, real OTLP. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { OtlpSink } from '../support/otlp-sink.ts';
import { CallersTrace, exportTo, REGISTER, watchedFake } from '../support/telemetry.ts';
import { until } from '../support/until.ts';

const TEXT = { text: 'x' };
const ONE_WORKER = { pool: { min: 1, max: 1 } };
const READ = { tools: { '*': { effect: 'read' } } };

describe('a trace', () => {
  it('is one tree from the caller through the bridge into the child, with the promised names', async () => {
    await using sink = await OtlpSink.start();
    using ledger = new Ledger();
    await using fleet = await watchedFake(sink, { FAKE_LEDGER: ledger.path }, READ);
    const trace = new CallersTrace();
    const answer = await fleet.call(
      'meta',
      { tag: 'traced' },
      { headers: { ...trace.headers, tracestate: 'vendor=1' } },
    );
    const { server, clients, waits } = await trace.spans(sink);
    const [client] = clients;

    expect(server).toMatchObject({
      name: 'POST /fake/mcp/tools/:tool',
      kind: 'SERVER',
      parentSpanId: trace.parentId,
      traceState: 'vendor=1',
      status: { code: 'UNSET' },
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/fake/mcp/tools/:tool',
        'http.response.status_code': 200,
        'bridge.server': 'fake',
        'bridge.request.id': answer.headers['x-request-id'],
        'bridge.source': 'child',
        'bridge.executed': 'yes',
        'bridge.effect': 'read',
        'gen_ai.tool.name': 'meta',
      },
      resource: { 'service.name': 'mcp-bridge-fleet', 'service.version': '0.1.0' },
    });
    expect(server.resource['service.instance.id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(clients).toHaveLength(1);
    expect(client).toMatchObject({
      name: 'tools/call meta',
      kind: 'CLIENT',
      parentSpanId: server.spanId,
      status: { code: 'UNSET' },
      attributes: {
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'meta',
        'gen_ai.operation.name': 'execute_tool',
        'network.transport': 'pipe',
        'mcp.protocol.version': '2025-11-25',
        'bridge.server': 'fake',
        'bridge.attempt': 1,
        'bridge.child.pid': ledger.starts()[0],
        'jsonrpc.request.id': String(ledger.entries('executed')[0]?.id),
      },
    });
    expect(client?.attributes['bridge.pool.wait_ms']).toBeGreaterThanOrEqual(0);
    const { meta } = JSON.parse(answer.json.content[0].text);
    expect(meta.traceparent).toBe(`00-${trace.traceId}-${client?.spanId}-01`);
    expect(meta.tracestate).toBe('vendor=1');
    const acquired = server.events.map(({ name }) => name).concat(waits.map(({ name }) => name));
    expect(acquired).toContain('mcp.pool.acquire');
    const line = await until('the access line', () => fleet.log.find(({ msg }) => msg === 'call'));
    expect(line).toMatchObject({
      traceId: trace.traceId,
      requestId: answer.headers['x-request-id'],
      bridge: 'fake',
      tool: 'meta',
      principal: 'anonymous',
      status: 200,
      executed: 'yes',
      attempts: 1,
      source: 'child',
    });
  });

  it('that its caller does not sample is handed on and not recorded; a malformed one is not continued', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink);
    const unsampled = new CallersTrace('00');
    const metaOf = async (traceparent: string) =>
      JSON.parse((await fleet.call('meta', {}, { headers: { traceparent } })).json.content[0].text).meta;
    const handed = (await metaOf(unsampled.header)).traceparent;
    expect(handed).toMatch(new RegExp(`^00-${unsampled.traceId}-[0-9a-f]{16}-00$`));
    expect(handed).not.toContain(unsampled.parentId);
    const fresh = (await metaOf(`00-${'0'.repeat(32)}-${unsampled.parentId}-01`)).traceparent;
    expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(fresh).not.toContain('0'.repeat(32));
    await until('the other trace', () => sink.trace(fresh.slice(3, 35)).some(({ kind }) => kind === 'SERVER'));
    expect(sink.trace(unsampled.traceId)).toEqual([]);
  });

  it('of which nothing is sampled still has a context, and the sampler is the standard one', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(
      sink,
      {},
      {},
      {
        env: {
          OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
          OTEL_TRACES_SAMPLER_ARG: '0',
          OTEL_SERVICE_NAME: 'named',
        },
      },
    );
    const { meta } = JSON.parse((await fleet.call('meta')).json.content[0].text);
    expect(meta.traceparent).toMatch(/-00$/);
    const sampled = new CallersTrace();
    await fleet.call('echo', TEXT, { headers: sampled.headers });
    const { server } = await sampled.spans(sink);
    expect(server.resource['service.name']).toBe('named');
    expect(sink.trace(meta.traceparent.slice(3, 35))).toEqual([]);
  });

  it('shows how a call failed', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink);
    const traced = async (tool: string, args: object = {}, headers: Readonly<Record<string, string>> = {}) => {
      const trace = new CallersTrace();
      await fleet.call(tool, { ...args }, { headers: { ...trace.headers, ...headers } });
      return trace.spans(sink);
    };
    const refused = await traced('rpc-error', { code: -32050, message: 'canary-of-the-child' });
    expect(refused.clients[0]).toMatchObject({
      status: { code: 'ERROR', message: '' },
      attributes: { 'error.type': '-32050', 'rpc.response.status_code': '-32050', 'bridge.code': 'child_error' },
    });
    expect(refused.server).toMatchObject({
      status: { code: 'ERROR' },
      attributes: { 'error.type': 'child_error', 'http.response.status_code': 502 },
    });
    const failed = await traced('tool-error', { text: 'no' });
    expect(failed.clients[0]).toMatchObject({ status: { code: 'ERROR' }, attributes: { 'error.type': 'tool_error' } });
    expect(failed.server).toMatchObject({
      status: { code: 'UNSET' },
      attributes: { 'error.type': 'tool_error', 'http.response.status_code': 200 },
    });
    const late = await traced('hang', {}, { 'x-request-timeout-ms': '100' });
    expect(late.clients[0]).toMatchObject({
      status: { code: 'ERROR' },
      attributes: { 'error.type': 'timeout', 'bridge.code': 'deadline_exceeded', 'bridge.executed': 'maybe' },
    });
    expect(late.server.attributes).toMatchObject({ 'error.type': 'timeout', 'http.response.status_code': 504 });
    const crashed = await traced('crash', { code: 1 });
    expect(crashed.clients[0]).toMatchObject({ status: { code: 'ERROR' }, attributes: { 'error.type': 'child_exit' } });
    expect(crashed.server.attributes).toMatchObject({ 'error.type': 'child_exit', 'bridge.executed': 'maybe' });
    expect(Buffer.concat(sink.received).includes('canary-of-the-child')).toBe(false);
  });

  it('of a call that was retried has an attempt each, in one tree', async () => {
    await using sink = await OtlpSink.start();
    using ledger = new Ledger();
    await using fleet = await watchedFake(sink, { FAKE_LEDGER: ledger.path }, { ...READ, pool: { min: 2, max: 2 } });
    const trace = new CallersTrace();
    const answer = await fleet.call('flaky', { times: 1, how: 'crash', tag: 'retried' }, { headers: trace.headers });
    const { server, clients } = await trace.spans(sink);
    expect(clients.length).toBe(Number(server.attributes['bridge.attempts']));
    expect(clients[0]).toMatchObject({ attributes: { 'bridge.attempt': 1, 'error.type': 'child_exit' } });
    expect(clients[1]).toMatchObject({ attributes: { 'bridge.attempt': 2, 'bridge.retry.class': 'r1' } });
    expect(clients.map(({ parentSpanId }) => parentSpanId)).toEqual(clients.map(() => server.spanId));
    expect(new Set(clients.map(({ attributes }) => attributes['bridge.child.pid'])).size).toBe(clients.length);
    expect(server.attributes).toMatchObject({ 'bridge.retry.class': 'r1', 'http.response.status_code': answer.status });
  });

  it('of a call that no child saw says where its answer comes from', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(
      sink,
      {},
      {
        tools: { echo: { effect: 'read', cacheTtlMs: 60_000 }, sleep: { effect: 'write' } },
      },
    );
    const first = new CallersTrace();
    const again = new CallersTrace();
    const args = { text: 'same' };
    await fleet.call('echo', args, { headers: first.headers });
    await fleet.call('echo', args, { headers: again.headers });
    expect((await first.spans(sink)).clients).toHaveLength(1);
    const cached = await again.spans(sink);
    expect([...cached.clients, ...cached.waits]).toEqual([]);
    expect(cached.server.attributes).toMatchObject({
      'bridge.source': 'cache',
      'bridge.executed': 'no',
      'bridge.attempts': 0,
    });

    const ran = new CallersTrace();
    const replayed = new CallersTrace();
    const key = { 'idempotency-key': 'k-1' };
    const original = await fleet.call('sleep', { ms: 1 }, { headers: { ...ran.headers, ...key } });
    await fleet.call('sleep', { ms: 1 }, { headers: { ...replayed.headers, ...key } });
    const told = await replayed.spans(sink);
    expect([...told.clients, ...told.waits]).toEqual([]);
    expect(told.server.attributes).toMatchObject({
      'bridge.source': 'record',
      'bridge.first_request.id': original.headers['x-request-id'],
      'bridge.first_request.trace_id': ran.traceId,
    });
  });

  it('of a call that was shed says why, as a wait that led nowhere', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink, {}, { pool: { min: 1, max: 1, concurrency: 1, queueMax: 1 } });
    const holder = fleet.call('sleep', { ms: 3_000 });
    await until('the worker is taken', async () => (await fleet.status()).pool.workers[0]?.inFlight === 1);
    const waiting = new CallersTrace();
    const waiter = fleet.call('echo', TEXT, { headers: { ...waiting.headers, 'x-request-timeout-ms': '1000' } });
    await until('one waits', async () => (await fleet.status()).pool.waiting === 1);
    const shed = new CallersTrace();
    expect((await fleet.call('echo', TEXT, { headers: shed.headers })).json.code).toBe('queue_full');
    const refused = await shed.spans(sink);
    expect(refused.server).toMatchObject({
      status: { code: 'ERROR' },
      attributes: { 'error.type': 'overloaded', 'bridge.code': 'queue_full', 'bridge.executed': 'no' },
    });
    expect(refused.clients).toEqual([]);
    expect(refused.waits).toMatchObject([
      {
        name: 'mcp.pool.acquire',
        kind: 'INTERNAL',
        status: { code: 'ERROR' },
        attributes: { 'error.type': 'overloaded' },
      },
    ]);
    expect((await waiter).json.code).toBe('queue_timeout');
    const [wait] = (await waiting.spans(sink)).waits;
    expect(wait).toMatchObject({ name: 'mcp.pool.acquire', attributes: { 'bridge.code': 'queue_timeout' } });
    expect(wait?.durationMs).toBeGreaterThan(50);
    await holder;
    const text = (await fleet.ops('/metrics')).text;
    expect(text).toContain('bridge_calls_shed_total{bridge="fake",reason="queue_full"} 1');
    expect(text).toContain('bridge_calls_shed_total{bridge="fake",reason="queue_timeout"} 1');
  });

  it('of a call that was cancelled or met an open circuit says so', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink, {}, { ...ONE_WORKER, breaker: { minCalls: 2, openMs: 60_000 } });
    const left = new CallersTrace();
    const abort = new AbortController();
    const call = fleet.call('hang', {}, { headers: left.headers, signal: abort.signal });
    await until('it runs', async () => (await fleet.status()).pool.workers[0]?.inFlight === 1);
    abort.abort();
    await expect(call).rejects.toThrow();
    const cancelled = await left.spans(sink);
    expect(cancelled.server.attributes).toMatchObject({ 'error.type': 'cancelled' });
    expect(cancelled.clients[0]).toMatchObject({
      attributes: { 'error.type': 'cancelled' },
      status: { code: 'ERROR' },
    });
    for (let i = 0; i < 2; i++) await fleet.call('bad', { shape: 'both' });
    const open = new CallersTrace();
    expect((await fleet.call('bad', { shape: 'both' }, { headers: open.headers })).json.code).toBe('circuit_open');
    const refused = await open.spans(sink);
    expect(refused.clients).toEqual([]);
    expect(refused.server.attributes).toMatchObject({ 'error.type': 'circuit_open', 'bridge.attempts': 0 });
  });

  it('holds no argument, no result, no credential and no secret; of baggage what is listed goes down', async () => {
    await using sink = await OtlpSink.start();
    const secret = 'canary-secret-in-the-environment';
    await using fleet = await watchedFake(
      sink,
      { SOME_TOKEN: secret },
      {},
      {
        env: { TELEMETRY_BAGGAGE_KEYS: 'tenant' },
      },
    );
    const trace = new CallersTrace();
    const answer = await fleet.call(
      'received',
      { text: 'canary-argument' },
      {
        headers: {
          ...trace.headers,
          authorization: 'Bearer canary-credential',
          baggage: 'tenant=a;p=1, other=canary-baggage',
        },
      },
    );
    await fleet.call('canary-tool', {}, { headers: trace.headers });
    expect(JSON.parse(answer.json.content[0].text).params._meta.baggage).toBe('tenant=a;p=1');
    await trace.spans(sink);
    await until('numbers were exported', () => sink.metrics.length > 0);
    const received = Buffer.concat(sink.received).toString('latin1');
    expect(received).toContain('/fake/mcp/tools/:tool');
    for (const canary of [secret, 'canary-argument', 'canary-credential', 'canary-baggage', 'canary-tool']) {
      expect(received.includes(canary), canary).toBe(false);
    }
  });
});

describe('the numbers', () => {
  it('are the same over OTLP and on the ops port', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink);
    for (let i = 0; i < 5; i++) await fleet.call('echo', { text: String(i) });
    await fleet.call('tool-error');
    await fleet.call('nothing-like-it');
    const text = (await fleet.ops('/metrics')).text;
    const exported = sink.requests;
    await until('a later export', () => sink.requests > exported + 3);
    const shown = new Map(
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#') && !/_bucket|_sum/.test(line))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
    const sent = new Map<string, number>();
    for (const { name, unit, kind, points } of sink.metrics) {
      const suffix = { s: '_seconds', By: '_bytes' }[unit] ?? '';
      const ending = { sum: '_total', gauge: '', histogram: '_count' }[kind];
      for (const { attributes, value } of points) {
        const labels = Object.entries(attributes).map(([key, label]) => `${key.replaceAll('.', '_')}="${label}"`);
        const series = `${name.replaceAll('.', '_')}${suffix}${ending}`;
        sent.set(labels.length === 0 ? series : `${series}{${labels.join(',')}}`, value);
      }
    }
    expect([...sent.keys()].sort()).toEqual([...shown.keys()].sort());
    const moving = /uptime|cpu|rss|delay|fds/;
    for (const [series, value] of shown)
      if (!moving.test(series)) expect([series, sent.get(series)]).toEqual([series, value]);
    expect(shown.get('bridge_calls_total{bridge="fake",outcome="ok"}')).toBe(5);
    const duration = sink.metrics.find(({ name }) => name === 'mcp.client.operation.duration');
    expect(duration?.points.map(({ value }) => value).sort()).toEqual([1, 5]);
    expect(duration?.points[0]?.bounds).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]);
  });

  it('do not grow with 10 000 names that callers make up (I9)', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(
      sink,
      {},
      {},
      { env: { ACCESS_LOG: 'off', OTEL_TRACES_SAMPLER: 'always_off' } },
    );
    await fleet.call('echo', TEXT);
    const seriesNow = async () =>
      (await fleet.ops('/metrics')).text.split('\n').filter((line) => !line.startsWith('#')).length;
    await fleet.call('made-up');
    const before = await seriesNow();
    let next = 0;
    const caller = async () => {
      while (next < 10_000) expect((await fleet.call(`made-up-${next++}`)).status).toBe(404);
    };
    await Promise.all(Array.from({ length: 32 }, caller));
    expect(await seriesNow()).toBe(before);
    expect((await fleet.ops('/metrics')).text).not.toContain('made-up');
    expect(fleet.log.some(({ msg }) => msg === 'call')).toBe(false);
  });
});

describe('a collector', () => {
  it('may speak JSON', async () => {
    await using sink = await OtlpSink.start();
    await using fleet = await watchedFake(sink, {}, {}, { env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' } });
    const trace = new CallersTrace();
    await fleet.call('echo', TEXT, { headers: trace.headers });
    const { server, clients } = await trace.spans(sink);
    expect(clients[0]?.parentSpanId).toBe(server.spanId);
    await until('numbers came', () => sink.metrics.length > 0);
    expect([...sink.contentTypes]).toEqual(['application/json']);
  });

  it('may speak gRPC', async () => {
    await using sink = await OtlpSink.startGrpc();
    await using fleet = await watchedFake(sink, {}, {}, { env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' } });
    const trace = new CallersTrace();
    await fleet.call('echo', TEXT, { headers: trace.headers });
    const { server, clients } = await trace.spans(sink);
    expect(clients[0]?.parentSpanId).toBe(server.spanId);
    await until('numbers came', () => sink.metrics.length > 0);
    expect([...sink.contentTypes]).toEqual(['application/grpc']);
  });

  it.each([
    ['hangs', 'hangs'],
    ['refuses', 'refuses'],
    ['is slow', { lateMs: 60_000 }],
    ['is gone', 'gone'],
    ['is gone and was to speak gRPC', 'gone'],
  ] as const)('that %s costs no answer, and no exit (D6)', async (how, mood) => {
    const sink = await OtlpSink.start();
    if (mood === 'gone') await sink[Symbol.asyncDispose]();
    else sink.mood = mood;
    const env = {
      OTEL_BSP_MAX_QUEUE_SIZE: '16',
      ...(how.includes('gRPC') && { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }),
    };
    const url = mood === 'gone' ? 'http://127.0.0.1:1' : sink.url;
    await using fleet = await Fleet.fake({}, {}, { nodeOptions: REGISTER, env: { ...exportTo(url), ...env } });
    const headers = () => new CallersTrace().headers;
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => fleet.call('echo', TEXT, { headers: headers() })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await until('what was lost is counted', async () => {
      const text = (await fleet.ops('/metrics')).text;
      const lost = [...text.matchAll(/bridge_telemetry_dropped_total\{signal="traces",reason="\w+"\} (\d+)/g)];
      return lost.reduce((sum, [, count]) => sum + Number(count), 0) > 100;
    });
    const sinceMs = performance.now();
    expect(await fleet.stop()).toEqual({ code: 0, signal: null });
    // The exporter by itself would wait 10 s for an answer, and repeat.
    expect(performance.now() - sinceMs).toBeLessThan(6_000);
    if (mood !== 'gone') await sink[Symbol.asyncDispose]();
  });
});

describe('where no export is asked for', () => {
  const WITNESS = `data:text/javascript,${encodeURIComponent(
    'import{registerHooks}from"node:module";registerHooks({resolve(s,c,n){if(s.includes("opentelemetry"))console.error("LOADED",s);return n(s,c)}})',
  )}`;
  const loadedWith = (env: Readonly<Record<string, string>>): string =>
    spawnSync(process.execPath, ['--import', WITNESS, ...REGISTER, '-e', '0'], {
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
    }).stderr;

  it('nothing of OpenTelemetry is loaded', () => {
    expect(loadedWith({})).toBe('');
    expect(loadedWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' })).toBe('');
    expect(loadedWith({ OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' })).toBe('');
    expect(loadedWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).toContain('LOADED');
    expect(loadedWith({ OTEL_TRACES_EXPORTER: 'zipkin' })).toMatch(/^telemetry: OTEL_TRACES_EXPORTER: must be otlp/);
  });

  it("the caller's trace goes down as it came", async () => {
    await using fleet = await Fleet.fake({}, {}, { nodeOptions: REGISTER });
    const trace = new CallersTrace();
    const answer = await fleet.call('meta', {}, { headers: trace.headers });
    expect(JSON.parse(answer.json.content[0].text).meta.traceparent).toBe(trace.header);
  });
});

describe('the log', () => {
  it('is turned to debug and back by SIGUSR2, and says on /status where it stands', async () => {
    await using fleet = await Fleet.fake();
    const level = async () => (await fleet.ops('/status')).json.log.level;
    expect(await level()).toBe('info');
    for (const next of ['debug', 'info']) {
      fleet.process.kill('SIGUSR2');
      await until(`the level is ${next}`, async () => (await level()) === next);
    }
    expect((await fleet.call('echo', TEXT)).status).toBe(200);
  });

  it('that nobody reads any more is counted, and the service goes on (D10)', async () => {
    await using fleet = await Fleet.fake();
    fleet.process.stdout?.destroy();
    await until('lines are lost', async () => {
      expect((await fleet.call('echo', TEXT)).status).toBe(200);
      const text = (await fleet.ops('/metrics')).text;
      return Number(/bridge_log_lines_dropped_total\{result="failed"\} (\d+)/.exec(text)?.[1]) > 0;
    });
    expect((await fleet.call('echo', TEXT)).status).toBe(200);
  });

  it('has a line for each call, refused ones too', async () => {
    await using fleet = await Fleet.fake();
    await fleet.call('tool-error');
    await fleet.call('nothing-like-it');
    await fleet.call('hang', {}, { headers: { 'x-request-timeout-ms': '50', 'x-request-id': 'late-1' } });
    const lines = await until('three lines', () => {
      const found = fleet.log.filter(({ msg }) => msg === 'call');
      return found.length === 3 ? found : undefined;
    });
    expect(lines).toMatchObject([
      { tool: 'tool-error', status: 200, code: 'tool_error', executed: 'yes', attempts: 1 },
      { tool: 'nothing-like-it', status: 404, code: 'unknown_tool', executed: 'no' },
      { tool: 'hang', requestId: 'late-1', status: 504, code: 'deadline_exceeded', executed: 'maybe', attempts: 1 },
    ]);
    const problem = fleet.log.find(({ msg }) => msg === 'a call was answered with a problem');
    expect(problem).toMatchObject({ requestId: 'late-1', code: 'deadline_exceeded' });
  });
});
