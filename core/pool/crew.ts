import type { PoolSettings } from '#core/manifest.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import { Member } from '#core/pool/member.ts';
import {
  DEPARTURES,
  isIdle,
  isUsedUp,
  jitteredMaxAgeMs,
  PROVEN_AFTER_MS,
  RSS_EVERY_MS,
  reachedLimit,
  sweepEveryMs,
} from '#core/pool/recycle.ts';
import type { Renewal } from '#core/pool/renewal.ts';
import { Respawn } from '#core/pool/respawn.ts';
import type { RetireReason, Worker, WorkerEnd } from '#core/pool/worker.ts';

export interface CrewOptions<W extends Worker> {
  readonly settings: PoolSettings;
  readonly create: (id: number) => W;
  readonly on: <E extends keyof PoolEvents>(event: E, payload: PoolEvents[E]) => void;
  readonly random: () => number;
  /** Something about the workers has changed by itself: look again whom to serve and what to start. */
  readonly changed: () => void;
}

/**
 * The workers of a pool and the life of each: `starting` → `ready` → `retiring` → `ended`. It starts, retires
 * and ends when told to, notices what happens by itself (ready, failed, dead, too old, too big, idle), and
 * keeps the back-off and the verdict. Whom to give to whom, and when to start, is the pool's business.
 */
export class Crew<W extends Worker> {
  readonly #settings: PoolSettings;
  #create: (id: number) => W;
  readonly #on: CrewOptions<W>['on'];
  readonly #random: () => number;
  readonly #changed: () => void;
  readonly #respawn: Respawn;

  /** Every worker that has not ended. */
  readonly #members = new Set<Member<W>>();
  /** Those that take calls, oldest first. */
  readonly #ready: Member<W>[] = [];
  /** Those of `#ready` that are to be replaced, in the order they came up for it. */
  readonly #due: Member<W>[] = [];
  #starting = 0;
  #failed = false;
  #spawned = 0;
  readonly #ends: Partial<Record<RetireReason, number>> = {};

  #sweep: NodeJS.Timeout | undefined;
  #sweeping = true;
  #rssAtMs = 0;

  constructor(options: CrewOptions<W>) {
    this.#settings = options.settings;
    this.#create = options.create;
    this.#on = options.on;
    this.#random = options.random;
    this.#changed = options.changed;
    this.#respawn = new Respawn(options.random);
  }

  /** Every worker that has not ended. */
  get members(): ReadonlySet<Member<W>> {
    return this.#members;
  }

  /** Workers that take calls, or would if they were accepting. */
  get ready(): number {
    return this.#ready.length;
  }

  /** Without one that is tried out: it may never be any good. */
  get starting(): number {
    return this.#starting;
  }

  get live(): number {
    return this.#ready.length + this.#starting;
  }

  /** At most one worker more than `max`, those that finish their last calls included: memory is bounded too. */
  get hasRoom(): boolean {
    return this.#members.size <= this.#settings.max;
  }

  /** The crash-loop verdict: starts are hopeless and no worker is ready. Ends with the next that is. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The last start or worker came to a bad end. */
  get failing(): boolean {
    return this.#respawn.failures > 0;
  }

  get respawn(): Readonly<Pick<Respawn, 'failures' | 'failedStarts' | 'notBeforeMs'>> {
    return this.#respawn;
  }

  get firstDue(): Member<W> | undefined {
    return this.#due[0];
  }

  /** Workers started so far. */
  get spawned(): number {
    return this.#spawned;
  }

  /** Workers that have ended, by reason. */
  get ends(): Readonly<Partial<Record<RetireReason, number>>> {
    return this.#ends;
  }

  /** The worker with a free slot and the fewest calls; among equals the oldest, so that what is not needed becomes idle. */
  leastLoaded(avoid: ReadonlySet<number> | undefined): Member<W> | undefined {
    let best: Member<W> | undefined;
    let load = this.#settings.concurrency;
    for (const member of this.#ready) {
      if (member.inFlight >= load || !member.worker.accepting || avoid?.has(member.id)) continue;
      best = member;
      load = member.inFlight;
      if (load === 0) break;
    }
    return best;
  }

  /** No worker is there or coming beside these. */
  onlyHas(ids: ReadonlySet<number>): boolean {
    return this.#starting === 0 && this.#ready.every((member) => ids.has(member.id));
  }

