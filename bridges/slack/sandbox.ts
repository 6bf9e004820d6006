import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import type { SandboxAnswer, SandboxRequest } from '../../core/sandbox-kit/sandbox-request.ts';
import { SandboxServer } from '../../core/sandbox-kit/sandbox-server.ts';
import { methods } from './sandbox/methods.ts';
import { SlackRefusal } from './sandbox/slack-refusal.ts';
import { Workspace } from './sandbox/workspace.ts';

/** May do everything the bridge needs. */
const TOKEN = 'xoxb-sandbox-planbot-0001';
/** Of an app that was given the scope to write and no other. */
const WRITE_ONLY_TOKEN = 'xoxb-sandbox-writeonly-0002';

const SCOPES: Readonly<Record<string, ReadonlySet<string>>> = {
  [TOKEN]: new Set(Object.values(methods).flatMap(({ scopes }) => scopes)),
  [WRITE_ONLY_TOKEN]: new Set(['chat:write']),
};

function ok(body: object): SandboxAnswer {
  return { status: 200, body: { ok: true, ...body } };
}

function no(error: string, more: object = {}): SandboxAnswer {
  return { status: 200, body: { ok: false, error, ...more } };
}

/** Slack takes a method's arguments from the query, a form or a JSON body. */
function argumentsOf(request: SandboxRequest): URLSearchParams {
  const isJson = request.headers['content-type']?.startsWith('application/json') === true;
  const body = isJson ? Object.entries(request.json() as object).map(asText) : [...request.form()];
  return new URLSearchParams([...request.query, ...body]);
}

function asText([name, value]: readonly [string, unknown]): [string, string] {
  return [name, typeof value === 'string' ? value : JSON.stringify(value)];
}

/** From the header, or as other SDKs send it, from the form. */
function tokenOf(request: SandboxRequest): string | undefined {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  return bearer ?? (request.method === 'POST' ? (argumentsOf(request).get('token') ?? undefined) : undefined);
}

function answer(workspace: Workspace, request: SandboxRequest, name: string): SandboxAnswer {
  const method = methods[name];
  if (method === undefined) return no('unknown_method', { req_method: name });
  const held = SCOPES[tokenOf(request) ?? ''] ?? new Set();
  if (method.scopes.length > 0 && !method.scopes.some((scope) => held.has(scope))) {
    return no('missing_scope', { needed: method.scopes[0], provided: [...held].join(',') });
  }
  workspace.deliverDue();
  try {
    return ok(method.answer(workspace, argumentsOf(request)));
  } catch (error) {
    if (error instanceof SlackRefusal) return no(error.code);
    throw error;
  }
}

function errorAnswer(status: number): SandboxAnswer {
  if (status === 404) return no('unknown_method');
  if (status === 429) return { status, body: { ok: false, error: 'ratelimited' } };
  return { status, body: { ok: false, error: status === 503 ? 'service_unavailable' : 'internal_error' } };
}

/** A stand-in of Slack: one workspace of an agency that plans events, in memory, spoken to by Slack's own SDK. */
export async function startSandbox({ port }: SandboxOptions): Promise<Sandbox> {
  const workspace = new Workspace();
  const server = await SandboxServer.start(
    {
      name: 'slack',
      routes: ['GET', 'POST'].map((method) => ({
        method,
        path: '/api/:name',
        answer: (request, { name = '' }) => answer(workspace, request, name),
      })),
      authorize: (request) => {
        const token = tokenOf(request);
        if (token === undefined) return no('not_authed');
        return SCOPES[token] === undefined ? no('invalid_auth') : undefined;
      },
      errorAnswer,
      reset: () => workspace.reset(),
      state: () => {
        workspace.deliverDue();
        const { users, channels, scheduled } = workspace;
        return { users, channels, scheduled };
      },
    },
    port,
  );
  return {
    env: { SLACK_BOT_TOKEN: TOKEN, SLACK_API_URL: `${server.url}/api/` },
    summary: `a Slack workspace on ${server.url}, an agency that plans events`,
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
