import { PassThrough, Writable } from 'node:stream';
import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RpcConnection } from '#core/jsonrpc/connection.ts';
import { PendingRequest, type RpcError, type RpcFailure, type RpcResult } from '#core/jsonrpc/request.ts';
import { until } from '../../support/until.ts';
import { random } from '../json/random-json.ts';
import { ScriptedPeer } from './scripted-peer.ts';

type Outcome =
  | { readonly result: unknown; readonly raw: RpcResult }
  | { readonly error: RpcError }
  | { readonly failure: RpcFailure };

class Recorded extends PendingRequest {
  outcome: Outcome | undefined;
  count = 0;
  readonly #log: string[];

  constructor(log: string[] = []) {
    super();
    this.#log = log;
  }

  override answered(raw: RpcResult): void {
    this.#set({ result: JSON.parse(Buffer.concat(raw.body).toString()), raw });
  }

  override refused(error: RpcError): void {
    this.#set({ error });
  }

  override failed(failure: RpcFailure): void {
    this.#set({ failure });
  }

  #set(outcome: Outcome): void {
    this.count++;
    this.outcome = outcome;
    this.#log.push(`answer ${this.id}`);
  }
}

interface Setup {
  readonly connection: RpcConnection;
  readonly log: string[];
  readonly broken: string[];
}

function connect(
  input: PassThrough,
  output: Writable,
  options: { maxLineBytes?: number; maxOutputBytes?: number } = {},
): Setup {
  const log: string[] = [];
  const broken: string[] = [];
  const connection = new RpcConnection(
    {
      input,
      output,
      maxLineBytes: 1 << 20,
      maxOutputBytes: 1 << 20,
      marks: { flag: 'isError', tag: 'resultType' },
      ...options,
    },
    {
      notification: (method, params) =>
        log.push(`${method} ${params === undefined ? '' : Buffer.concat(params).toString()}`),
      accepting: () => log.push('accepting'),
      halfClosed: (which) => log.push(`half closed ${which}`),
      broken: (why) => broken.push(why),
    },
  );
  return { connection, log, broken };
}

function ask(connection: RpcConnection, log?: string[]): Recorded {
  const request = new Recorded(log);
  connection.send(request, 'm', '{}');
  return request;
}

/** A writable whose writes finish when the test says so. */
class Stuck extends Writable {
  readonly texts: string[] = [];
  #finish: ((error?: Error | null) => void) | undefined;

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, callback: (error?: Error | null) => void): void {
    this.texts.push(chunk.toString());
    this.#finish = callback;
  }

  finish(error?: Error): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.(error);
  }
}