  /** Starts a worker; `replaces` is retired when it is ready. A start that fails at once is booked like any other. */
  spawn(replaces: Member<W> | undefined, nowMs: number): void {
    this.#start({ create: this.#create, replaces, trial: undefined }, nowMs);
  }

  /** Starts a worker made in another way, beside those there are. When it is ready, that way is adopted. */
  tryOut(trial: Renewal<W>, nowMs: number): void {
    trial.begin();
    this.#start({ create: trial.create, replaces: this.#ready[0], trial }, nowMs);
  }

  /**
   * All workers are made by `create` from now on. Those made otherwise go: start-first where they take calls, at once
   * where they are still starting. What failed with them is forgotten, the verdict too. Settles when they have ended.
   */
  async adopt(create: (id: number) => W): Promise<void> {
    this.#create = create;
    this.#respawn.forget();
    this.#failed = false;
    const old = [...this.#members].filter((member) => member.create !== create);
    for (const member of old) {
      if (member.state === 'starting') this.destroy(member, 'reload');
      else this.replace(member, 'reload');
    }
    await Promise.all(old.map((member) => member.worker.ended));
  }

  #start(making: Pick<Member<W>, 'create' | 'replaces' | 'trial'>, nowMs: number): void {
    const id = ++this.#spawned;
    this.#on('worker:starting', { workerId: id });
    let worker: W;
    try {
      worker = making.create(id);
    } catch (error) {
      const summary = `could not be created: ${error instanceof Error ? error.message : String(error)}`;
      this.#count(id, 'start_failed', { summary, expected: false });
      if (making.trial === undefined) this.#startFailed();
      else making.trial.fail();
      return;
    }
    const maxAgeMs = jitteredMaxAgeMs(this.#settings.maxAgeMs, this.#random);
    const member = new Member(worker, { id, nowMs, maxAgeMs, ...making });
    this.#members.add(member);
    if (member.trial === undefined) this.#starting++;
    worker.onAccepting = this.#changed;
    worker.ready.then(
      () => this.#becameReady(member),
      () => this.#failedToStart(member),
    );
    worker.ended.then((end) => this.#hasEnded(member, end));
    this.#startSweep(nowMs);
  }

  /** A lease of it ended well. */
  didCall(member: Member<W>): void {
    // A worker that died gives its leases back too, and that proves nothing.
    if (!member.proven && member.worker.accepting) this.#prove(member);
    if (isUsedUp(member, this.#settings)) this.replace(member, 'uses');
  }

  /** To be replaced, start-first: it goes on until another is ready in its place. Not for a worker that retires. */
  replace(member: Member<W>, reason: RetireReason): void {
    if (member.due !== undefined || member.state === 'retiring') return;
    member.due = reason;
    // One that is still starting comes up for it when it is ready.
    if (member.state === 'ready') this.#due.push(member);
  }

  /** From `ready`: takes no further call, and is told to end when its last lease has ended. */
  retire(member: Member<W>, reason: RetireReason): void {
    this.#leave(member, reason);
    this.#on('worker:retiring', { workerId: member.id, reason });
    if (DEPARTURES[reason] === 'forced') this.#died(member);
    if (member.inFlight === 0) this.stop(member);
  }

  /** Ends a retiring worker gently; for when its last lease has ended. */
  stop(member: Member<W>): void {
    if (member.stopped) return;
    member.stopped = true;
    // Whether it ended is what `worker.ended` tells.
    member.worker.drain().catch(ignore);
  }

  /** Whatever its state: takes no further call and ends now. */
  destroy(member: Member<W>, reason: RetireReason): void {
    const wasReady = member.state === 'ready';
    if (member.state !== 'retiring') this.#leave(member, reason);
    if (wasReady) this.#on('worker:retiring', { workerId: member.id, reason });
    member.stopped = true;
    member.worker.destroy(reason).catch(ignore);
  }

  /** No more looking for workers to replace: the pool closes. */
  stopSweep(): void {
    this.#sweeping = false;
    this.#clearSweep();
  }

  #becameReady(member: Member<W>): void {
    if (member.state !== 'starting') return;
    const now = performance.now();
    member.state = 'ready';
    member.readyAtMs = now;
    member.idleSinceMs = now;
    if (member.trial === undefined) this.#starting--;
    this.#ready.push(member);
    if (member.due !== undefined) this.#due.push(member);
    this.#respawn.started();
    this.#on('worker:ready', { workerId: member.id, startMs: Math.round(now - member.startedAtMs) });
    if (this.#failed) {
      this.#failed = false;
      this.#on('pool:recovered', {});
    }
    member.trial?.succeed({ done: this.adopt(member.create) });
    const gone = member.trial === undefined ? member.replaces : this.#giveWayTo(member);
    if (gone?.state === 'ready') this.retire(gone, gone.due ?? 'reload');
    this.#changed();
  }

  /** The one that was to go may have died during the start, and another have come in its place: there is one too many then. */
  #giveWayTo({ create, replaces }: Member<W>): Member<W> | undefined {
    if (replaces?.state === 'ready' || this.live <= this.#settings.max) return replaces;
    return this.#ready.find((other) => other.create !== create);
  }

  #failedToStart(member: Member<W>): void {
    if (member.state !== 'starting') return;
    this.destroy(member, 'start_failed');
    if (member.trial === undefined) this.#startFailed();
    this.#changed();
  }

  #hasEnded(member: Member<W>, end: WorkerEnd): void {
    const before = member.state;
    if (before === 'starting') this.#leave(member, 'start_failed');
    else if (before === 'ready') this.#leave(member, 'crashed');
    // A planned departure that was to finish its last calls, and died with them.
    else if (!member.stopped && DEPARTURES[member.reason ?? 'crashed'] === 'planned') member.reason = 'crashed';
    member.state = 'ended';
    member.worker.onAccepting = undefined;
    this.#members.delete(member);
    if (this.#members.size === 0) this.#clearSweep();
    this.#count(member.id, member.reason ?? 'crashed', end);
    if (before === 'starting' && member.trial === undefined) this.#startFailed();
    else if (before === 'ready') this.#died(member);
    this.#changed();
  }

  /** From `starting` or `ready` to `retiring`. */
  #leave(member: Member<W>, reason: RetireReason): void {
    if (member.state === 'starting') {
      if (member.trial === undefined) this.#starting--;
      else member.trial.fail();
    }
    remove(this.#ready, member);
    remove(this.#due, member);
    member.state = 'retiring';
    member.reason = reason;
  }

  #count(workerId: number, reason: RetireReason, end: WorkerEnd): void {
    this.#ends[reason] = (this.#ends[reason] ?? 0) + 1;
    this.#on('worker:ended', { workerId, reason, end });
  }

  #startFailed(): void {
    this.#backOff(this.#respawn.startFailed(performance.now()));
  }

  /** A worker that had been ready is lost against the plan. */
  #died(member: Member<W>): void {
    const now = performance.now();
    const proven = member.proven || now - member.readyAtMs >= PROVEN_AFTER_MS;
    this.#backOff(this.#respawn.died(now, proven));
  }

