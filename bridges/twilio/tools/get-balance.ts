import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { Toolbox } from './toolbox.ts';

/** `get_balance` */
export function getBalanceTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'get_balance',
    title: 'Get the balance',
    description:
      'What is left of the prepaid balance of the account. Changes nothing. Look before sending to many; what one message cost says get_message.',
    effect: 'read',
    input: z.object({}),
    output: z.object({
      balance: z.string().describe('Decimal, with parts of a cent; negative where money is owed'),
      currency: z.string().describe('ISO 4217'),
    }),
    run: async (_args, context) => {
      const { balance, currency } = await client.ask(context, 'api', 'read', (sdk) => sdk.balance.fetch());
      return { balance, currency: currency.toUpperCase() };
    },
  });
}
