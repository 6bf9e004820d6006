#!/usr/bin/env node
/** The command `fleet`: the only place that parses the command line. Each command is loaded when it is run. */
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { DeployOptions } from './deploy.ts';
import type { DoctorOptions } from './doctor.ts';
import type { DownOptions } from './down.ts';
import { EXIT } from './exit-codes.ts';
import type { FleetArguments } from './fleet-arguments.ts';
import type { KeyArguments } from './key.ts';
import type { LogsOptions } from './logs.ts';
import type { OperationOptions } from './operation.ts';
import type { PinOptions } from './pin.ts';
import type { ScaleOptions } from './scale.ts';
import type { UpOptions } from './up.ts';

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
  .command('health')
  .description('whether the process on this machine is well, for container engines: 0 or 1, and one line that says why')
  .addHelpText(
    'after',
    '\nIt asks /readyz at HOST and OPS_PORT. A draining process is left alone; an unconfigured one is not well.',
  )
  .action(async () => {
    const { health } = await import('./health.ts');
    process.exitCode = await health();
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

const mode = new Option(
  '--mode <mode>',
  'which compose files: dev, prod, cluster or swarm (that of the last up, else dev)',
);
const monitoring = new Option('--monitoring', 'with collector, Prometheus, Alertmanager, Grafana and traces');
const files = new Option('--file <file...>', 'these compose files instead of those of a mode');
const projectName = new Option('--project-name <name>', 'what the containers are called after (fleet)');
const timeout = new Option('--timeout <seconds>', 'how long a new replica may take until it is healthy (120)');
const dryRun = new Option('--dry-run', 'print the steps and do none');

/** A command over containers; what they have in common. */
function operation(name: string, description: string): Command {
  return program.command(name).description(description).addOption(mode).addOption(files).addOption(projectName);
}

operation('up', 'bring the containers from what runs to what the files say, losing no call')
  .argument('[bridges...]', 'only these, with what they lean on')
  .addOption(monitoring)
  .addOption(timeout)
  .addOption(dryRun)
  .addOption(new Option('--force-recreate').hideHelp())
  .addHelpText(
    'after',
    `
The first time it makes compose/secrets and builds the images. What has changed is exchanged one replica at a time.

Examples:
  fleet up
  fleet up --mode prod --monitoring
  fleet up --dry-run`,
  )
  .action(async (names: string[], options: UpOptions) => {
    const { up } = await import('./up.ts');
    process.exit(await up(names, options));
  });

operation('down', 'end all containers; data and secrets stay')
  .option('--volumes', 'throw away what Redis and PostgreSQL hold; needs --yes')
  .option('--yes', 'it is meant')
  .addOption(monitoring)
  .addOption(dryRun)
  .action(async (options: DownOptions) => {
    const { down } = await import('./down.ts');
    process.exit(await down(options));
  });

operation('logs', 'what the containers have said')
  .argument('[services...]', 'bridges, front, redis, ...; all where none is named')
  .option('-f, --follow', 'go on with what comes')
  .option('--tail <lines>', 'how many lines of each, or all', '200')
  .action(async (names: string[], options: LogsOptions) => {
    const { logs } = await import('./logs.ts');
    process.exit(await logs(names, options));
  });

operation('scale', 'more or fewer replicas, without touching those that stay')
  .argument('<numbers...>', 'such as slack=5 stripe=3')
  .option('--yes', 'also to 0, where nobody answers any more')
  .addOption(timeout)
  .addOption(dryRun)
  .action(async (numbers: string[], options: ScaleOptions) => {
    const { scale } = await import('./scale.ts');
    process.exit(await scale(numbers, options));
  });

operation('deploy', 'another image or other settings, one replica at a time; what is not healthy changes nothing')
  .argument('<services...>', 'bridges; the front and egress are reloaded')
  .option('--tag <tag>', 'the image of that tag')
  .option('--build', 'an image built from this checkout')
  .option('--yes', 'also what cannot be done without losing calls')
  .addOption(timeout)
  .addOption(dryRun)
  .addHelpText(
    'after',
    `
For each replica: start a new one, wait until it is healthy, stop an old one, which finishes its calls. Broken off, the
same command goes on. fleet rollback goes the same way back.

Examples:
  fleet deploy slack --tag 1.4.0
  fleet deploy slack stripe --build`,
  )
  .action(async (names: string[], options: DeployOptions) => {
    const { deploy } = await import('./deploy.ts');
    process.exit(await deploy(names, options));
  });

operation('restart', 'new containers of the same image and settings, one at a time, as after a secret was turned')
  .argument('<bridges...>', 'bridges')
  .addOption(timeout)
  .addOption(dryRun)
  .action(async (names: string[], options: OperationOptions) => {
    const { restart } = await import('./deploy.ts');
    process.exit(await restart(names, options));
  });

operation('rollback', 'back to the image before the last deploy, one replica at a time')
  .argument('<bridges...>', 'bridges')
  .addOption(timeout)
  .addOption(dryRun)
  .action(async (names: string[], options: OperationOptions) => {
    const { rollback } = await import('./rollback.ts');
    process.exit(await rollback(names, options));
  });

operation(
  'doctor',
  'what is missing on this machine and in this fleet, and how to mend it; ends with 1 where something is',
)
  .addOption(monitoring)
  .option('--json', 'an array of { check, verdict, detail, mend }')
  .action(async (options: DoctorOptions) => {
    const { doctor } = await import('./doctor.ts');
    process.exit(await doctor(options));
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
