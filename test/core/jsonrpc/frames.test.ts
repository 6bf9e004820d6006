import { describe, expect, it } from 'vitest';
import type { Envelope } from '#core/jsonrpc/envelope.ts';
import { Frames, MAX_LINE_FACTOR } from '#core/jsonrpc/frames.ts';
import { damaged, pick, random, randomJson } from '../json/random-json.ts';

interface Seen {
  readonly kind: 'message' | 'oversize' | 'noise' | 'endless';
  readonly id?: unknown;
  readonly method?: unknown;
  readonly version?: boolean;
  readonly duplicated?: boolean;
  readonly result?: string | undefined;
  readonly error?: string | undefined;
  readonly params?: string | undefined;
  readonly flag?: boolean;
  readonly tag?: string | undefined;
  readonly bytes?: number;
  readonly valid?: boolean;
}

function collect(chunks: Iterable<Uint8Array>, maxLineBytes = 1 << 20): Seen[] {
  const seen: Seen[] = [];
  let noise = 0;
  const read = (span: Envelope['result']): string | undefined =>
    span.kind === undefined ? undefined : Buffer.concat(frames.slice(span)).toString();
  const frames: Frames = new Frames(
    { maxLineBytes, marks: { flag: 'isError', tag: 'resultType' } },
    {
      message: (e) =>
        seen.push({
          kind: 'message',
          id: e.id,
          method: e.method,
          version: e.version,
          duplicated: e.duplicated,
          result: read(e.result),
          error: read(e.error),
          params: read(e.params),
          flag: e.flag,
          tag: e.tag,
        }),
      oversize: (e, valid) => seen.push({ kind: 'oversize', id: e.id, method: e.method, valid }),
      noise: (bytes, ended) => {
        noise += bytes;
        if (!ended) return;
        seen.push({ kind: 'noise', bytes: noise });
        noise = 0;
      },
      endless: () => seen.push({ kind: 'endless' }),
    },
  );
  for (const chunk of chunks) frames.push(chunk);
  return seen;
}

function* split(bytes: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes)
    yield Uint8Array.prototype.slice.call(bytes, at, at + chunkBytes);
}

function one(text: string): Seen {
  const [seen, ...more] = collect([Buffer.from(`${text}\n`)]);
  expect(more).toEqual([]);
  return seen as Seen;
}

