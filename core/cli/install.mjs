/**
 * Run before `npm start` and `npm test` by any Node >= 20: installs the packages of package-lock.json where they are
 * missing or not those, and makes sure that the Node they bring is there. Does nothing, at once, where all is in place.
 */
// biome-ignore lint/style/noRestrictedImports: this runs before there is anything else.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const WANTED = join(ROOT, 'package-lock.json');
const INSTALLED = join(ROOT, 'node_modules/.package-lock.json');
const NODE = join(ROOT, 'node_modules/.bin/node');
const NODE_AT_LEAST = [24, 12];

/** Whether node_modules is what package-lock.json says; the files are compared only where their times differ. */
function isInstalled() {
  const installed = statSync(INSTALLED, { throwIfNoEntry: false });
  if (installed === undefined) return false;
  if (installed.mtimeMs >= statSync(WANTED).mtimeMs) return true;
  try {
    const wanted = JSON.parse(readFileSync(WANTED, 'utf8')).packages;
    const present = JSON.parse(readFileSync(INSTALLED, 'utf8')).packages;
    const isPackage = (path) => path.startsWith('node_modules/');
    const fits = (path) =>
      wanted[path]?.version === present[path].version && wanted[path]?.integrity === present[path].integrity;
    const needed = (path) => isPackage(path) && !wanted[path].optional && !wanted[path].peer;
    return (
      Object.keys(present).filter(isPackage).every(fits) &&
      Object.keys(wanted)
        .filter(needed)
        .every((path) => path in present)
    );
  } catch {
    return false;
  }
}

function install() {
  console.error('fleet: installing the packages of package-lock.json (npm ci), once');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // The npm that runs this script, not another one that happens to be in PATH.
  const npm = process.env.npm_execpath;
  const own = npm !== undefined && /npm-cli\.[cm]?js$/.test(npm);
  const { status, error } = own
    ? spawnSync(process.execPath, [npm, ...args], { cwd: ROOT, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) fail(`npm ci failed${error ? ` (${error.code})` : ''}; see above, then try again with: npm ci`);
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = (/^v?(\d+)\.(\d+)/.exec(version)?.slice(1) ?? []).map(Number);
  return major > NODE_AT_LEAST[0] || (major === NODE_AT_LEAST[0] && minor >= NODE_AT_LEAST[1]);
}

/** npm puts node_modules/.bin first in PATH, so this process is that Node unless it was not there a moment ago. */
function checkNode() {
  if (!justInstalled && isNewEnough(process.version)) return;
  const version = existsSync(NODE) ? spawnSync(NODE, ['--version'], { encoding: 'utf8' }).stdout : process.version;
  if (isNewEnough(version ?? '')) return;
  fail(
    `Node ${NODE_AT_LEAST.join('.')} or newer is needed and the package "node" did not bring it: ` +
      'its install script has to run; try: npm rebuild node --ignore-scripts=false',
  );
}

function fail(message) {
  console.error(`fleet: ${message}`);
  process.exit(1);
}

const justInstalled = !isInstalled();
if (justInstalled) install();
checkNode();
