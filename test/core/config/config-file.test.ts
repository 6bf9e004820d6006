// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files have placeholders.
import { expect, it } from 'vitest';
import { configFileJsonSchema } from '#core/config/file-schema.ts';
import { toolPolicy } from '../../support/calls.ts';
import { examine, examineFile, Folder } from './request.ts';

const echo = { command: 'node', args: ['server.mjs'] };

it('a server with nothing but a command gets the defaults of the contract', async () => {
  const { config, problems } = await examineFile({ mcpServers: { echo } });
  expect(problems).toEqual([]);
  expect(config.bridges).toMatchObject([
    {
      name: 'echo',
      mode: 'live',
      command: 'node',
      args: ['server.mjs'],
      env: {},
      era: 'auto',
      validateOutput: false,
      principalMeta: false,
      pool: {
        min: 1,
        max: 4,
        concurrency: 16,
        queueMax: 256,
        idleMs: 300_000,
        maxAgeMs: 3_600_000,
        maxUses: 100_000,
        maxRssMb: 512,
        startDeadlineMs: 15_000,
        maxLineBytes: 8_388_608,
        maxShareOfTool: 0.75,
      },
      otherTools: toolPolicy({ effect: 'write' }),
    },
  ]);
});

it('the example of the documentation is taken', async () => {
  const { config, problems, warnings } = await examineFile(
    {
      mcpServers: {
        echo: {
          ...echo,
          env: { TOKEN: '${ECHO_TOKEN}' },
          cwd: '.',
          pool: { min: 1, max: 4, maxShareOfTool: 0.75 },
          era: 'auto',
          validateOutput: false,
          tools: {
            echo: { effect: 'read', deadlineMs: 5000, cacheTtlMs: 0 },
            pay: { effect: 'write', idempotencyKey: 'required' },
            '*': { effect: 'write' },
          },
          pinFile: 'pins/echo.json',
          breaker: { errorPercent: 50, minCalls: 20, windowMs: 10000, openMs: 10000, probes: 3 },
        },
      },
    },
    { ECHO_TOKEN: 'canary-1234' },
  );
  expect(problems).toEqual([]);
  expect(warnings).toEqual([]);
  expect(config.bridges[0]).toMatchObject({
    pinFile: expect.stringMatching(/pins\/echo\.json$/),
    breaker: { errorPercent: 50, minCalls: 20, windowMs: 10_000, openMs: 10_000, probes: 3 },
  });
});

it('every mistake is told at once, each with its key and what is expected there', async () => {
  const { problems } = await examineFile({
    mcpServers: {
      echo: {
        ...echo,
        pool: { min: -1, max: '4', maxx: 3, maxShareOfTool: 0 },
        era: 'old',
        tols: {},
        validateOutput: 1,
        principalMeta: 'yes',
        args: 'server.mjs',
        env: { 'A B': 'x' },
        tools: { pay: { effect: 'maybe', deadline: 1 }, 'a b': {} },
      },
      mcp: echo,
      Echo: echo,
      none: 1,
      bare: {},
    },
  });
  expect(problems.map((line) => line.replace('fleet.config.json mcpServers.', '')).sort()).toEqual(
    [
      'echo.pool.min: must be a whole number from 0 to 256',
      'echo.pool.max: must be a whole number from 1 to 256',
      'echo.pool.maxx: is not known; did you mean max?; remove it',
      'echo.pool.maxShareOfTool: must be a number above 0 and up to 1',
      'echo.era: must be "auto" or "legacy" or "modern"',
      'echo.tols: is not known; did you mean tools?; remove it',
      'echo.validateOutput: must be true or false',
      'echo.principalMeta: must be true or false',
      'echo.args: must be a list',
      'echo.env.A B: is not a variable name',
      'echo.tools.pay.effect: must be "read" or "idempotent" or "write"',
      'echo.tools.pay.deadline: is not known; did you mean deadlineMs?; remove it',
      'echo.tools.a b: is not the name of a tool',
      'mcp: this name is taken by an address of the service; choose another',
      'Echo: a bridge is named with 1 to 63 of a-z, 0-9 and -; rename it',
      'none: must be an object with command and args',
      'bare.command: is missing; it is the program to run',
    ].sort(),
  );
});

it('a value that is wrong is never repeated', async () => {
  const { problems } = await examineFile({
    mcpServers: { echo: { command: 7, env: { TOKEN: 5 }, era: 'canary-a', pool: { max: 'canary-b' } } },
  });
  expect(problems).toHaveLength(4);
  expect(problems.join()).not.toContain('canary');
});

it('what other MCP clients keep in the file is warned about, with what to do instead', async () => {
  const { config, problems, warnings } = await examineFile({
    inputs: [],
    mcpServers: { echo: { ...echo, type: 'stdio', disabled: true, autoApprove: ['x'], timeout: 60 } },
  });
  expect(problems).toEqual([]);
  expect(config.bridges).toHaveLength(1);
  expect(warnings.map((line) => line.replace('fleet.config.json ', ''))).toEqual([
    'inputs: belongs to other MCP clients and has no effect here',
    'mcpServers.echo.disabled: belongs to other MCP clients and has no effect here: the server is served all the same; remove it here, or name the bridges to serve',
    'mcpServers.echo.autoApprove: belongs to other MCP clients and has no effect here',
    'mcpServers.echo.timeout: belongs to other MCP clients and has no effect here: set deadlineMs under tools',
  ]);
});

