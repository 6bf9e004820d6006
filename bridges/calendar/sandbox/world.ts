import type { calendar_v3 } from '@googleapis/calendar';
import { occurrences } from './occurrences.ts';
import { needsRole, notFound } from './refusal.ts';

export type Event = calendar_v3.Schema$Event;
export type Role = 'freeBusyReader' | 'reader' | 'writer' | 'owner';

/** A calendar in the list of the one account that the stand-in knows. */
export interface Calendar {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly timeZone: string;
  readonly accessRole: Role;
  readonly primary?: true;
  readonly hidden?: true;
}

/** A mail that Google would have sent; the stand-in sends none. */
export interface Mail {
  readonly to: string;
  readonly about: 'invitation' | 'update' | 'cancellation' | 'response';
  readonly eventId: string;
}

const ROLES: readonly Role[] = ['freeBusyReader', 'reader', 'writer', 'owner'];
/** What the stand-in keeps at most, so that one left running for weeks does not grow. */
const MAX_MAILS = 10_000;

/** Whether a role allows at least what another does. */
export function allows(has: string, wanted: Role): boolean {
  return ROLES.indexOf(has as Role) >= ROLES.indexOf(wanted);
}

/** What the stand-in knows: calendars, events with the deleted ones, and mails that were not sent. */
export class World {
  readonly #seed: (world: World) => void;
  readonly calendars = new Map<string, Calendar>();
  readonly #events = new Map<string, Map<string, Event>>();
  mails: Mail[] = [];
  #version = 0;

  /** @param seed puts the first calendars and events in */
  constructor(seed: (world: World) => void) {
    this.#seed = seed;
    this.reset();
  }

  reset(): void {
    this.calendars.clear();
    this.#events.clear();
    this.mails = [];
    this.#seed(this);
  }

  /** `"3624…"`, another one each time. */
  nextEtag(): string {
    this.#version = Math.max(this.#version + 2, Date.now() * 2_000);
    return `"${this.#version}"`;
  }

  /** By id, or `primary`. @throws Refusal 404, 403 */
  calendar(id: string, wanted: Role): Calendar {
    const calendar =
      id === 'primary' ? [...this.calendars.values()].find((one) => one.primary) : this.calendars.get(id);
    if (calendar === undefined) throw notFound();
    if (!allows(calendar.accessRole, wanted)) throw needsRole(wanted);
    return calendar;
  }

  add(calendar: Calendar): void {
    this.calendars.set(calendar.id, calendar);
    this.#events.set(calendar.id, new Map());
  }

  put(calendar: Calendar, event: Event): Event {
    this.#events.get(calendar.id)?.set(event.id ?? '', event);
    return event;
  }

  /** Everything stored in a calendar, deleted events too; occurrences only where they differ from their series. */
  stored(calendar: Calendar): readonly Event[] {
    return [...(this.#events.get(calendar.id)?.values() ?? [])];
  }

  /** An event, a deleted one too, or one occurrence of a series. */
  find(calendar: Calendar, id: string): Event | undefined {
    const event = this.#events.get(calendar.id)?.get(id);
    if (event !== undefined) return event;
    const [, seriesId = '', stamp] = /^(.+)_(\d{8}(?:T\d{6}Z)?)$/.exec(id) ?? [];
    const series = this.#events.get(calendar.id)?.get(seriesId);
    if (stamp === undefined || series?.recurrence == null) return undefined;
    for (const one of occurrences(series, calendar.timeZone, Number.POSITIVE_INFINITY)) {
      if (one.id === id) return { ...one, status: series.status ?? 'confirmed' };
    }
    return undefined;
  }

  /** @throws Refusal 404 */
  get(calendar: Calendar, id: string): Event {
    const event = this.find(calendar, id);
    if (event === undefined) throw notFound();
    return event;
  }

  post(mails: readonly Mail[]): void {
    this.mails = [...this.mails, ...mails].slice(-MAX_MAILS);
  }

  /** For `GET /_sandbox/state`. */
  state(): unknown {
    return {
      calendars: [...this.calendars.values()],
      events: Object.fromEntries([...this.#events].map(([id, events]) => [id, [...events.values()]])),
      mails: this.mails,
    };
  }
}
