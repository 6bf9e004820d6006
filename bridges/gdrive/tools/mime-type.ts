import { z } from '../../../core/server-kit/schema.ts';

const MIME_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

/** A media type without parameters. */
export const mimeType = z
  .string()
  .max(127)
  .refine((text) => MIME_TYPE.test(text), 'must be a media type without parameters, in lower case')
  .describe('Media type in lower case: text/plain, text/csv, application/pdf, image/png');
