import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { SandboxServer } from '../../core/sandbox-kit/sandbox-server.ts';
import { googleStatusAnswer, SandboxTokens } from '../google/sandbox-token.ts';
import { calendarRoutes } from './sandbox/routes.ts';
import { seedPlanner } from './sandbox/seed.ts';
import { World } from './sandbox/world.ts';

/** The stand-in of the Calendar API with an event planner's calendars; everything happens around now. */
export async function startSandbox({ port }: Pick<SandboxOptions, 'port'> = {}): Promise<Sandbox> {
  let url = '';
  const tokens = new SandboxTokens();
  const world = new World((empty) => seedPlanner(empty, url));
  const server = await SandboxServer.start(
    {
      name: 'calendar',
      routes: [...tokens.routes, ...calendarRoutes(world, () => url)],
      authorize: tokens.authorize,
      errorAnswer: googleStatusAnswer,
      reset: () => world.reset(),
      state: () => world.state(),
    },
    port,
  );
  url = server.url;
  world.reset();
  return {
    env: { ...tokens.env(url), GOOGLE_CALENDAR_API_URL: url },
    summary: `Google Calendar stand-in at ${url}, an event planner's calendars around today`,
    url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