describe('RpcConnection', () => {
  it('gives 100 000 mixed answers to their own requests, shuffled, doubled, late and unknown ones among them', async () => {
    const next = random(5);
    const peer = new ScriptedPeer();
    const { connection, broken } = connect(peer.input, peer.output);
    const total = 100_000;
    const requests: Recorded[] = [];
    const forgotten = new Set<number>();
    let doubled = 0;
    let unknown = 0;
    for (let sent = 0; sent < total; ) {
      const batch: Recorded[] = [];
      for (; batch.length < 500; sent++) {
        const request = new Recorded();
        connection.send(request, 'tools/call', `{"principal":${sent % 2}}`);
        requests.push(request);
        batch.push(request);
      }
      await until('the batch arrived', () => peer.received.length === sent);
      const lines: string[] = [];
      for (const request of batch) {
        const { id } = request;
        if (next() < 0.02) {
          connection.forget(request);
          forgotten.add(id);
        }
        const sentId = next() < 0.1 ? `"${id}"` : String(id);
        const result = `{"for":${id},"pad":"${'x'.repeat(Math.floor(next() * 60))}"}`;
        const line =
          next() < 0.5
            ? `{"jsonrpc":"2.0","id":${sentId},"result":${result}}`
            : `{"result":${result},"jsonrpc":"2.0","id":${sentId}}`;
        lines.push(line);
        if (next() < 0.02) {
          lines.push(line);
          doubled++;
        }
        if (next() < 0.02) {
          lines.push(`{"jsonrpc":"2.0","id":${1e9 + id},"result":{}}`);
          unknown++;
        }
      }
      lines.sort(() => next() - 0.5);
      peer.say(`${lines.join('\n')}\n`);
    }
    await until('all answers are in', () => connection.pending === 0);
    await tick();
    const ids = new Set(requests.map(({ id }) => id));
    expect(ids.size).toBe(total);
    const crossed = requests.filter(({ id, outcome, count }) => {
      if (forgotten.has(id)) return count !== 0;
      return (
        count !== 1 || !(outcome !== undefined && 'result' in outcome) || (outcome.result as { for: number }).for !== id
      );
    });
    expect(crossed).toEqual([]);
    expect(connection.counters.lateAnswers).toBe(forgotten.size + doubled);
    expect(connection.counters.unknownAnswers).toBe(unknown);
    expect(broken).toEqual([]);
  }, 60_000);

  it('hands a result on as exactly the bytes the peer wrote, in pieces where it came in pieces', () => {
    const peer = new ScriptedPeer();
    const { connection } = connect(peer.input, peer.output);
    const request = ask(connection);
    const result = '{ "unknown" : [1.0, 1e2, "\\u00e9é"] }';
    const line = Buffer.from(`{"jsonrpc":"2.0","id":1,"result":${result}}\n`);
    for (const at of [20, 40, 45]) peer.input.emit('data', line.subarray(at === 20 ? 0 : at === 40 ? 20 : 40, at));
    peer.input.emit('data', line.subarray(45));
    const { raw } = request.outcome as { raw: RpcResult };
    expect(raw.body.length).toBeGreaterThan(1);
    expect(Buffer.concat(raw.body).toString()).toBe(result);
    expect(raw.length).toBe(Buffer.byteLength(result));
  });

  it('tells progress before the answer, also from one chunk', async () => {
    const peer = new ScriptedPeer();
    const { connection, log } = connect(peer.input, peer.output);
    ask(connection, log);
    peer.say(
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"n":1}}\n{"jsonrpc":"2.0","method":"notifications/progress","params":{"n":2}}\n' +
        '{"jsonrpc":"2.0","id":1,"result":{}}\n{"jsonrpc":"2.0","method":"after"}\n',
    );
    await until('all was told', () => log.length === 4);
    expect(log).toEqual(['notifications/progress {"n":1}', 'notifications/progress {"n":2}', 'answer 1', 'after ']);
  });

  it.each([
    ['result and error both', '"jsonrpc":"2.0","result":{},"error":{"code":1,"message":"x"}'],
    ['neither', '"jsonrpc":"2.0"'],
    ['no version', '"result":{}'],
    ['another version', '"jsonrpc":"1.0","result":{}'],
    ['an error without a code', '"jsonrpc":"2.0","error":{"message":"x"}'],
    ['an error that is a string', '"jsonrpc":"2.0","error":"x"'],
    ['two results', '"jsonrpc":"2.0","result":{},"result":{}'],
  ])('fails only its own call for %s', async (_what, members) => {
    const peer = new ScriptedPeer();
    const { connection, broken } = connect(peer.input, peer.output);
    const bad = ask(connection);
    const good = ask(connection);
    peer.say(`{"id":1,${members}}\n{"jsonrpc":"2.0","id":2,"result":{"ok":true}}\n`);
    await until('both are settled', () => connection.pending === 0);
    expect(bad.outcome).toEqual({ failure: 'shape' });
    expect(good.outcome).toMatchObject({ result: { ok: true } });
    expect(broken).toEqual([]);
  });

  it('fails only its own call for a result that is not UTF-8', async () => {
    const peer = new ScriptedPeer();
    const { connection } = connect(peer.input, peer.output);
    const bad = ask(connection);
    peer.say(
      Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"t":"'),
        Buffer.from([0xe9]),
        Buffer.from('"}}\n'),
      ]),
    );
    await until('it is settled', () => connection.pending === 0);
    expect(bad.outcome).toEqual({ failure: 'shape' });
  });

  it('fails only its own call for a line over the cap, and goes on', async () => {
    const peer = new ScriptedPeer();
    const { connection, broken } = connect(peer.input, peer.output, { maxLineBytes: 10_000 });
    const [head, tail, other] = [ask(connection), ask(connection), ask(connection)];
    const blob = 'x'.repeat(100_000);
    peer.say(`{"jsonrpc":"2.0","id":1,"result":{"b":"${blob}"}}\n{"result":{"b":"${blob}"},"jsonrpc":"2.0","id":2}\n`);
    peer.say(`{"jsonrpc":"2.0","method":"big","params":"${blob}"}\n`);
    peer.answer(3);
    await until('all are settled', () => connection.pending === 0);
    expect([head.outcome, tail.outcome]).toEqual([{ failure: 'oversize' }, { failure: 'oversize' }]);
    expect(other.outcome).toMatchObject({ result: {} });
    expect(connection.counters.oversizeLines).toBe(3);
    expect(broken).toEqual([]);
  });

  it('breaks on a line over the cap without an id, and on one over 16 times the cap', async () => {
    for (const line of [
      `{"jsonrpc":"2.0","result":"${'x'.repeat(3_000)}"}\n`,
      `{"jsonrpc":"2.0","id":1,"result":"${'x'.repeat(17_000)}`,
    ]) {
      const peer = new ScriptedPeer();
      const { connection, broken } = connect(peer.input, peer.output, { maxLineBytes: 1_000 });
      ask(connection);
      peer.say(line);
      await until('it is broken', () => broken.length === 1);
      peer.answer(1);
      await tick();
      expect(connection.pending).toBe(1);
    }
  });

  it('skips 100 lines of noise and breaks on the next, or on 64 KiB of it in one endless line', async () => {
    const many = new ScriptedPeer();
    const first = connect(many.input, many.output);
    const request = ask(first.connection);
    many.say('npm WARN deprecated\n'.repeat(99));
    many.say('[{"jsonrpc":"2.0","id":1,"result":{}}]\n');
    many.answer(1);
    await until('the answer came through', () => request.outcome !== undefined);
    expect(request.outcome).toMatchObject({ result: {} });
    expect(first.connection.counters.noiseLines).toBe(100);
    expect(first.broken).toEqual([]);
    many.say('one more\n');
    await until('it is broken', () => first.broken.length === 1);

    const flood = new ScriptedPeer();
    const second = connect(flood.input, flood.output);
    for (let chunk = 0; chunk < 7; chunk++) flood.say('x'.repeat(10_000));
    await until('it is broken', () => second.broken.length === 1);
    expect(second.connection.counters.noiseLines).toBe(0);
  });

  it('answers the ping of the peer and refuses its other requests, with ids of either type', async () => {
    const peer = new ScriptedPeer();
    const { connection } = connect(peer.input, peer.output);
    const replies: unknown[] = [];
    peer.output.on('data', (text: string) =>
      replies.push(
        ...text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ),
    );
    peer.say(
      '{"jsonrpc":"2.0","id":"p-\\"1","method":"ping"}\n{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}\n',
    );
    await until('both are answered', () => replies.length === 2);
    expect(replies).toEqual([
      { jsonrpc: '2.0', id: 'p-"1', result: {} },
      { jsonrpc: '2.0', id: 7, error: { code: -32601, message: 'Method not found' } },
    ]);
    expect(connection.counters.refusedRequests).toBe(1);
  });

  it('hands the error of an answer on', async () => {
    const peer = new ScriptedPeer();
    const { connection } = connect(peer.input, peer.output);
    const request = ask(connection);
    peer.refuse(1, -32602, 'nö', { a: 1 });
    await until('it is settled', () => request.outcome !== undefined);
    expect(request.outcome).toEqual({ error: { code: -32602, message: 'nö', data: { a: 1 } } });
  });

  it('writes what one tick asked in one go, and begins no write while another is unfinished', async () => {
    const output = new Stuck();
    const { connection } = connect(new PassThrough(), output);
    const alone = ask(connection);
    expect(alone.written).toBe(true);
    output.finish();
    const [a, b] = [ask(connection), ask(connection)];
    expect(output.texts).toHaveLength(1);
    await tick();
    expect(output.texts.map((text) => text.split('\n').length - 1)).toEqual([1, 2]);
    const c = ask(connection);
    await tick();
    connection.end();
    expect([a.written, b.written, c.written]).toEqual([true, true, false]);
    expect(output.texts).toHaveLength(2);
    output.finish();
    await until('the next batch left', () => output.texts.length === 3);
    expect(c.written).toBe(true);
    output.destroy();
  });

  it('takes back what has not left, and only that', async () => {
    const output = new Stuck();
    const { connection } = connect(new PassThrough(), output);
    const sent = ask(connection);
    await tick();
    const [kept, withdrawn] = [ask(connection), ask(connection)];
    expect(connection.withdraw(sent)).toBe(false);
    expect(connection.withdraw(withdrawn)).toBe(true);
    expect(connection.withdraw(withdrawn)).toBe(false);
    output.finish();
    await until('the rest left', () => output.texts.length === 2);
    expect(output.texts[1]).toBe(`{"jsonrpc":"2.0","id":${kept.id},"method":"m","params":{}}\n`);
    expect(connection.pending).toBe(2);
    output.destroy();
  });

  it('bounds what is unsent, and says when there is room again', async () => {
    const output = new Stuck();
    const { connection, log } = connect(new PassThrough(), output, { maxOutputBytes: 1_000 });
    ask(connection);
    await tick();
    let queued = 0;
    while (connection.accepting && queued < 1_000) {
      ask(connection);
      queued++;
    }
    expect(queued).toBeLessThan(25);
    expect(log).toEqual([]);
    output.finish();
    await until('the backlog is being written', () => output.texts.length === 2);
    expect(connection.accepting).toBe(false);
    output.finish();
    await until('it accepts again', () => connection.accepting);
    expect(log).toEqual(['accepting']);
    output.destroy();
  });

  it('does not queue refusals for a peer that does not read', async () => {
    const input = new PassThrough();
    const output = new Stuck();
    const { connection } = connect(input, output, { maxOutputBytes: 1_000 });
    ask(connection);
    await tick();
    for (let id = 0; id < 1_000; id++) input.write(`{"jsonrpc":"2.0","id":${id},"method":"roots/list"}\n`);
    await until('all were read', () => connection.counters.refusedRequests === 1_000);
    output.finish();
    await until('the rest left', () => output.texts.length === 2);
    expect(output.texts[1]?.length).toBeLessThan(2_000);
    output.destroy();
  });

  it('reports a batch whose write fails at once, and all behind it, as unwritten', async () => {
    let broken = false;
    const output = new Writable({
      decodeStrings: false,
      write: (_chunk, _encoding, callback) =>
        callback(broken ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : null),
    });
    const { connection, log } = connect(new PassThrough(), output);
    ask(connection);
    await tick();
    broken = true;
    const requests = [ask(connection), ask(connection)];
    await until('they failed', () => requests.every(({ outcome }) => outcome !== undefined));
    expect(requests.map(({ outcome, written }) => ({ outcome, written }))).toEqual([
      { outcome: { failure: 'unwritten' }, written: false },
      { outcome: { failure: 'unwritten' }, written: false },
    ]);
    expect(connection.accepting).toBe(false);
    expect(log).toEqual(['half closed output']);
  });

  it('reports a request that is alone and cannot be written at once', () => {
    const output = new Writable({
      decodeStrings: false,
      write: (_chunk, _encoding, callback) => callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const { connection } = connect(new PassThrough(), output);
    expect(ask(connection)).toMatchObject({ outcome: { failure: 'unwritten' }, written: false });
    expect(connection.pending).toBe(0);
  });

  it('leaves a batch in doubt whose write fails later, but not what waited behind it', async () => {
    const output = new Stuck();
    const { connection } = connect(new PassThrough(), output);
    const doubtful = ask(connection);
    await tick();
    const waiting = ask(connection);
    output.finish(new Error('write EPIPE'));
    await until('the waiting one failed', () => waiting.outcome !== undefined);
    expect(waiting.outcome).toEqual({ failure: 'unwritten' });
    expect(doubtful.outcome).toBeUndefined();
    expect(connection.close()).toEqual([doubtful]);
    expect(doubtful.written).toBe(true);
  });

  it('ends the output only behind what is queued', async () => {
    const peer = new ScriptedPeer();
    const { connection } = connect(peer.input, peer.output);
    const request = ask(connection);
    connection.end();
    await until('the other end sees the end', () => peer.output.readableEnded);
    expect(peer.methods()).toEqual(['m']);
    peer.answer(1);
    await until('the answer still came', () => request.outcome !== undefined);
  });

  it('says nothing more once closed', async () => {
    const peer = new ScriptedPeer();
    const { connection, log } = connect(peer.input, peer.output);
    const request = ask(connection);
    expect(connection.close()).toEqual([request]);
    expect(connection.close()).toEqual([]);
    peer.say('{"jsonrpc":"2.0","method":"n"}\n');
    peer.answer(1);
    peer.input.end();
    await until('the input was read', () => peer.input.readableEnded);
    expect([log, request.outcome]).toEqual([[], undefined]);
  });
});