  #backOff(delayMs: number): void {
    this.#on('pool:backoff', { failures: this.#respawn.failures, delayMs: Math.round(delayMs) });
    if (this.#failed || !this.#respawn.hopeless || this.#ready.length > 0) return;
    this.#failed = true;
    this.#on('pool:failed', { failures: this.#respawn.failedStarts });
  }

  #prove(member: Member<W>): void {
    member.proven = true;
    this.#respawn.proved();
  }

  #startSweep(nowMs: number): void {
    if (this.#sweep !== undefined || !this.#sweeping) return;
    this.#rssAtMs = nowMs;
    this.#sweep = setInterval(() => this.#lookAround(), sweepEveryMs(this.#settings));
    this.#sweep.unref();
  }

  #clearSweep(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** What only the clock brings about: age, memory, idleness, and that a worker has lived long enough. */
  #lookAround(): void {
    const now = performance.now();
    const rssIsDue = now - this.#rssAtMs >= RSS_EVERY_MS;
    if (rssIsDue) this.#rssAtMs = now;
    for (const member of this.#ready) {
      if (!member.proven && now - member.readyAtMs >= PROVEN_AFTER_MS) this.#prove(member);
      const reason = reachedLimit(member, this.#settings, now, rssIsDue ? member.worker.rss() : undefined);
      if (reason !== undefined) this.replace(member, reason);
    }
    // The youngest first: what `leastLoaded` prefers stays.
    for (const member of this.#ready.toReversed()) {
      const idle = isIdle(member, this.#settings.idleMs, now);
      if (idle && this.#ready.length > this.#settings.min) this.retire(member, 'idle');
    }
    this.#changed();
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}

function ignore(): void {}
