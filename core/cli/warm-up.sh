#!/bin/sh
# Run while the image is built: lets every module be compiled once, so that a container starts with what V8 made of
# them (NODE_COMPILE_CACHE). The bridges run against their stand-ins; those that cannot get as far as their settings.
set -eu
export HOST=127.0.0.1 PORT=3000 LOG_LEVEL=error DRAIN_DELAY_MS=0
for server in /app/bridges/*/server.ts; do node "$server" </dev/null >/dev/null 2>&1 || true; done

fleet dev >/tmp/warm-up.log 2>&1 &
node --input-type=module -e "
  const origin = 'http://127.0.0.1:3000';
  const until = Date.now() + 30_000;
  let index;
  while (index === undefined) {
    index = await fetch(origin).then((answer) => answer.json()).catch(() => undefined);
    if (Date.now() > until) throw new Error('nothing answers');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // The first call starts a worker; what it answers does not matter here.
  const calls = index.bridges.filter(({ mode }) => mode !== 'not_configured').map(({ name }) => name);
  await Promise.all(calls.map((name) => fetch(origin + '/' + name + '/mcp/tools/list', { method: 'POST', body: '{}' })));
  await Promise.all(calls.map((name) => fetch(origin + '/' + name + '/mcp/tools').then((answer) => answer.arrayBuffer())));
" || { cat /tmp/warm-up.log >&2; exit 1; }
fleet health >/dev/null || true
kill -TERM $!
wait $!
