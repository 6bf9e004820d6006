import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const MODULES = join(HERE, 'node_modules');

/** The folder of another people's package, exactly as locked here; all of them are installed once, without their scripts. */
export function installed(name: string): string {
  const folder = join(MODULES, name);
  if (existsSync(folder)) return folder;
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HERE, stdio: ['ignore', 2, 2] });
  if (existsSync(folder)) return folder;
  throw new Error(`${name} is not for this platform, or not in test/swappable/package-lock.json`);
}

/** The preload that leads a server with a fixed host to a stand-in. */
export const REDIRECT = join(HERE, 'redirect.mjs');
