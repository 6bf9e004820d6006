import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { IncomingRequest } from '#core/http/incoming-request.ts';
import { until } from '../../support/until.ts';

/** Posts the pieces to a server that answers as `handle` does; resolves with its answer's text. */
async function post(
  pieces: readonly string[],
  handle: (incoming: IncomingRequest, outgoing: ServerResponse) => void,
): Promise<string> {
  const server = createServer({ IncomingMessage: IncomingRequest }, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent: false });
    const answered = once(outgoing, 'response');
    for (const piece of pieces) outgoing.write(piece);
    outgoing.end();
    const [answer] = await answered;
    let text = '';
    for await (const chunk of answer) text += chunk;
    return text;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Takes the body and answers with it when its end is told. */
function echo(incoming: IncomingRequest, outgoing: ServerResponse): void {
  let text = '';
  incoming.takeBody((piece) => {
    if (piece === undefined) outgoing.end(text);
    else text += piece.toString();
  });
}

it('hands over a body as it comes, with its end', async () => {
  expect(await post(['one ', 'two ', 'three'], echo)).toBe('one two three');
});

it('hands over what came before anybody asked', async () => {
  const answer = await post(['one ', 'two'], (incoming, outgoing) => {
    void until('the body is in', () => incoming.complete).then(() => echo(incoming, outgoing));
  });
  expect(answer).toBe('one two');
});

it('tells the end of no body at all', async () => {
  expect(await post([], echo)).toBe('');
});

it('is a stream until the body is taken, and again once it is given back', async () => {
  const answer = await post(['one ', 'two'], (incoming, outgoing) => {
    incoming.takeBody(() => undefined);
    incoming.takeBody(undefined);
    incoming.setEncoding('utf8');
    void incoming.toArray().then((chunks) => outgoing.end(chunks.join('')));
  });
  expect(answer).toBe('one two');
});
