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

function tokenOf(request: SandboxRequest): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
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
    return ok(method.answer(workspace, request.form()));
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
      routes: [
        {
          method: 'POST',
          path: '/api/:method',
          answer: (request, { method = '' }) => answer(workspace, request, method),
        },
      ],
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
