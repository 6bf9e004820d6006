import { vendorSecretsOf } from '#core/deploy/create-secrets.ts';
import { examine } from '#core/deploy/examine.ts';
import type { Finding, Verdict } from '#core/deploy/finding.ts';
import { bridges } from '../../bridges/index.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate } from './operation.ts';
import { print } from './say.ts';

/** What `fleet doctor` is told. */
export interface DoctorOptions extends OperationOptions {
  readonly json?: true;
}

const SIGNS: Readonly<Record<Verdict, string>> = { good: 'ok  ', warning: 'look', bad: 'BAD ' };
const CHECK_WIDTH = 12;

/** `fleet doctor`: looks at engine, files, secrets and what runs, and says how to mend what is wrong; 1 where something is. */
export async function doctor({ json, ...options }: DoctorOptions): Promise<number> {
  return operate(
    options,
    async ({ docker, project }) => {
      const manifests = await Promise.all(Object.values(bridges).map((load) => load()));
      const findings = await examine({ docker, project, vendorSecrets: vendorSecretsOf(manifests) });
      print(json ? JSON.stringify(findings, null, 2) : findings.map(line).join('\n'));
      return findings.some(({ verdict }) => verdict === 'bad') ? EXIT.differs : EXIT.ok;
    },
    { exclusive: false },
  );
}

function line({ check, verdict, detail, mend }: Finding): string {
  const first = `${SIGNS[verdict]}  ${check.padEnd(CHECK_WIDTH)}${detail}`;
  return mend === undefined ? first : `${first}\n${' '.repeat(6 + CHECK_WIDTH)}-> ${mend}`;
}
