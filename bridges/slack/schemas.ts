import { z } from '../../core/server-kit/schema.ts';

/** A channel, group or direct message. */
export const channelId = z
  .string()
  .regex(/^[CGD][A-Z0-9]{2,31}$/)
  .describe('Id of a channel or direct message such as C0123456789, never a #name: find_channel finds the id by name');

export const userId = z
  .string()
  .regex(/^[UW][A-Z0-9]{2,31}$/)
  .describe('Id of a user such as U0123456789; lookup_user_by_email and list_users tell it');

/** Slack's name of a message within its channel, and its time. */
export const messageTs = z.string().regex(/^\d{10}\.\d{6}$/);

export const messageText = z
  .string()
  .min(1)
  .max(12_000)
  .describe('Slack mrkdwn: *bold*, _italic_, <https://…|link>, <@U…> for a person; write &amp; &lt; &gt; for & < >');

export const notifyEveryone = z
  .boolean()
  .default(false)
  .describe('True allows <!channel>, <!here>, <!everyone> and group mentions, which ring everybody');

export const limit = z.number().int().min(1).max(100).default(20);

export const cursor = z.string().min(1).max(1_000).optional().describe('nextCursor of the page before');

export const nextCursor = z.string().nullable().describe('Give it as cursor for the next page; null on the last one');

/** A time as it is answered. */
export const timeOut = z.string().describe('ISO 8601, UTC');

/** An optional page of Slack's, in the form that tools answer. */
export function nextCursorOf(answer: { response_metadata?: { next_cursor?: string } }): string | null {
  const next = answer.response_metadata?.next_cursor;
  return next === undefined || next === '' ? null : next;
}
