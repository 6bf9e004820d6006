import type { CancelSignal } from '#core/cancellation.ts';
import { BridgeError } from '#core/errors.ts';
import type { PoolSettings } from '#core/manifest.ts';
import { Alarm } from '#core/pool/alarm.ts';
import { Crew } from '#core/pool/crew.ts';
import type { PoolEvents } from '#core/pool/events.ts';
import { type EndLease, type Lease, SlotLease } from '#core/pool/lease.ts';
import type { Member } from '#core/pool/member.ts';
import { DEPARTURES } from '#core/pool/recycle.ts';
import { draining, type Load, queueFull, shareFull, unavailable, waitedTooLong } from '#core/pool/refusals.ts';
import { Renewal, type Renewed } from '#core/pool/renewal.ts';
import { Shares, type Tally } from '#core/pool/shares.ts';
import { wantedStart } from '#core/pool/starts.ts';
import type { PoolState, PoolStats } from '#core/pool/stats.ts';
import { Waiter, Waiters } from '#core/pool/waiters.ts';
import type { Worker } from '#core/pool/worker.ts';

export interface PoolOptions<W extends Worker> {
  /** `queueMax` 0 together with `min` 0 makes a pool that never starts: only a waiter starts the first worker. */
  readonly settings: PoolSettings;
  /** Starts a worker with this id. What it throws counts as a failed start. */
  readonly create: (id: number) => W;
  /** Told of every transition after it has happened. Must not throw. */
  readonly on?: <E extends keyof PoolEvents>(event: E, payload: PoolEvents[E]) => void;
  /** How long the oldest waiter waits before one more worker is started for it. @default 50 */
  readonly growAfterMs?: number;
  /** In [0..1): spreads back-off and ages. @default Math.random */
  readonly random?: () => number;
}

export interface AcquireOptions {
  /** Whose share of the pool it takes: the tool. */
  readonly key: string;
  /** Aborted: the waiter leaves at that moment. A lease that was given is not taken back. */
  readonly signal: CancelSignal;
  /** Workers that failed this call before; see `Pool.acquire`. */
  readonly avoid?: ReadonlySet<number> | undefined;
}

/**
 * A bounded pool of workers that each take several calls at a time.
 *
 * Every change of state ends in `#pulse`, which alone decides what happens next: whom to serve, whether to
 * start a worker, whether something that was waited for has come true. Between two pulses nothing is left
 * undone: no waiter waits that could be served.
 *
 * Bounds that always hold: at most `concurrency` leases per worker; at most `queueMax` waiters; at most `max`
 * workers starting or ready, and one more while a replacement is started; at most `max + 1` workers that have
 * not ended, those included that finish their last calls.
 */
export class Pool<W extends Worker> implements AsyncDisposable {
  readonly #settings: PoolSettings;
  readonly #on: NonNullable<PoolOptions<W>['on']>;
  readonly #growAfterMs: number;
  readonly #shares: Shares;
  readonly #waiters = new Waiters<W>();
  readonly #crew: Crew<W>;
  /** For the growth or the back-off, whichever comes first. */
  readonly #alarm = new Alarm(() => this.#pulse());
  /** A worker has been ready since the pool last rested at zero. */
  #everReady = false;
  #closing: 'draining' | 'destroyed' | undefined;
  readonly #closed = Promise.withResolvers<void>();
  readonly #starters: (() => void)[] = [];
  #renewal: Renewal<W> | undefined;

  constructor({ settings, create, on = ignore, growAfterMs = 50, random = Math.random }: PoolOptions<W>) {
    this.#settings = settings;
    this.#on = on;
    this.#growAfterMs = growAfterMs;
    this.#shares = new Shares(settings.maxShareOfTool, settings.max * settings.concurrency, settings.queueMax);
    this.#crew = new Crew({ settings, create, on, random, changed: () => this.#pulse() });
  }

