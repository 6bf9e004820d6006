import { describe, expect, test } from 'vitest';
import { type FleetNumbers, fleetFamilies } from '#core/telemetry/fleet-families.ts';
import { FleetMeters } from '#core/telemetry/fleet-meters.ts';
import { INSTRUMENTS, prometheusName } from '#core/telemetry/instruments.ts';
import { prometheusText } from '#core/telemetry/prometheus-text.ts';
import { NOTHING_DROPPED } from '#core/telemetry/registered.ts';
import { fakeStats } from '../http/support.ts';

const nothing: FleetNumbers = {
  version: '1.2.3',
  uptimeMs: 0,
  answers: { '2xx': 0, '4xx': 0, '5xx': 0, gone: 0 },
  bridges: [],
  services: { stores: 'memory', audit: 'off', auth: 'none' },
  meters: new FleetMeters(),
  process: { rssBytes: 1, cpuSeconds: 2, openFds: 3, eventLoopDelay: { '0.5': 0, '0.99': 0.25, '1': 0.5 } },
  logLosses: { failed: 4, dropped: 5 },
  telemetryDropped: NOTHING_DROPPED,
};

const textOf = (numbers: Partial<FleetNumbers>): string => prometheusText(fleetFamilies({ ...nothing, ...numbers }));
const linesOf = (numbers: Partial<FleetNumbers>): string[] => textOf(numbers).split('\n');

describe('the numbers of a process', () => {
  test('are Prometheus text', () => {
    const lines = linesOf({ answers: { '2xx': 1, gone: 1 }, bridges: [fakeStats('alpha')] });
    expect(lines).toContain('# TYPE bridge_http_answers_total counter');
    expect(lines).toContain('bridge_http_answers_total{status="2xx"} 1');
    expect(lines).toContain('bridge_http_answers_total{status="gone"} 1');
    expect(lines).toContain('bridge_calls_total{bridge="alpha",outcome="ok"} 9');
    expect(lines).toContain('bridge_workers{bridge="alpha",state="ready"} 1');
    expect(lines).toContain('bridge_calls_in_flight{bridge="alpha"} 2');
    expect(lines).toContain('bridge_queue_oldest_seconds{bridge="alpha"} 1.5');
    expect(lines).toContain('bridge_worker_ends_total{bridge="alpha",reason="crashed"} 1');
    expect(lines).toContain('bridge_log_lines_dropped_total{result="dropped"} 5');
    expect(lines).toContain('bridge_event_loop_delay_seconds{quantile="0.99"} 0.25');
    expect(lines.pop()).toBe('');
    for (const line of lines) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.]+)$/);
    }
  });

  test('have label values that are escaped', () => {
    expect(linesOf({ version: 'a"b\\c\nd' })).toContain('bridge_info{version="a\\"b\\\\c\\nd"} 1');
  });

  test('tell what the policies did, and of the services those that are in use', () => {
    const stats = {
      ...fakeStats('x'),
      rateLimit: { principal: 2, tool: 1 },
      breakers: [{ tool: 'pay', state: 'open', calls: 20, failures: 11, opened: 4, retryAfterMs: 900 }] as const,
    };
    const lines = linesOf({
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
      expect(lines).toContain(line);
    }
    expect(textOf({})).not.toMatch(/bridge_(redis|audit|auth)/);
  });

  test('hold what was measured, cumulated by bucket', () => {
    const meters = new FleetMeters();
    const meter = meters.of('slack');
    meter.attempted('post', 15, undefined, '2025-11-25');
    meter.attempted('post', 15_000, undefined, '2025-11-25');
    meter.attempted('post', 1, 'tool_error', '2025-11-25');
    const lines = linesOf({ meters });
    const labels =
      'bridge="slack",gen_ai_tool_name="post",mcp_method_name="tools/call",gen_ai_operation_name="execute_tool",mcp_protocol_version="2025-11-25",network_transport="pipe"';
    const name = 'mcp_client_operation_duration_seconds';
    expect(lines).toContain(`# TYPE ${name} histogram`);
    expect(lines).toContain(`${name}_bucket{${labels},le="0.01"} 0`);
    expect(lines).toContain(`${name}_bucket{${labels},le="0.02"} 1`);
    expect(lines).toContain(`${name}_bucket{${labels},le="10"} 1`);
    expect(lines).toContain(`${name}_bucket{${labels},le="30"} 2`);
    expect(lines).toContain(`${name}_bucket{${labels},le="+Inf"} 2`);
    expect(lines).toContain(`${name}_sum{${labels}} 15.015`);
    expect(lines).toContain(`${name}_count{${labels}} 2`);
    expect(lines.filter((line) => line.includes('error_type="tool_error"') && line.includes('_count'))).toHaveLength(1);
  });

  test('have every metric of the table once, where everything is in use', () => {
    const names = fleetFamilies({
      ...nothing,
      services: {
        stores: 'redis',
        redis: { state: 'ready', outages: 0, timeouts: 0, refused: 0, quotas: { shared: 0, local: 0 } },
        audit: { buffered: 0, written: 0, dropped: 0, away: false },
        auth: { refused: {} },
      },
    }).map(({ instrument }) => prometheusName(instrument));
    expect(names).toEqual(Object.values(INSTRUMENTS).map(prometheusName));
    expect(new Set(names).size).toBe(names.length);
  });
});
