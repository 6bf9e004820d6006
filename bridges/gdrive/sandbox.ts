import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { SandboxServer } from '../../core/sandbox-kit/sandbox-server.ts';
import { googleStatusAnswer, SandboxTokens } from '../google/sandbox-token.ts';
import { Refusal } from './stand-in/refusal.ts';
import { driveRoutes } from './stand-in/routes.ts';
import { seed } from './stand-in/seed.ts';
import { DriveState } from './stand-in/state.ts';

/** A stand-in of Google Drive: its token endpoint and the part of API v3 that the bridge uses, on loopback. */
export async function startSandbox({ port }: SandboxOptions): Promise<Sandbox> {
  const tokens = new SandboxTokens();
  const drive = new DriveState();
  seed(drive);
  const routes = driveRoutes(drive).map((route) => ({
    ...route,
    answer: (...args: Parameters<typeof route.answer>) => Refusal.caught(() => route.answer(...args)),
  }));
  const server = await SandboxServer.start(
    {
      name: 'gdrive',
      routes: [...tokens.routes, ...routes],
      authorize: tokens.authorize,
      errorAnswer: googleStatusAnswer,
      reset: () => {
        drive.clear();
        seed(drive);
      },
      state: () => drive.dump(),
    },
    port,
  );
  return {
    env: { ...tokens.env(server.url), GDRIVE_API_URL: server.url },
    summary: `Google Drive on ${server.url}, an event planner's folders`,
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
