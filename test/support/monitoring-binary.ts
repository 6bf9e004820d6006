import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** By what they are called in Debian's packages. */
export type MonitoringBinary = 'prometheus' | 'promtool' | 'prometheus-alertmanager' | 'amtool';

/**
 * Runs one to its end. Rejects with what it said where it ends with another code than 0.
 * @throws Error saying what to install where it is not there
 */
export async function runBinary(name: MonitoringBinary, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout, stderr } = await run(name, args, { cwd, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 });
    return stdout + stderr;
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 'ENOENT') throw new Error(`${name} is missing: apt-get install prometheus prometheus-alertmanager`);
    throw new Error(`${name} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
