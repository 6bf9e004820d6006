import type { SandboxAnswer } from '../../../core/sandbox-kit/sandbox-request.ts';
import { googleErrorAnswer } from '../../google/sandbox-token.ts';

/** Thrown by the stand-in where Google would say no. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly answer: SandboxAnswer;

  constructor(status: number, reason: string, message: string, domain: 'global' | 'calendar' = 'global') {
    super(message);
    this.answer = googleErrorAnswer(status, reason, message, domain);
  }
}

export const notFound = () => new Refusal(404, 'notFound', 'Not Found');
export const alreadyDeleted = () => new Refusal(410, 'deleted', 'Resource has been deleted');
export const duplicate = () => new Refusal(409, 'duplicate', 'The requested identifier already exists.');
export const conditionNotMet = () => new Refusal(412, 'conditionNotMet', 'Precondition Failed');
export const invalid = (message: string) => new Refusal(400, 'invalid', message);
export const required = (message: string) => new Refusal(400, 'required', message);
export const emptyRange = () => new Refusal(400, 'timeRangeEmpty', 'The specified time range is empty.', 'calendar');
export const needsRole = (role: string) =>
  new Refusal(403, 'requiredAccessLevel', `You need to have ${role} access to this calendar.`, 'calendar');
