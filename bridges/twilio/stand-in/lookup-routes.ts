import type { Route } from '../../../core/sandbox-kit/sandbox-request.ts';
import { CALLING_CODES } from '../calling-codes.ts';
import { originOf } from '../recipient-guard.ts';
import { MAGIC } from './seed.ts';

/** How long numbers are, with their calling code. */
const MIN_DIGITS = 10;
const MAX_DIGITS = 14;

function e164(written: string, country: string | null): string {
  if (written.startsWith('+')) return written;
  const [code = '1'] = (CALLING_CODES[country ?? 'US'] ?? '1').split(' ');
  return `+${code}${written.replace(/^0/, '')}`;
}

/** Lookup v2: `GET /v2/PhoneNumbers/{PhoneNumber}`, with the paid packages `Fields` asks for. */
export function lookupRoutes(): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v2/PhoneNumbers/:number',
      answer: ({ query }, { number = '' }) => {
        const phoneNumber = e164(number, query.get('CountryCode'));
        const { country } = originOf(phoneNumber);
        const digits = phoneNumber.length - 1;
        const isLong = digits > MAX_DIGITS;
        const problem = isLong
          ? 'TOO_LONG'
          : digits < MIN_DIGITS
            ? 'TOO_SHORT'
            : country === undefined
              ? 'INVALID_COUNTRY_CODE'
              : undefined;
        const callingCode = country === undefined ? null : (CALLING_CODES[country]?.split(' ')[0] ?? null);
        const valid = problem === undefined;
        const fields = new Set((query.get('Fields') ?? '').split(','));
        return {
          status: 200,
          body: {
            calling_country_code: valid ? (callingCode?.startsWith('1') ? '1' : callingCode) : null,
            country_code: valid ? (country ?? null) : null,
            phone_number: phoneNumber,
            national_format: valid ? `0${phoneNumber.slice(1 + (callingCode?.length ?? 0))}` : null,
            valid,
            validation_errors: valid ? [] : [problem],
            caller_name:
              fields.has('caller_name') && valid
                ? {
                    caller_name: country === 'US' ? 'JORDAN LEE' : null,
                    caller_type: country === 'US' ? 'CONSUMER' : null,
                    error_code: null,
                  }
                : null,
            sim_swap: null,
            call_forwarding: null,
            line_status: null,
            line_type_intelligence:
              fields.has('line_type_intelligence') && valid
                ? {
                    carrier_name: 'Sandbox Mobile',
                    error_code: null,
                    mobile_country_code: '262',
                    mobile_network_code: '01',
                    type: phoneNumber === MAGIC.landline ? 'landline' : 'mobile',
                  }
                : null,
            identity_match: null,
            reassigned_number: null,
            sms_pumping_risk: null,
            phone_number_quality_score: null,
            pre_fill: null,
            url: `https://lookups.twilio.com/v2/PhoneNumbers/${phoneNumber}`,
          },
        };
      },
    },
  ];
}
