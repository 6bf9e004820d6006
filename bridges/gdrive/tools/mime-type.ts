import { z } from '../../../core/server-kit/schema.ts';

/** A media type without parameters. */
export const mimeType = z
  .string()
  .max(127)
  .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/)
  .describe('Media type in lower case: text/plain, text/csv, application/pdf, image/png');
