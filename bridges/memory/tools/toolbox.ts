import type { MemoryDatabase } from '../memory-database.ts';
import type { Settings } from '../settings.ts';

/** What every tool of this server is made with. */
export interface Toolbox {
  readonly database: MemoryDatabase;
  readonly settings: Settings;
}
