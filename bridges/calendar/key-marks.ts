import { createHash } from 'node:crypto';
import type { CalendarEvent } from './shapes.ts';

/**
 * What this bridge leaves on events in `extendedProperties.private`, which only the API shows and only to accounts that
 * can see this copy: by it a keyed write is found again. It tells nothing of caller and key; a digest stands for both.
 */
const CREATED_BY = 'mcpBridgeKey';
const CREATED_WITH = 'mcpBridgeBody';
const CHANGED_BY = 'mcpBridgeChanges';

/** Digests of keyed changes kept on one event, and their length; a value may have 1 024 characters. */
const MAX_CHANGES = 16;
const CHANGE_CHARACTERS = 40;

type PrivateProperties = Readonly<Record<string, string>>;

function privateOf(event: CalendarEvent): PrivateProperties {
  return event.extendedProperties?.private ?? {};
}

/**
 * The id of the event that a key makes. Google takes base32hex in lower case (`0-9a-v`), which hex digits are, and
 * refuses a second event of the same id in a calendar with 409.
 */
export function eventIdOf(key: string): string {
  return `mcp${key}`;
}

/** Marks of an event that is made with a key; `body` is the request without them. */
export function creationMarks(key: string, body: CalendarEvent): PrivateProperties {
  return { [CREATED_BY]: key, [CREATED_WITH]: createHash('sha256').update(JSON.stringify(body)).digest('hex') };
}

/** Whether an event was made with this key, and if so from the same request. */
export function creationOf(event: CalendarEvent, key: string, body: CalendarEvent): 'same' | 'other_body' | 'foreign' {
  const marks = privateOf(event);
  if (marks[CREATED_BY] !== key) return 'foreign';
  return marks[CREATED_WITH] === creationMarks(key, body)[CREATED_WITH] ? 'same' : 'other_body';
}

function changesOf(event: CalendarEvent): readonly string[] {
  return (privateOf(event)[CHANGED_BY] ?? '').split(',').filter((change) => change !== '');
}

/** Whether the change with this key is in the event. */
export function hasChange(event: CalendarEvent, key: string): boolean {
  return changesOf(event).includes(key.slice(0, CHANGE_CHARACTERS));
}

/** The marks of an event once the change with this key is in it; the oldest are forgotten. */
export function changeMarks(event: CalendarEvent, key: string): PrivateProperties {
  const changes = [...changesOf(event), key.slice(0, CHANGE_CHARACTERS)];
  return { [CHANGED_BY]: changes.slice(-MAX_CHANGES).join(',') };
}
