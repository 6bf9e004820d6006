import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { isAllowed, requireAllowed } from '../recipient-guard.ts';
import { phoneNumber } from '../schemas.ts';
import { textOrNull } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** What Twilio calls what is charged. */
const FIELDS = { line_type: 'line_type_intelligence', caller_name: 'caller_name' } as const;

function needs(what: string): ToolError {
  return new ToolError('invalid_arguments', `lookup_phone needs ${what}`, {
    hint: 'Look the number up without details first: the answer has it in E.164',
  });
}

/** `lookup_phone` */
export function lookupPhoneTool({ client, settings }: Toolbox): DefinedTool {
  return defineTool({
    name: 'lookup_phone',
    title: 'Look up a phone number',
    description:
      'Checks and formats a phone number: whether it is valid, its E.164 form, its country, and whether the operator allows writing to it. Free without details; each of ' +
      'details is charged by Twilio. Sends nothing to anybody. Use it before send_sms where a number comes from a form.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      number: z
        .string()
        .regex(/^\+?[0-9][0-9 ()./-]{2,30}$/)
        .describe('In E.164 (+49…), or as written at home together with country'),
      country: z
        .string()
        .regex(/^[A-Z]{2}$/)
        .optional()
        .describe('ISO 3166-1 alpha-2 country of a number that is written without +'),
      details: z
        .array(z.enum(['line_type', 'caller_name']))
        .max(2)
        .default([])
        .describe(
          'Charged: line_type says whether it is a mobile and its carrier; caller_name works in the United States only',
        ),
    }),
    output: z.object({
      valid: z.boolean(),
      phoneNumber: z.string().describe('E.164 where it is valid'),
      nationalFormat: z.string().nullable(),
      country: z.string().nullable(),
      callingCode: z.string().nullable(),
      problems: z.array(z.string()).describe('Why it is not valid, e.g. TOO_SHORT'),
      allowed: z.boolean().describe('Whether messages to it are allowed here'),
      lineType: z.string().nullable().describe('mobile, landline, fixedVoip, …; null unless asked for'),
      carrier: z.string().nullable(),
      callerName: z.string().nullable(),
      callerType: z.string().nullable(),
    }),
    run: async ({ number, country, details }, context) => {
      const digits = `${number.startsWith('+') ? '+' : ''}${number.replace(/\D/g, '')}`;
      if (country === undefined && !digits.startsWith('+')) throw needs('country, as the number is written without +');
      if (details.length > 0) {
        if (!phoneNumber.safeParse(digits).success) throw needs('the number in E.164 (+49…), as details are charged');
        requireAllowed(digits, settings.allowedCountries);
      }
      const fields = [...new Set(details)].map((detail) => FIELDS[detail]).join(',');
      const found = await client.ask(context, 'lookups', 'read', (sdk) =>
        sdk.lookups.v2.phoneNumbers(digits).fetch({
          ...(fields === '' ? {} : { fields }),
          ...(country === undefined ? {} : { countryCode: country }),
        }),
      );
      const e164 = found.phoneNumber ?? digits;
      const { allowedCountries } = settings;
      return {
        valid: found.valid === true,
        phoneNumber: e164,
        nationalFormat: textOrNull(found.nationalFormat),
        country: textOrNull(found.countryCode),
        callingCode: textOrNull(found.callingCountryCode),
        problems: [...(found.validationErrors ?? [])],
        allowed: found.valid === true && allowedCountries !== undefined && isAllowed(e164, allowedCountries),
        lineType: textOrNull(found.lineTypeIntelligence?.type),
        carrier: textOrNull(found.lineTypeIntelligence?.carrierName),
        callerName: textOrNull(found.callerName?.callerName),
        callerType: textOrNull(found.callerName?.callerType),
      };
    },
  });
}
