#!/usr/bin/env node
/** The command `fleet`: the only place that parses the command line. Each command is loaded when it is run. */
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import type { FleetArguments } from './fleet-arguments.ts';
import type { KeyArguments } from './key.ts';
import type { PinOptions } from './pin.ts';

interface Options {
  readonly config?: string;
  readonly name?: string;
  readonly all?: true;
  readonly host?: string;
  readonly port?: string;
  readonly opsPort?: string;
  readonly schema?: true;
}

interface AuditTailOptions {
  readonly lines: string;
  readonly follow?: true;
  readonly json?: true;
  readonly principal?: string;
  readonly bridge?: string;
  readonly since?: string;
}

interface StatusOptions {
  readonly watch?: true;
  readonly json?: true;
  readonly interval?: string;
}

const dashes = process.argv.indexOf('--');
const ownArguments = dashes === -1 ? process.argv : process.argv.slice(0, dashes);
/** What follows `--`: the command to serve, which is not ours to parse. */
const inlineCommand = dashes === -1 ? undefined : process.argv.slice(dashes + 1);

const program = new Command('fleet')
  .description('Stdio MCP servers behind plain HTTP.')
  .version(packageJson.version)
  .exitOverride()
  .showHelpAfterError('(fleet --help shows what there is)');

const config = new Option('--config <file>', 'servers in the mcpServers shape that every MCP client uses');
const name = new Option('--name <name>', 'name of the server whose command follows --');
const host = new Option('--host <address>', 'address to listen on (127.0.0.1; elsewhere AUTH has to be set)');
const port = new Option('--port <number>', 'main port (3000; 0 is any free one)');
const opsPort = new Option('--ops-port <number>', 'port of /livez, /readyz, /metrics and /status (9464)');

program
  .command('serve')
  .description('serve bridges, servers of a config file, or one command')
  .argument('[bridges...]', 'bridges that come with fleet, or servers of the config file')
  .option('--all', 'every bridge that comes with fleet')
  .addOption(config)
  .addOption(name)
  .addOption(host)
  .addOption(port)
  .addOption(opsPort)
  .usage('[options] [bridges...] [-- command args...]')
  .addHelpText(
    'after',
    `
Examples:
  fleet serve slack stripe
  fleet serve --config fleet.config.json
  fleet serve --name echo -- node path/to/server.mjs
      (the server gets PATH, HOME and the like; one that needs more variables goes into a config file)

Settings come from the command line, then the environment (PORT, HOST, OPS_PORT, POOL_MAX, ...), the config file and
the bridge itself. A variable X may come as X_FILE, the path of a file.`,
  )
  .action(async (names: string[], options: Options) => {
    const { serve } = await import('./serve.ts');
    process.exit(await serve(fleetArguments(names, options)));
  });

program
  .command('dev')
  .description('every bridge on this machine; those without secrets run against a stand-in')
  .argument('[bridges...]', 'only these')
  .addOption(host)
  .addOption(port)
  .addOption(opsPort)
  .action(async (names: string[], options: Options) => {
    const { dev } = await import('./dev.ts');
    process.exit(await dev({ ...fleetArguments(names, options), all: names.length === 0 }));
  });

program
  .command('sandbox')
  .description('one vendor’s stand-in by itself, for the tests of other projects')
  .argument('<bridge>', 'a bridge that comes with fleet')
  .option('--port <number>', 'where it listens on 127.0.0.1 (any free port)')
  .option('--json', 'print one JSON object with url, control and env instead of export lines')
  .addHelpText(
    'after',
    `
On stdout are the variables that lead to it, once it can be reached; what else there is to say goes to stderr. It starts
fresh each time, and ends with a signal.

Example:
  fleet sandbox slack --port 4010 > slack.env &      later:  . ./slack.env`,
  )
  .action(async (name: string, { port, json }: { readonly port?: string; readonly json?: true }) => {
    const { sandbox } = await import('./sandbox.ts');
    process.exit(await sandbox({ name, port, json: json === true }));
  });

program
  .command('check')
  .description('print the effective configuration, secrets redacted, and every problem')
  .argument('[bridges...]', 'as for serve; all that come with fleet when nothing is named')
  .option('--schema', 'print the JSON Schema of the config file instead')
  .option('--all', 'every bridge that comes with fleet')
  .addOption(config)
  .addOption(name)
  .addOption(host)
  .addOption(port)
  .addOption(opsPort)
  .usage('[options] [bridges...] [-- command args...]')
  .action(async (names: string[], options: Options) => {
    const { check, printSchema } = await import('./check.ts');
    process.exit(await (options.schema ? printSchema() : check(fleetArguments(names, options))));
  });

