import type { MessageInstance } from 'twilio/lib/rest/api/v2010/account/message.js';
import type { Reconciliation } from '../../core/server-kit/define-tool.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import type { TwilioClient } from './client.ts';
import type { KnownSends } from './known-sends.ts';
import type { MessageOrder } from './message-order.ts';
import { type Message, toMessage } from './shapes.ts';

/** How well a message of Twilio's list fits an order. */
export type Fit =
  /** Same recipient, sender, text and kind of time. */
  | 'same'
  /** Nothing speaks against it, but its text cannot be compared, or may have been changed on the way. */
  | 'possible'
  | 'other';

/** As long as a key is remembered, and a little for clocks that differ: no call that may be asked about is older. */
const WINDOW_MS = 24 * 3_600_000 + 600_000;
const PAGE_SIZE = 200;
/** More messages to one person than that are not looked through. */
const MAX_PAGES = 5;
/** Kept of the deadline for the second look and the answer. */
const LOOK_MARGIN_MS = 2_000;
/** A trial account's texts begin with it. */
const TRIAL_PREFIX = 'Sent from your Twilio trial account';
const MAX_TOLD = 5;

/** What is left of a text where marks and spaces were replaced, as smart encoding does. */
function letters(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]/gu, '')
    .toLowerCase();
}

function textFit(order: MessageOrder, body: string): Fit {
  if (order.body === undefined || body === '') return 'possible';
  if (body === order.body || (body.startsWith(TRIAL_PREFIX) && body.endsWith(order.body))) return 'same';
  const ordered = letters(order.body);
  const found = letters(body);
  if (ordered !== '' && ordered === found) return 'same';
  return found.includes(ordered) ? 'possible' : 'other';
}

function timeFit(order: MessageOrder, status: string, nowMs: number): Fit {
  const isScheduled = status === 'scheduled' || status === 'canceled';
  if (order.sendAt === undefined) return isScheduled ? 'other' : 'same';
  if (isScheduled || order.sendAt.getTime() <= nowMs) return 'same';
  return 'possible';
}

/** How well a message fits an order that may have made it. */
export function fitOf(order: MessageOrder, found: MessageInstance, nowMs: number): Fit {
  if (!found.direction?.startsWith('outbound')) return 'other';
  const created = found.dateCreated instanceof Date ? found.dateCreated.getTime() : Number.NaN;
  if (created < nowMs - WINDOW_MS) return 'other';
  if (order.messagingServiceSid !== undefined && found.messagingServiceSid !== order.messagingServiceSid)
    return 'other';
  // A service chooses its sender later.
  if (order.from !== undefined && found.from && found.from !== order.from) return 'other';
  const fits = [textFit(order, found.body ?? ''), timeFit(order, found.status, nowMs)];
  if (fits.includes('other')) return 'other';
  return fits.includes('possible') || Number.isNaN(created) ? 'possible' : 'same';
}

/** What it takes to look. */
export interface Sight {
  readonly client: TwilioClient;
  readonly known: KnownSends;
  /** How long a message may take to be listed. */
  readonly settleMs: number;
}

interface Look {
  readonly same: readonly MessageInstance[];
  readonly possible: readonly MessageInstance[];
  /** Every message to this recipient was looked at. */
  readonly complete: boolean;
}

async function look({ client, known }: Sight, order: MessageOrder, context: ToolContext): Promise<Look> {
  const same: MessageInstance[] = [];
  const possible: MessageInstance[] = [];
  let from: { readonly pageToken: string; readonly pageNumber: number } | undefined;
  for (let n = 0; n < MAX_PAGES; n++) {
    // By recipient only: a filter on DateSent would leave out what is scheduled or still waits to be sent.
    const page = await client.ask(context, 'api', 'read', (sdk) =>
      sdk.messages.page({ to: order.to, pageSize: PAGE_SIZE, ...from }),
    );
    for (const found of page.instances) {
      if (known.isOfAnother(found.sid, context.idempotencyKey)) continue;
      const fit = fitOf(order, found, Date.now());
      if (fit === 'same') same.push(found);
      else if (fit === 'possible') possible.push(found);
    }
    const next = page.nextPageUrl === undefined ? null : new URL(page.nextPageUrl).searchParams;
    const pageToken = next?.get('PageToken') ?? null;
    if (next === null || pageToken === null) return { same, possible, complete: true };
    from = { pageToken, pageNumber: Number(next.get('Page') ?? n + 1) };
  }
  return { same, possible, complete: false };
}

/** @throws the signal's reason */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function told(messages: readonly MessageInstance[]): string {
  const sids = messages.slice(0, MAX_TOLD).map(({ sid }) => sid);
  return messages.length > MAX_TOLD ? `${sids.join(', ')}, …` : sids.join(', ');
}

function verdict({ same, possible, complete }: Look): Reconciliation<Message> | undefined {
  const [only] = same;
  if (only !== undefined && same.length === 1) return { found: 'executed', result: toMessage(only) };
  if (same.length > 1) {
    return {
      found: 'unknown',
      looked: `Twilio has ${same.length} messages with this text to this recipient in the last 24 h: ${told(same)}`,
    };
  }
  if (possible.length > 0) {
    return {
      found: 'unknown',
      looked: `Twilio has messages to this recipient in the last 24 h that it may be, their texts cannot be compared: ${told(possible)}`,
    };
  }
  return complete
    ? undefined
    : { found: 'unknown', looked: `not among the first ${PAGE_SIZE * MAX_PAGES} messages to this recipient` };
}

/**
 * Says whether an earlier call sent this message, by Twilio's list of messages to the recipient: there is no place in a
 * message where a key could be kept and read back, so its text and sender are compared. Where the same text was sent to
 * the same person by another call of another process in the last 24 hours, that message cannot be told apart.
 *
 * `not_executed` needs two looks, `settleMs` apart: whoever asks does so after the first call has ended, so no request
 * of it is still being written, but Twilio may still be working on one whose connection broke, and promises nothing of
 * how soon its list shows it. What is not there after that time will not come.
 * @throws ToolError when Twilio cannot be asked just now
 */
export async function sentBefore(
  sight: Sight,
  order: MessageOrder,
  context: ToolContext,
): Promise<Reconciliation<Message>> {
  const { client, known, settleMs } = sight;
  const sid = known.sidOf(context.idempotencyKey);
  if (sid !== undefined) {
    const found = await client.ask(context, 'api', 'read', (sdk) => sdk.messages(sid).fetch());
    return { found: 'executed', result: toMessage(found) };
  }
  const early = verdict(await look(sight, order, context));
  if (early !== undefined) return early;
  if (context.remainingMs() < settleMs + LOOK_MARGIN_MS) {
    return {
      found: 'unknown',
      looked: `Twilio has no such message yet; that it never will takes ${settleMs + LOOK_MARGIN_MS} ms to say, more than this call has left`,
    };
  }
  await pause(settleMs, context.signal);
  return verdict(await look(sight, order, context)) ?? { found: 'not_executed' };
}