it.each([
  ['url', { url: 'https://mcp.example/mcp?token=canary' }],
  ['type', { type: 'http' }],
  ['headers', { command: 'node', headers: { Authorization: 'canary' } }],
])('a server reached by an address is refused (%s)', async (key, server) => {
  const { problems } = await examineFile({ mcpServers: { far: server } });
  expect(problems).toEqual([
    `fleet.config.json mcpServers.far.${key}: a server reached by an address cannot be served; give command and args of a stdio server`,
  ]);
});

it.each([
  [
    'a file that is no JSON',
    '{ "mcpServers": {\n  "TOKEN": canary } }',
    /is not valid JSON \(line 2, column 12\); comments/,
  ],
  ['a file that ends too early', '{ "mcpServers": { "canary": ', /is not valid JSON \(it ends too early\)/],
  ['a trailing comma', '{\n "mcpServers": {},\n}', /\(line 3, column 1\)/],
  ['a comment', '// canary\n{}', /\(line 1, column 1\)/],
  ['a list', '[]', /must be a JSON object with the member mcpServers/],
  ['a file without servers', '{}', /mcpServers: must be an object/],
  ['an empty set of servers', '{"mcpServers":{}}', /mcpServers: has no server; add one/],
  ['a misspelt member', '{"mcpServer":{}}', /mcpServer: is not known here; did you mean mcpServers\?/],
])('%s is one clear problem without its content', async (_, content, expected) => {
  const { problems } = await examineFile(content);
  expect(problems[0]).toMatch(expected);
  expect(problems.join()).not.toContain('canary');
});

it('a file that is not there is a problem of --config', async () => {
  const { problems } = await examine({}, { configFile: 'absent.json' });
  expect(problems[0]).toMatch(/^--config: absent\.json cannot be read \(ENOENT\)/);
});

it('variables are put into args and env, and their values are secrets', async () => {
  const { config, problems, warnings } = await examineFile(
    {
      mcpServers: {
        echo: {
          command: 'node',
          args: ['--id=${ID}', '$HOME', '${1}'],
          env: { TOKEN: 'Bearer ${T}', MODE: '${M:-dry}' },
        },
      },
    },
    { ID: 'i-1234', T: 'canary-1234' },
  );
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({
    args: ['--id=i-1234', '$HOME', '${1}'],
    env: { TOKEN: 'Bearer canary-1234', MODE: 'dry' },
  });
  expect(config.secrets).toEqual(expect.arrayContaining(['canary-1234', 'Bearer canary-1234', 'i-1234']));
  expect(warnings).toEqual([
    'fleet.config.json mcpServers.echo.args.0: is visible in the process list with its variables put in; pass secrets in env',
  ]);
});

it('a variable that is not set is named with where it is needed', async () => {
  const { problems } = await examineFile({ mcpServers: { echo: { ...echo, env: { TOKEN: '${ECHO_TOKEN}' } } } });
  expect(problems).toEqual([
    'fleet.config.json mcpServers.echo.env.TOKEN: needs the variable ECHO_TOKEN, which is not set; set ECHO_TOKEN or ECHO_TOKEN_FILE',
  ]);
});

it('a variable put in may come as a file', async () => {
  using folder = new Folder();
  const ECHO_TOKEN_FILE = folder.write('token', 'canary-file\n');
  const { config } = await examineFile(
    { mcpServers: { echo: { ...echo, env: { T: '${ECHO_TOKEN}' } } } },
    { ECHO_TOKEN_FILE },
  );
  expect(config.bridges[0]?.env).toEqual({ T: 'canary-file' });
});

it('cwd is relative to the file, which is its default, and has to be a folder', async () => {
  using folder = new Folder();
  const configFile = folder.write('c.json', { mcpServers: { a: echo, b: { ...echo, cwd: 'absent' } } });
  const { config, problems } = await examine({}, { configFile });
  expect(config.bridges[0]?.cwd).toBe(folder.path);
  expect(problems).toEqual(['c.json mcpServers.b.cwd: is not a folder; it is relative to the config file']);
});

it('only a read may be cached', async () => {
  const { problems } = await examineFile({ mcpServers: { echo: { ...echo, tools: { pay: { cacheTtlMs: 5 } } } } });
  expect(problems).toEqual([
    'fleet.config.json mcpServers.echo.tools.pay.cacheTtlMs: only a tool with effect read may be cached; set 0 or the effect',
  ]);
});

it.each(['vendorKey', 'reconcile'])('a tool that ignores keys can do nothing with %s', async (setting) => {
  const pay = { [setting]: true, idempotencyKey: 'never' };
  const { problems } = await examineFile({ mcpServers: { echo: { ...echo, tools: { pay } } } });
  expect(problems).toEqual([
    expect.stringMatching(
      `^fleet\\.config\\.json mcpServers\\.echo\\.tools\\.pay\\.${setting}: .*never ignores; correct one`,
    ),
  ]);
});

it('the JSON Schema of the file names every setting with its default and refuses unknown ones', () => {
  expect(configFileJsonSchema()).toMatchObject({
    properties: {
      mcpServers: {
        additionalProperties: {
          additionalProperties: false,
          properties: {
            pool: {
              additionalProperties: false,
              properties: {
                maxLineBytes: { type: 'integer', minimum: 1024, default: 8_388_608 },
                maxShareOfTool: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
              },
            },
          },
        },
      },
    },
  });
});
