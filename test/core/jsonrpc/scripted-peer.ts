import { PassThrough } from 'node:stream';

/** A message as the other end of the pipe sees it. */
export interface Received {
  readonly id?: number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** The other end of a pair of pipes, in this process: tells each line it receives, and says what a test wants. */
export class ScriptedPeer {
  /** What the connection reads. */
  readonly input = new PassThrough({ highWaterMark: 1 << 20 });
  /** What the connection writes to. */
  readonly output = new PassThrough({ highWaterMark: 1 << 20 });
  readonly received: Received[] = [];
  #rest = '';

  constructor(onMessage?: (message: Received, peer: ScriptedPeer) => void) {
    this.output.setEncoding('utf8');
    this.output.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const message = JSON.parse(line) as Received;
        this.received.push(message);
        onMessage?.(message, this);
      }
    });
  }

  say(text: string | Uint8Array): void {
    this.input.write(text);
  }

  answer(id: unknown, result: unknown = {}): void {
    this.say(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
  }

  refuse(id: unknown, code: number, message = 'no', data?: unknown): void {
    this.say(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data } })}\n`);
  }

  methods(): string[] {
    return this.received.map(({ method }) => method);
  }
}
