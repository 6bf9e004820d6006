import { createLog } from '../../core/server-kit/log.ts';
import { openContext, PRINCIPAL_META } from '../../core/server-kit/tool-context.ts';
import { MemoryDatabase } from './memory-database.ts';
import { readSettings } from './settings.ts';
import { rememberTool } from './tools/remember.ts';

/** Whom they belong to: everybody, where nobody has to say who calls. */
const PRINCIPAL = 'anonymous';
const DAY = 86_400;

interface Seed {
  readonly key: string;
  readonly text: string;
  readonly tags: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly ttlSeconds?: number;
}

const SEEDS: readonly Seed[] = [
  {
    key: 'client/hartmann/dietary',
    text: 'The Hartmann wedding has 14 vegetarian and 3 vegan guests. The bride is allergic to hazelnuts; no marzipan at the dessert table. The menu tasting is with Olive & Thyme.',
    tags: ['client:hartmann', 'catering'],
    metadata: { source: 'call with Lena Hartmann', event: 'Hartmann Wedding' },
  },
  {
    key: 'client/hartmann/budget',
    text: 'Budget of the Hartmann wedding: 38 000 EUR all in. Flowers may not go above 3 500 EUR. Decisions about money are made by her father, Georg.',
    tags: ['client:hartmann', 'budget'],
  },
  {
    key: 'client/aurora/preferences',
    text: 'Aurora Lamps wants daylight rooms without carpets, no round tables, and a stage that can be dimmed completely. Contact is Priya Nair; she prefers mail to phone calls.',
    tags: ['client:aurora', 'venue'],
    metadata: { contact: 'Priya Nair' },
  },
  {
    key: 'venue/riverside-hall/access',
    text: 'Riverside Hall: deliveries only before 9:00 by the back gate, code from the caretaker. The lift takes 1.2 m; long tables have to go up the stairs. Music ends at 23:30.',
    tags: ['venue:riverside-hall', 'logistics'],
  },
  {
    key: 'venue/old-foundry/lesson',
    text: 'Lesson from the spring fair at the Old Foundry: two power circuits tripped when the caterer and the stage ran together. Order a generator above 20 kW.',
    tags: ['venue:old-foundry', 'lesson'],
  },
  {
    key: 'vendor/olive-and-thyme',
    text: 'Olive & Thyme is the caterer of choice for vegetarian menus; 10 percent off from 80 guests on. They need the final number of guests seven days before.',
    tags: ['vendor', 'catering'],
  },
  {
    key: 'vendor/bloomwerk',
    text: 'Bloomwerk delivers flowers late on Saturdays. Ask for Friday evening and a cold room.',
    tags: ['vendor', 'flowers'],
  },
  {
    key: 'team/style',
    text: 'Invitations are written in a warm, short tone, first names, no exclamation marks. Times always with the time zone when guests travel.',
    tags: ['style'],
  },
  {
    key: 'hold/riverside-hall',
    text: 'Riverside Hall holds the first Saturday of next month for the cooperative forum until this runs out; then it goes to the next on their list.',
    tags: ['venue:riverside-hall', 'hold'],
    ttlSeconds: 14 * DAY,
  },
];

/** Remembers what an event planner might have, by the server's own tool. */
export async function seedMemories(databaseUrl: string): Promise<void> {
  const log = createLog({ server: 'memory' }, () => undefined);
  const settings = readSettings({ MEMORY_DATABASE_URL: databaseUrl });
  const database = new MemoryDatabase(settings, log);
  const remember = rememberTool({ database, settings });
  const never = new AbortController().signal;
  try {
    for (const seed of SEEDS) {
      using open = openContext({
        effect: 'write',
        meta: { [PRINCIPAL_META]: PRINCIPAL },
        cancelled: never,
        ending: never,
        log,
      });
      await remember.call(seed, open.context);
    }
  } finally {
    await database.close();
  }
}