describe('Frames', () => {
  it('reads both key orders by the same way', () => {
    const result = '{"content":[{"type":"text","text":"hi"}]}';
    const expected = { kind: 'message', id: 7, version: true, duplicated: false, result, flag: false };
    expect(one(`{"jsonrpc":"2.0","id":7,"result":${result}}`)).toMatchObject(expected);
    expect(one(`{"result":${result},"jsonrpc":"2.0","id":7}`)).toMatchObject(expected);
    expect(one(` { "id" : 7 , "result" :  ${result}  , "jsonrpc" : "2.0" , "extra" : {"id":8} } `)).toMatchObject(
      expected,
    );
  });

  it('keeps CRLF, empty lines, a byte order mark and many messages in one chunk apart, at every chunk size', () => {
    const stream = Buffer.from(
      '\ufeff{"jsonrpc":"2.0","id":1,"result":{"t":"Grüße 日本 😀"}}\r\n\r\n  \n\ufeff{"jsonrpc":"2.0","method":"m","params":[1]}\n' +
        'npm notice\n{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"x"}}\n',
    );
    const whole = collect([stream]);
    expect(whole).toMatchObject([
      { kind: 'message', id: 1, result: '{"t":"Grüße 日本 😀"}' },
      { kind: 'message', method: 'm', params: '[1]' },
      { kind: 'noise', bytes: 11 },
      { kind: 'message', id: 'a', error: '{"code":1,"message":"x"}' },
    ]);
    for (let chunkBytes = 1; chunkBytes < stream.length; chunkBytes++) {
      expect(collect(split(stream, chunkBytes))).toEqual(whole);
    }
  });

  it('takes half a byte order mark for noise', () => {
    expect(collect([Buffer.from([0xef]), Buffer.from([0xbb, 0x7b, 0x7d, 0x0a])])).toMatchObject([{ kind: 'noise' }]);
  });

  it('finds isError and resultType of the result only, in any spelling', () => {
    expect(one('{"id":1,"result":{"isError":true}}')).toMatchObject({ flag: true });
    expect(one('{"id":1,"result":{"\\u0069sError":true,"resultType":"input_required"}}')).toMatchObject({
      flag: true,
      tag: 'input_required',
    });
    expect(one('{"id":1,"result":{"isError":"true"}}')).toMatchObject({ flag: false });
    expect(one('{"id":1,"result":{"isError":true,"isError":false}}')).toMatchObject({ flag: false });
    expect(one('{"id":1,"result":{"structuredContent":{"isError":true},"content":[{"isError":true}]}}')).toMatchObject({
      flag: false,
    });
    expect(one('{"id":1,"result":[{"isError":true}]}')).toMatchObject({ flag: false });
    expect(one('{"id":1,"error":{"isError":true},"result":{}}')).toMatchObject({ flag: false });
    expect(one('{"id":1,"result":{"text":"\\"isError\\":true"}}')).toMatchObject({ flag: false });
  });

  it('understands escaped keys and ids of every kind', () => {
    expect(one('{"\\u0069d":12,"\\u006a\\u0073\\u006f\\u006e\\u0072\\u0070\\u0063":"\\u0032.0"}')).toMatchObject({
      id: 12,
      version: true,
    });
    expect(one('{"id":"x\\u0041"}')).toMatchObject({ id: 'xA' });
    expect(one('{"id":null}')).toMatchObject({ id: null });
    expect(one('{"id":1.0}')).toMatchObject({ id: 1 });
    expect(one('{"id":-1e3}')).toMatchObject({ id: -1000 });
    expect(one('{"id":[1]}')).toMatchObject({ id: undefined });
    expect(one(`{"id":"${'x'.repeat(600)}"}`)).toMatchObject({ id: undefined });
    expect(one('{"jsonrpc":"1.0"}')).toMatchObject({ version: false });
    expect(one('{"jsonrpc":2.0}')).toMatchObject({ version: false });
  });

  it.each(['jsonrpc', 'id', 'method', 'result', 'error', 'params'])('marks a message with two members %s', (name) => {
    expect(one(`{"${name}":"2.0","a":1}`)).toMatchObject({ duplicated: false });
    expect(one(`{"${name}":"2.0","a":1,"${name}":{}}`)).toMatchObject({ duplicated: true });
  });

  it('takes JSON that is no object, and anything else, for noise', () => {
    for (const text of [
      '[{"jsonrpc":"2.0","id":1,"result":{}}]',
      '12',
      '"x"',
      'null',
      '{"id":1',
      '{"id":1}}',
      'Listening …',
    ]) {
      expect(one(text)).toEqual({ kind: 'noise', bytes: Buffer.byteLength(text) + 1 });
    }
  });

  it('throws a long line away and knows its id from the head or the tail', () => {
    const blob = 'x'.repeat(5_000);
    for (const line of [
      `{"jsonrpc":"2.0","id":9,"result":{"b":"${blob}"}}`,
      `{"result":{"b":"${blob}"},"jsonrpc":"2.0","id":9}`,
    ]) {
      const stream = Buffer.from(`${line}\n{"id":10,"result":{}}\n`);
      for (const chunkBytes of [1, 100, 4_096, 100_000]) {
        expect(collect(split(stream, chunkBytes), 1_000)).toMatchObject([
          { kind: 'oversize', id: 9, valid: true },
          { kind: 'message', id: 10, result: '{}' },
        ]);
      }
    }
  });

  it('keeps a line of exactly the cap', () => {
    const line = '{"id":1,"result":{}}';
    expect(collect([Buffer.from(`${line}\n`)], line.length)).toMatchObject([{ kind: 'message' }]);
    expect(collect([Buffer.from(`${line}\n`)], line.length - 1)).toMatchObject([{ kind: 'oversize', id: 1 }]);
    expect(collect(split(Buffer.from(`${line}\n`), 3), line.length)).toMatchObject([{ kind: 'message' }]);
  });

  it('gives up on a line that never ends', () => {
    function* endless(): Generator<Uint8Array> {
      yield Buffer.from('{"id":1,"result":"');
      for (let chunk = 0; chunk < 100; chunk++) yield Buffer.alloc(1_000, 0x61);
    }
    expect(collect(endless(), 1_000)).toEqual([{ kind: 'endless' }]);
    expect(MAX_LINE_FACTOR).toBe(16);
  });

  it('puts a line written byte by byte together without an object per byte', () => {
    const text = 'é'.repeat(20_000);
    const [seen] = collect(split(Buffer.from(`{"id":1,"result":{"t":"${text}"}}\n`), 1));
    expect(seen).toMatchObject({ kind: 'message', result: `{"t":"${text}"}` });
  });

  it('says of 5 000 random lines what JSON.parse says, split anywhere', () => {
    const next = random(42);
    for (let round = 0; round < 5_000; round++) {
      const members = new Map<string, string>();
      for (const name of ['jsonrpc', 'id', 'method', 'result', 'error', 'params', 'extra', '__proto__']) {
        if (next() < 0.5) members.set(name, randomJson(next));
      }
      if (next() < 0.7) members.set('jsonrpc', '"2.0"');
      if (next() < 0.7) members.set('id', pick(next, ['1', '23', '"7"', 'null', '1e2', '999999999999999999']));
      if (next() < 0.5)
        members.set(
          'result',
          `{"isError":${pick(next, ['true', 'false', '1', '"true"'])},"resultType":${randomJson(next)}}`,
        );
      const order = [...members].sort(() => next() - 0.5);
      const line = `{${order.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`.replaceAll(
        '\n',
        ' ',
      );
      const text = next() < 0.3 ? damaged(next, line).replaceAll('\n', ' ') : line;
      const bytes = Buffer.from(`${text}\n`);
      const seen = collect(next() < 0.3 ? [bytes] : split(bytes, 1 + Math.floor(next() * 40)));
      let value: unknown;
      try {
        value = JSON.parse(bytes.toString());
      } catch {
        value = undefined;
      }
      const context = bytes.toString();
      if (context.trim() === '') expect([context, seen]).toEqual([context, []]);
      else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        expect([context, seen]).toMatchObject([context, [{ kind: 'noise', bytes: bytes.length }]]);
      } else {
        const message = seen[0] as Seen;
        expect([context, seen.length, message.kind]).toEqual([context, 1, 'message']);
        const object = value as Record<string, unknown>;
        const { id, method, result } = object;
        const isId = typeof id === 'string' || typeof id === 'number' || id === null;
        // Ids of more than 128 bytes are not ours.
        const isLong = typeof id === 'string' && JSON.stringify(id).length > 60;
        if (!isLong) expect([context, message.id]).toEqual([context, isId ? id : undefined]);
        expect([context, message.version]).toEqual([context, object.jsonrpc === '2.0']);
        expect([context, message.method]).toEqual([
          context,
          typeof method === 'string' && Buffer.byteLength(method) <= 60 ? method : message.method,
        ]);
        // A result that stands twice is not to be used at all.
        if (message.duplicated === true) continue;
        for (const name of ['result', 'error', 'params'] as const) {
          const raw = message[name];
          expect([context, name, raw === undefined ? undefined : JSON.parse(raw)]).toEqual([
            context,
            name,
            object[name],
          ]);
        }
        const inner = (typeof result === 'object' && result !== null && !Array.isArray(result) ? result : {}) as Record<
          string,
          unknown
        >;
        expect([context, message.flag]).toEqual([context, inner.isError === true]);
        const { resultType } = inner;
        if (typeof resultType !== 'string') expect([context, message.tag]).toEqual([context, undefined]);
        else if (Buffer.byteLength(resultType) < 20) expect([context, message.tag]).toEqual([context, resultType]);
      }
    }
  });
});
