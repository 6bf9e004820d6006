import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Lane } from './lane.ts';
import { argumentsOf, isAnswerOf, type Workload } from './workload.ts';

const LF = 10;

/** Calls a child directly on its pipes: what is left when there is no bridge at all. */
export class Pipe {
  readonly #stdin: Writable;
  readonly #waiting = new Map<number, (pieces: readonly Buffer[], length: number) => void>();
  readonly #child: ReturnType<typeof spawn>;
  #pieces: Buffer[] = [];
  onFailure: (error: Error) => void = () => undefined;

  private constructor(child: ReturnType<typeof spawn>, stdin: Writable, stdout: Readable) {
    this.#child = child;
    this.#stdin = stdin;
    stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    child.on('error', (error) => this.onFailure(error));
    child.on('exit', () => this.onFailure(new Error('the child ended')));
    stdin.on('error', (error) => this.onFailure(error));
  }

  /** @throws Error where the child cannot be started */
  static async open(command: string, args: readonly string[]): Promise<Pipe> {
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    const pipe = new Pipe(child, child.stdin, child.stdout);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    pipe.onFailure = reject;
    pipe.#waiting.set(0, () => resolve());
    pipe.#stdin.write(
      '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1.0.0"}}}\n',
    );
    await promise;
    pipe.#stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    return pipe;
  }

  /** A slot in which one call at a time may be in flight. */
  lane(workload: Workload): Lane {
    const pipe = this;
    const args = argumentsOf(workload);
    return {
      start(call) {
        pipe.#waiting.set(call, (pieces, length) => this.onDone(isAnswerOf(workload, call, pieces, length)));
        const params = `{"name":"${workload.tool}","arguments":${args(call)}}`;
        pipe.#stdin.write(`{"jsonrpc":"2.0","id":${call},"method":"tools/call","params":${params}}\n`);
      },
      onDone: () => undefined,
      set onFailure(listener: (error: Error) => void) {
        pipe.onFailure = listener;
      },
      close: () => undefined,
    };
  }

  close(): void {
    this.onFailure = () => undefined;
    this.#stdin.end();
    this.#child.kill();
  }

  #receive(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#pieces.push(chunk.subarray(from, end));
      this.#line(this.#pieces);
      this.#pieces = [];
      from = end + 1;
    }
    if (from < chunk.length) this.#pieces.push(chunk.subarray(from));
  }

  /** The id stands near the front or, with the SDK's key order, at the very end. */
  #line(pieces: readonly Buffer[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const head = pieces[0]?.toString('latin1', 0, Math.min(64, pieces[0].length)) ?? '';
    const last = pieces.at(-1);
    const tail = last?.toString('latin1', Math.max(0, last.length - 64)) ?? '';
    const id = Number(/"id":(\d+)/.exec(head)?.[1] ?? /"id":(\d+)\}$/.exec(tail)?.[1] ?? Number.NaN);
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(pieces, length);
  }
}
