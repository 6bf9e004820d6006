import { IncomingMessage } from './node-http.ts';

/** Takes a body as it comes: the pieces, then undefined behind the last one. */
export type BodyReader = (piece: Buffer | undefined) => void;

/**
 * The request of node:http with a second way out for its body: straight from the parser. As a stream even a body
 * that came with its head in one packet passes through some six ticks of buffering, flowing, ending and destroying.
 * Until `takeBody` it is the stream that it always is, back pressure included.
 */
export class IncomingRequest extends IncomingMessage {
  #reader: BodyReader | undefined;

  /** Hands over what has come and whatever else comes, at once; undefined takes the rest as a stream again. */
  takeBody(reader: BodyReader | undefined): void {
    this.#reader = reader;
    if (reader === undefined) return;
    // Also tells node:http that the body is being read, so that it does not read it only to drop it.
    for (let piece: Buffer | null = this.read(); piece !== null; piece = this.read()) {
      reader(piece);
      if (this.#reader !== reader) return;
    }
    if (this.complete) this.#end(reader);
  }

  /** Called by the parser: a piece, or null at the end. */
  override push(piece: Buffer | null, encoding?: BufferEncoding): boolean {
    const reader = this.#reader;
    if (reader === undefined) return super.push(piece, encoding);
    if (piece === null) this.#end(reader);
    else reader(piece);
    return true;
  }

  #end(reader: BodyReader): void {
    this.#reader = undefined;
    reader(undefined);
  }
}
