import { connect } from 'node:net';
import { Environment } from '#core/config/environment.ts';
import { listenSettings } from '#core/config/listen-settings.ts';
import { Problems, problemLine } from '#core/config/problems.ts';

/** A process that takes longer to say how it is, is not well. */
const maxWaitMs = 2000;
const maxAnswerBytes = 64 * 1024;

/** How a process is, and why, in one line. */
export interface Health {
  readonly healthy: boolean;
  readonly reason: string;
}

interface OpsAddress {
  readonly host: string;
  readonly port: number;
  /** What to call the host: it refuses a name that it was not told of. */
  readonly name: string;
  readonly waitMs?: number;
}

/**
 * Asks the ops port of a process on this machine for `/readyz`: a process without life does not answer it.
 *
 * Healthy means "leave it alone": it can serve a call, or it is draining, since whoever ends unhealthy containers would
 * cut off the calls that a draining one still answers (routing goes by `/readyz` itself, which says 503 by then).
 * Unhealthy is what a roll-out has to stop at: no answer within 2 s, no configured bridge, no worker to be had.
 * The main port is not asked: a crowd in front of it is load, and no reason to be replaced.
 *
 * Spoken by hand over a socket, because an HTTP client doubles what this costs, every few seconds in each container.
 */
export function askHealth({ host, port, name, waitMs = maxWaitMs }: OpsAddress): Promise<Health> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let answer = '';
    const end = (health: Health): void => {
      clearTimeout(alarm);
      socket.destroy();
      resolve(health);
    };
    const unhealthy = (reason: string): void => end({ healthy: false, reason: `${host}:${port} ${reason}` });
    const alarm = setTimeout(() => unhealthy(`gave no answer within ${waitMs} ms`), waitMs);
    socket.setEncoding('utf8');
    socket.on('error', (error) => unhealthy(`cannot be asked (${'code' in error ? error.code : error.message})`));
    socket.on('data', (text: string) => {
      answer += text;
      if (answer.length > maxAnswerBytes) unhealthy(`answered with more than ${maxAnswerBytes} bytes`);
    });
    socket.on('end', () => {
      const health = healthIn(answer);
      if (health === undefined) unhealthy('is no ops port: its answer is not that of /readyz');
      else end(health);
    });
    socket.write(`GET /readyz HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
  });
}

/** What an answer of `/readyz` says; undefined where it is none. */
function healthIn(answer: string): Health | undefined {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  const said = readinessIn(answer.slice(answer.indexOf('\r\n\r\n')));
  if (said === undefined) return undefined;
  const { status: state, bridges } = said;
  const healthy = status === '200' || state === 'draining';
  const unready = Object.entries(bridges).filter(([, { ready }]) => !ready);
  const why = unready.map(([bridge, { state: worker }]) => `${bridge} ${worker}`).join(', ');
  return { healthy, reason: why === '' ? state : `${state}: ${why}` };
}

interface Readiness {
  readonly status: string;
  readonly bridges: Readonly<Record<string, { readonly ready: boolean; readonly state: string }>>;
}

function readinessIn(text: string): Readiness | undefined {
  const start = text.indexOf('{');
  if (start === -1) return undefined;
  try {
    const said = JSON.parse(text.slice(start, text.lastIndexOf('}') + 1)) as Partial<Readiness>;
    return typeof said.status === 'string' && said.bridges !== undefined ? (said as Readiness) : undefined;
  } catch {
    return undefined;
  }
}

/** `fleet health`: for container engines; reads HOST and OPS_PORT as `serve` does. Prints one line, returns 0 or 1. */
export async function health(environment = Environment.ofProcess()): Promise<number> {
  const problems = new Problems();
  const { host, opsPort } = listenSettings(environment, {}, problems);
  const [problem] = problems.list;
  const { healthy, reason } =
    problem === undefined
      ? await askHealth({ host: reachable(host), port: opsPort, name: nameOf(environment) })
      : { healthy: false, reason: problemLine(problem) };
  process.stdout.write(`${healthy ? 'healthy' : 'unhealthy'}: ${reason}\n`);
  return healthy ? 0 : 1;
}

/** Where to reach a process of this machine that listens there. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** A name that the process answers to. */
function nameOf(environment: Environment): string {
  return environment.get('ALLOWED_HOSTS')?.split(',')[0]?.trim() || 'localhost';
}

// The image runs this file by itself: neither the command line's parser nor telemetry is loaded for it.
if (import.meta.main) process.exitCode = await health();
