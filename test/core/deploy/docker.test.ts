import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Docker, DockerError } from '#core/deploy/docker.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'docker-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

/** A client whose `docker` is this shell script. */
function docker(script: string): Docker {
  const path = join(dir, 'docker');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  const env = { PATH: `${dir}${delimiter}${process.env.PATH}` };
  return new Docker(env, (text) => text.replaceAll('hunter2', '[redacted]'));
}

it('gives back what was printed, and hands arguments over without a shell', async () => {
  const printed = await docker('printf "%s|" "$@"').run(['ps', '$HOME', 'a b', ';id']);
  expect(printed).toBe('ps|$HOME|a b|;id|');
});

it('a failure says what was done and the last words, without secrets or arguments', async () => {
  const failing = docker('echo "first" >&2; echo "password hunter2 refused" >&2; exit 3');
  const error = await failing.run(['compose', '--file', 'x', 'up', '--detach']).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(DockerError);
  expect((error as DockerError).message).toBe('docker compose up ended with 3: password [redacted] refused');
  expect((error as DockerError).lines).toEqual(['first', 'password [redacted] refused']);
});

it('keeps the last forty lines of a talkative failure', async () => {
  const error = await docker('seq 1 500 >&2; exit 1')
    .run(['build'])
    .catch((caught: unknown) => caught);
  expect((error as DockerError).lines).toHaveLength(40);
  expect((error as DockerError).lines.at(-1)).toBe('500');
});

it('what takes too long is ended, with all that it has started', async () => {
  await expect(docker('sleep 60 & wait').run(['pull'], { timeoutMs: 200 })).rejects.toThrow(/took longer than 0.2 s/);
});

it('what is aborted is ended', async () => {
  const abort = new AbortController();
  const running = docker('echo begun >&2; sleep 60').run(['build'], {
    signal: abort.signal,
    onLine: () => abort.abort(),
  });
  await expect(running).rejects.toThrow(DockerError);
});

it('without a docker on the PATH the message says what to install', async () => {
  await expect(new Docker({ PATH: dir }, (text) => text).run(['ps'])).rejects.toThrow(/install Docker Engine/);
});