  /** True while a call has a chance: a worker is ready, or none need be because the first call starts one. */
  get ready(): boolean {
    if (this.#closing !== undefined) return false;
    return this.#crew.ready > 0 || (this.#settings.min === 0 && !this.#crew.failed);
  }

  /**
   * A slot of the least loaded worker: at once, as a lease, where one is free; otherwise a promise, first in,
   * first out, except that a tool that already holds its share lets the others pass. Never throws: refusals
   * are rejections.
   *
   * A worker in `avoid` is given only where there is no other: none is ready or starting, and none can be
   * started now (`max` is reached, or the pool backs off). Otherwise the call waits for another one.
   *
   * @throws BridgeError `queue_full`; `queue_timeout` or `no_worker_ready` when the signal is aborted with
   * `deadline_exceeded` while waiting; `bridge_unavailable` during the crash-loop verdict; `draining`.
   * Any other reason of the signal is rethrown as it is, and so is every reason that was there before.
   */
  acquire(options: AcquireOptions): Lease<W> | Promise<Lease<W>> {
    if (options.signal.aborted) return Promise.reject(options.signal.reason);
    if (this.#closing !== undefined) return this.#refuse(this.#drainingError());
    const tally = this.#shares.of(options.key);
    if (tally.slots < this.#shares.maxSlots) {
      const member = this.#choose(options.avoid);
      if (member !== undefined) return this.#lease(member, tally);
    }
    return this.#enqueue(options, tally);
  }

  /** Starts `min` workers. Settles when they are ready, or when the first attempts have failed; never rejects. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#starters.push(resolve);
      this.#pulse();
    });
  }

  /**
   * Has workers made by `create` from now on, without a moment in which fewer take calls: one is started beside those
   * there are, and when it is ready it takes the place of the oldest, and the others follow one after the other. One
   * that does not become ready has changed nothing: undefined. Where no worker could be started until now there is
   * nothing to preserve, and `create` is taken untried. One at a time.
   */
  renew(create: (id: number) => W): Promise<Renewed | undefined> {
    if (this.#renewal !== undefined) throw new Error('a renewal of the workers is still under way');
    if (this.#closing !== undefined) return Promise.resolve(undefined);
    const crew = this.#crew;
    if (crew.ready === 0 && (crew.starting > 0 || crew.failing || crew.failed)) {
      const done = crew.adopt(create);
      this.#pulse();
      return Promise.resolve({ done });
    }
    const renewal = new Renewal(create);
    this.#renewal = renewal;
    this.#pulse();
    return renewal.outcome.finally(() => {
      this.#renewal = undefined;
    });
  }

  /**
   * Refuses new calls with `draining`, serves those that wait, lets every lease end, then ends the workers
   * gently. Settles when all have ended. Repeats, and `destroy`, join it.
   */
  drain(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = 'draining';
      this.#crew.stopSweep();
      this.#pulse();
    }
    return this.#closed.promise;
  }

  /** Ends everything now: waiters are refused with `draining`, workers destroyed. Settles when all have ended; idempotent. */
  destroy(): Promise<void> {
    if (this.#closing !== 'destroyed') {
      this.#closing = 'destroyed';
      this.#crew.stopSweep();
      this.#refuseWaiters(() => this.#drainingError());
      for (const member of [...this.#crew.members]) this.#crew.destroy(member, 'shutdown');
      this.#pulse();
    }
    return this.#closed.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  /** A snapshot. */
  stats(): PoolStats {
    const now = performance.now();
    const { max, concurrency, queueMax } = this.#settings;
    const { failures, notBeforeMs } = this.#crew.respawn;
    const oldest = this.#waiters.first;
    return {
      state: this.#state(),
      workers: Array.from(this.#crew.members, (member) => member.stats(now)),
      waiting: this.#waiters.size,
      oldestWaiterMs: oldest === undefined ? 0 : Math.round(now - oldest.sinceMs),
      queueMax,
      max,
      concurrency,
      spawned: this.#crew.spawned,
      ended: { ...this.#crew.ends },
      failures,
      nextStartInMs: notBeforeMs > now && this.#closing === undefined ? Math.ceil(notBeforeMs - now) : undefined,
    };
  }

  #choose(avoid: ReadonlySet<number> | undefined): Member<W> | undefined {
    const best = this.#crew.leastLoaded(avoid);
    if (best !== undefined || avoid === undefined || !this.#crew.onlyHas(avoid)) return best;
    const another =
      this.#closing === undefined &&
      this.#crew.hasRoom &&
      this.#crew.live < this.#settings.max &&
      this.#crew.respawn.notBeforeMs <= performance.now();
    return another ? undefined : this.#crew.leastLoaded(undefined);
  }

  #lease(member: Member<W>, tally: Tally): Lease<W> {
    member.inFlight++;
    tally.slots++;
    return new SlotLease(member, tally, this.#endLease);
  }

  readonly #endLease: EndLease<W> = (member, tally, reason) => {
    member.inFlight--;
    tally.slots--;
    member.calls++;
    if (member.state === 'ready') {
      if (reason === undefined) {
        this.#crew.didCall(member);
        // The common end of a call, on the hot path: one more free slot that nobody waits for.
        if (this.#waiters.size === 0 && this.#crew.firstDue === undefined) return;
      } else if (DEPARTURES[reason] === 'planned') this.#crew.replace(member, reason);
      else this.#crew.retire(member, reason);
    } else if (member.state === 'retiring' && member.inFlight === 0) this.#crew.stop(member);
    this.#pulse();
  };

  #enqueue(options: AcquireOptions, tally: Tally): Promise<Lease<W>> {
    const { queueMax } = this.#settings;
    if (this.#crew.failed) return this.#refuse(this.#unavailableError());
    if (this.#waiters.size >= queueMax) return this.#refuse(queueFull(this.#load()));
    if (tally.waiting >= this.#shares.maxWaiting) return this.#refuse(shareFull(tally.waiting, queueMax));
    const waiter = new Waiter<W>(options, tally, performance.now(), this.#leave);
    this.#waiters.push(waiter);
    this.#pulse();
    return waiter.promise;
  }

  /** The waiter's signal was aborted. */
  readonly #leave = (waiter: Waiter<W>): void => {
    const reason: unknown = waiter.signal.reason;
    const refusal =
      reason instanceof BridgeError && reason.code === 'deadline_exceeded'
        ? waitedTooLong(performance.now() - waiter.sinceMs, this.#load(), this.#everReady, reason)
        : undefined;
    this.#waiters.remove(waiter);
    waiter.refuse(refusal ?? reason);
    this.#on('acquire:refused', { code: refusal?.code ?? 'aborted' });
    this.#pulse();
  };

  #refuse(refusal: BridgeError): Promise<never> {
    this.#on('acquire:refused', { code: refusal.code });
    return Promise.reject(refusal);
  }

  #refuseWaiters(refusal: () => BridgeError): void {
    for (let waiter = this.#waiters.first; waiter !== undefined; waiter = this.#waiters.first) {
      const error = refusal();
      this.#waiters.remove(waiter);
      waiter.refuse(error);
      this.#on('acquire:refused', { code: error.code });
    }
  }

  #pulse(): void {
    const crew = this.#crew;
    // Each attempt to start either takes a place or closes the back-off's gate, so this ends.
    while (this.#startOne(this.#serve()));
    if (crew.failed) this.#refuseWaiters(() => this.#unavailableError());
    if (crew.ready > 0) this.#everReady = true;
    else if (crew.live === 0 && this.#settings.min === 0 && this.#waiters.size === 0) this.#everReady = false;
    this.#settleStart();
    if (this.#closing !== undefined && this.#waiters.size === 0) this.#close();
  }

  /**
   * Gives out what is free, oldest waiter first. Returns the oldest that waits for want of a slot; one whose
   * tool holds its share would get nothing from a further worker.
   */
  #serve(): Waiter<W> | undefined {
    let blocked: Waiter<W> | undefined;
    let waiter = this.#waiters.first;
    while (waiter !== undefined) {
      const next: Waiter<W> | undefined = waiter.next;
      if (waiter.tally.slots < this.#shares.maxSlots) {
        const member = this.#choose(waiter.avoid);
        if (member !== undefined) {
          this.#waiters.remove(waiter);
          waiter.serve(this.#lease(member, waiter.tally));
        } else {
          blocked ??= waiter;
          // Who would take any worker got none, so nobody behind gets one.
          if (waiter.avoid === undefined) return blocked;
        }
      }
      waiter = next;
    }
    return blocked;
  }

  /** Starts one worker if the state asks for it now, or sets the alarm for when it will. Returns whether it tried. */
  #startOne(blocked: Waiter<W> | undefined): boolean {
    const crew = this.#crew;
    const closing = this.#closing !== undefined;
    if (this.#renewal?.waits && closing) this.#renewal.fail();
    if (this.#renewal?.waits && crew.hasRoom) {
      // Whatever the back-off: it speaks of workers of another kind.
      crew.tryOut(this.#renewal, performance.now());
      return true;
    }
    const wanted = wantedStart(crew, this.#settings, { blocked, closing, growAfterMs: this.#growAfterMs });
    if (wanted === undefined) return false;
    const now = performance.now();
    const fromMs = Math.max(wanted.fromMs, crew.respawn.notBeforeMs);
    if (fromMs > now) {
      this.#alarm.ringAt(fromMs, now);
      return false;
    }
    crew.spawn(wanted.replaces, now);
    return true;
  }

  #settleStart(): void {
    if (this.#starters.length === 0) return;
    const inVain = this.#crew.failing && this.#crew.starting === 0;
    if (this.#crew.ready < this.#settings.min && !inVain && this.#closing === undefined) return;
    for (const settle of this.#starters.splice(0)) settle();
  }

  /** Nobody waits any more: the workers go as their leases end, and the last one out closes. */
  #close(): void {
    const { members } = this.#crew;
    for (const member of [...members]) {
      if (member.state === 'ready') this.#crew.retire(member, 'shutdown');
      // Nothing is in flight there, so there is nothing to finish.
      else if (member.state === 'starting') this.#crew.destroy(member, 'shutdown');
    }
    if (members.size > 0) return;
    this.#alarm.clear();
    this.#closed.resolve();
  }

  #state(): PoolState {
    const { members, failed, ready, starting } = this.#crew;
    if (this.#closing !== undefined) return members.size === 0 && this.#waiters.size === 0 ? 'ended' : 'draining';
    if (failed) return 'failed';
    if (ready > 0) return 'ready';
    return starting > 0 || this.#alarm.set ? 'starting' : 'cold';
  }

  #load(): Load {
    const { ready, starting } = this.#crew;
    return { ready, starting, calls: this.#calls(), waiting: this.#waiters.size };
  }

  #calls(): number {
    let calls = 0;
    for (const { inFlight } of this.#crew.members) calls += inFlight;
    return calls;
  }

  #drainingError(): BridgeError {
    return draining(this.#calls());
  }

  #unavailableError(): BridgeError {
    const { failedStarts, notBeforeMs } = this.#crew.respawn;
    return unavailable(failedStarts, Math.max(0, notBeforeMs - performance.now()));
  }
}

function ignore(): void {}
