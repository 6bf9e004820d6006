/** The front's configuration, read as text: what it names must be what the code has. Whether nginx takes it is test/fleet's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '#core/http/problem.ts';
import { bridges } from '../../bridges/index.ts';

const NGINX = resolve(import.meta.dirname, '../../nginx');
const read = (file: string) => readFileSync(join(NGINX, file), 'utf8');
const files = readdirSync(NGINX).filter((file) => file.endsWith('.conf'));
const withoutComments = (text: string) => text.replace(/^\s*#.*$/gm, '');
const front = files
  .filter((file) => file !== 'egress.conf')
  .map(read)
  .map(withoutComments)
  .join('\n');

/** The pairs of a `map` by its last variable; the quotes around a value are dropped. */
function mapOf(text: string, variable: string): ReadonlyMap<string, string> {
  const block =
    new RegExp(`^\\s*map \\S+ \\$${variable} \\{\\n([\\s\\S]*?)^\\s*\\}$`, 'm').exec(withoutComments(text))?.[1] ?? '';
  const pairs = [...block.matchAll(/^\s*(\S+)\s+(.+);$/gm)];
  return new Map(pairs.map(([, key = '', value = '']) => [key, value.replace(/^(["'])(.*)\1$/, '$2')]));
}

/** What only the front says. */
const OWN = {
  replica_lost: { status: 502, title: 'The connection to the replica broke during the call' },
  no_replica: { status: 503, title: 'No replica of this bridge is up' },
};
const known: Readonly<Record<string, { readonly status: number; readonly title: string }>> = { ...PROBLEMS, ...OWN };

describe('bridges.conf', () => {
  const names = Object.keys(bridges).sort();

  it('maps every bridge to itself, and nothing else', () => {
    expect([...mapOf(read('bridges.conf'), 'bridge')].sort()).toEqual(names.map((name) => [name, name]));
  });

  it('has one upstream for each, all alike', () => {
    const upstreams = [...read('bridges.conf').matchAll(/^upstream (\S+)\s+\{ (.*) \}$/gm)];
    expect(upstreams.map(([, upstream, body]) => [upstream, body])).toEqual(
      names.map((name) => [
        `mcp-${name}`,
        `zone mcp-${name} 64k; server mcp-${name}:3000 max_fails=0 resolve; include upstream.conf;`,
      ]),
    );
  });
});

describe('problems.conf', () => {
  const codes = mapOf(read('problems.conf'), 'problem_code');

  it('gives each status a code that has this status, with its title', () => {
    const titles = mapOf(read('problems.conf'), 'problem_title');
    const details = mapOf(read('problems.conf'), 'problem_detail');
    expect(codes.size).toBeGreaterThan(10);
    for (const [status, code] of codes) {
      expect(known, code).toHaveProperty(code);
      expect([code, titles.get(code)]).toEqual([code, known[code]?.title]);
      if (status !== 'default') expect([code, known[code]?.status]).toEqual([code, Number(status)]);
      expect(details.get(code), code).toMatch(/\w/);
    }
  });

  it('has every code in PROBLEMS.md', () => {
    const listed = readFileSync(join(NGINX, '../core/http/PROBLEMS.md'), 'utf8');
    for (const code of codes.values()) expect(listed).toContain(`\`${code}\``);
  });

  it('makes one JSON body of each, with the members of every problem', () => {
    const template = /return 200 '(\{"type".*\})';/.exec(read('every-server.conf'))?.[1] ?? '';
    const values = (variable: string, key: string) => {
      const map = mapOf(read('problems.conf'), variable);
      return map.get(key) ?? map.get('default') ?? '';
    };
    for (const [status, code] of codes) {
      const retryAfter = values('problem_retry_after', code);
      const filled: Readonly<Record<string, string>> = {
        problem_code: code,
        problem_title: values('problem_title', code),
        problem_detail: values('problem_detail', code),
        problem_executed: values('problem_executed', code),
        problem_retryable: values('problem_retryable', code),
        problem_retry_after_member: mapOf(read('problems.conf'), 'problem_retry_after_member').get(retryAfter) ?? '',
        problem_bridge_member: ',"bridge":"slack"',
        problem_trace_member: `,"traceId":"${'a'.repeat(32)}"`,
        status: status === 'default' ? '500' : status,
        answered_id: 'an-id',
      };
      const text = template.replace(/\$([a-z_]+)/g, (_, name: string) => filled[name] ?? `UNKNOWN ${name}`);
      const problem = JSON.parse(text);
      expect(text).not.toContain('UNKNOWN');
      expect(Object.keys(problem)).toEqual(
        expect.arrayContaining([
          'type',
          'title',
          'status',
          'detail',
          'instance',
          'code',
          'bridge',
          'executed',
          'retryable',
          'traceId',
        ]),
      );
      expect(['no', 'maybe']).toContain(problem.executed);
      // Whoever may come back is told when; what may have run is not to be repeated blindly.
      if ([429, 503].includes(problem.status)) expect(problem.retryAfterMs).toBe(1000);
      if (problem.executed !== 'no') expect(problem.retryable).toBe(false);
    }
  });

  it('is shown for each status that it knows', () => {
    const shown = [...front.matchAll(/error_page ([\d ]+?)(?: =(\d+))? \/-\/problem;/g)].flatMap(([, from = '', to]) =>
      to === undefined ? from.split(' ') : [to],
    );
    expect(shown).toEqual(
      expect.arrayContaining([...codes.keys()].filter((status) => !['default', '502', '504'].includes(status))),
    );
  });
});

describe('the front', () => {
  it('never sends a call twice', () => {
    expect(front).not.toContain('non_idempotent');
    expect(front.match(/proxy_next_upstream .*/g)).toEqual(['proxy_next_upstream error timeout;']);
  });

  it('waits longer for an answer than any tool may take', async () => {
    const waits = Number(/FRONT_READ_TIMEOUT_S (\d+) /.exec(read('front.sh'))?.[1]) * 1000;
    for (const load of Object.values(bridges)) {
      const { name, tools } = await load();
      for (const [tool, { deadlineMs = 30_000 }] of Object.entries(tools))
        expect([name, tool, deadlineMs < waits]).toEqual([name, tool, true]);
    }
  });

  it('reads bodies as long as a bridge does', () => {
    expect(read('front.sh')).toContain('whole FRONT_MAX_BODY_BYTES 1048576 ');
    expect(readFileSync(join(NGINX, '../core/config/process-settings.ts'), 'utf8')).toMatch(
      /MAX_BODY_BYTES = \{\s+default: 1_048_576/,
    );
  });

  it('logs neither queries nor credentials', () => {
    const format = /log_format json[\s\S]*?;/.exec(front)?.[0] ?? '';
    expect(format).toContain('$logged_path');
    expect(format).not.toMatch(/\$(request|request_uri|uri|args|query_string|http_\w+|cookie_\w+)\b/);
  });

  it('has no setting that front.sh does not fill in, and fills in none that is not there', () => {
    const used = new Set([...front.matchAll(/\$\{(FRONT_\w+)\}/g)].map(([, name]) => name));
    const filled = new Set([...read('front.sh').matchAll(/s\|\\\$\{(FRONT_\w+)\}/g)].map(([, name]) => name));
    expect([...used].sort()).toEqual([...filled].sort());
  });

  it('has every variable of its scripts in the README', () => {
    const scripts = read('front.sh') + read('egress.sh');
    const variables = new Set(
      [...scripts.matchAll(/(?:whole|text|given) ((?:FRONT|EGRESS)_\w+)/g)].map(([, name]) => name),
    );
    expect(variables.size).toBeGreaterThan(8);
    for (const name of variables) expect(read('README.md')).toContain(`\`${name}\``);
  });
});

describe('egress.conf', () => {
  const allowed = [...mapOf(read('egress.conf'), 'vendor')].filter(([key]) => key !== 'default');

  it('leads each bridge of the fleet to the very name that it asked for, on 443', () => {
    expect(allowed.length).toBeGreaterThan(5);
    for (const [key, target] of allowed) {
      const [bridge = '', name = ''] = key.split(':');
      expect(Object.keys(bridges)).toContain(bridge);
      expect(target).toBe(`${name}:443`);
    }
  });

  it('leads nowhere else', () => {
    expect(withoutComments(read('egress.conf'))).toMatch(/default\s+"";/);
    expect(withoutComments(read('egress.conf')).match(/proxy_pass .*/g)).toEqual(['proxy_pass $vendor;']);
  });
});
