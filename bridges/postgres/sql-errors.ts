import { type SqlMeanings, sqlToolError } from '../../core/postgres-kit/sql-errors.ts';
import type { ToolError } from '../../core/server-kit/tool-error.ts';

/** What errors mean where the caller wrote the statement. */
const MEANINGS: SqlMeanings = {
  '25006': {
    code: 'read_only',
    retryable: false,
    hint: 'This connection only reads; rows are changed by the tool execute, where it is enabled',
  },
  '25001': { code: 'read_only', retryable: false },
  '40003': { code: 'outcome_unknown', retryable: false, hint: 'Look at the rows before trying again' },
  '42601': { code: 'syntax_error', retryable: false, hint: 'Give exactly one statement' },
  '42P01': { code: 'undefined_table', retryable: false, hint: 'list_tables and search_objects show what there is' },
  '42703': { code: 'undefined_column', retryable: false, hint: 'describe_table shows the columns' },
  '42883': { code: 'undefined_function', retryable: false, hint: 'Check the argument types, or cast them' },
  '3F000': { code: 'undefined_schema', retryable: false, hint: 'list_schemas shows what there is' },
  '57014': { code: 'statement_timeout', retryable: false, hint: 'Narrow the statement, or give it a longer deadline' },
  '08P01': {
    code: 'wrong_parameters',
    retryable: false,
    hint: 'Give one value in params for each placeholder $1, $2, …',
  },
  '23': { code: 'constraint_violation', retryable: false, hint: 'describe_table shows the constraints' },
};

/**
 * An error of `pg` as the tool's answer.
 * @param position offset to take off the server's position, where the statement was wrapped
 */
export function toSqlToolError(error: unknown, position = 0): ToolError {
  return sqlToolError(error, MEANINGS, position);
}