program
  .command('pin')
  .description('write down what a bridge’s tools are now, so that they cannot change unseen')
  .argument('[bridge]', 'a bridge that comes with fleet, or a server of the config file')
  .option('--file <file>', 'where the pins are (the pinFile of the configuration, else pins/NAME.json)')
  .option('--check', 'only say whether the tools are as pinned; ends with 1 where they are not')
  .addOption(config)
  .addOption(name)
  .usage('[options] [bridge] [-- command args...]')
  .action(async (bridge: string | undefined, options: Options & PinOptions) => {
    const { pin } = await import('./pin.ts');
    const { file, check } = options;
    process.exit(
      await pin(fleetArguments(bridge === undefined ? [] : [bridge], options), { file, check: check === true }),
    );
  });

program
  .command('status')
  .description('what every replica does, read from the ops ports; ends with 1 where one does not answer')
  .argument('[addresses...]', 'host, host:port or URL; a name stands for every address it has (127.0.0.1:9464)')
  .option('-w, --watch', 'again and again, until Ctrl-C')
  .option('--interval <seconds>', 'between two looks, which figures are then about (with --watch 2)')
  .option('--json', 'one JSON object per look')
  .addHelpText(
    'after',
    `
Examples:
  fleet status
  fleet status mcp-slack mcp-stripe --watch
  fleet status 10.0.3.4 10.0.3.5:9465 --json --interval 5`,
  )
  .action(async (targets: string[], options: StatusOptions) => {
    const { status } = await import('./status.ts');
    const { watch = false, json = false, interval } = options;
    process.exit(await status({ targets, watch, json, interval }));
  });

const audit = program.command('audit').description('read the audit that is kept in AUDIT_DATABASE_URL');

audit
  .command('tail')
  .description('print the last calls, oldest first')
  .option('-n, --lines <number>', 'how many', '20')
  .option('-f, --follow', 'go on with those that come')
  .option('--json', 'one JSON object per line, with trace id and the digest of the arguments')
  .option('--principal <id>', 'only calls of this principal')
  .option('--bridge <name>', 'only calls of this bridge')
  .option('--since <time>', 'only calls of the last 90s, 10m, 8h or 7d')
  .addHelpText(
    'after',
    `
On a terminal a table; towards a file or a pipe the same columns without titles, a tab between them: time, principal,
bridge/tool, effect, outcome, executed, attempts, milliseconds, replayed, request id.`,
  )
  .action(async (options: AuditTailOptions) => {
    const { auditTail } = await import('./audit-tail.ts');
    const { lines, follow = false, json = false, principal, bridge, since } = options;
    process.exit(await auditTail({ lines, follow, json, principal, bridge, since }));
  });

const key = program.command('key').description('keys of callers, where AUTH is keys');

key
  .command('create')
  .description('add a key to the key file and print its secret, once')
  .requiredOption('--id <name>', 'who gets it; several keys may have one id, so that one can follow another')
  .requiredOption(
    '--allow <pattern>',
    'tools it may call: bridge:tool, * stands for anything; may be repeated',
    (pattern: string, patterns: readonly string[] = []) => [...patterns, pattern],
  )
  .option('--rate-per-minute <number>', 'calls a minute over all tools')
  .option('--expires <when>', '90d, 12h, or a date such as 2030-01-31')
  .option('--file <file>', 'the key file (API_KEYS_FILE); made where there is none')
  .addHelpText(
    'after',
    `
Examples:
  fleet key create --id planner --allow 'slack:*' --allow 'stripe:list_*' --expires 90d
  fleet key create --id planner --allow '*:*' --file keys.json | secret-store put planner`,
  )
  .action(async (options: KeyArguments) => {
    const { createKey } = await import('./key.ts');
    process.exit(await createKey(options));
  });

function fleetArguments(names: readonly string[], options: Options): FleetArguments {
  const inline = options.name === undefined && inlineCommand === undefined;
  return {
    names,
    all: options.all === true,
    configFile: options.config,
    inline: inline ? undefined : { name: options.name, command: inlineCommand },
    flags: { host: options.host, port: options.port, opsPort: options.opsPort },
  };
}

try {
  await program.parseAsync(ownArguments);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
