import { examineFleet } from '#core/config/compile-fleet.ts';
import { problemLine } from '#core/config/problems.ts';
import { describeConfig } from './describe-config.ts';
import { EXIT } from './exit-codes.ts';
import { type FleetArguments, requestOf } from './fleet-arguments.ts';
import { print, said, tell, tellProblems } from './say.ts';

/**
 * `fleet check`: prints the effective configuration (with the default where a value is wrong), and tells every problem
 * and warning. Returns the exit code: 78 where `serve` would refuse to start.
 */
export async function check(args: FleetArguments): Promise<number> {
  const nothingNamed = args.names.length === 0 && args.configFile === undefined && args.inline === undefined;
  const { config, problems } = await examineFleet(requestOf({ ...args, all: args.all || nothingNamed }));
  print(JSON.stringify(describeConfig(config), null, 2));
  for (const warning of config.warnings) tell(`fleet: warning: ${problemLine(warning)}`);
  tellProblems(problems);
  await said();
  return problems.length === 0 ? EXIT.ok : EXIT.config;
}

/** `fleet check --schema`: prints the JSON Schema of the config file. */
export async function printSchema(): Promise<number> {
  const { configFileJsonSchema } = await import('#core/config/file-schema.ts');
  print(JSON.stringify(configFileJsonSchema(), null, 2));
  await said();
  return EXIT.ok;
}
