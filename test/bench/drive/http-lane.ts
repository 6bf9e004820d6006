import type { Dialect } from './dialect.ts';
import type { HttpConnection } from './http-connection.ts';
import type { Lane } from './lane.ts';
import { isAnswerOf, type Workload } from './workload.ts';

/** One kept-open connection as a closed loop. */
export class HttpLane implements Lane {
  readonly #connection: HttpConnection;
  readonly #request: (call: number) => string;
  #call = 0;
  onDone: (right: boolean) => void = () => undefined;

  constructor(connection: HttpConnection, dialect: Dialect, workload: Workload) {
    this.#connection = connection;
    this.#request = dialect.requests(workload);
    connection.onAnswer = ({ status, pieces, length }) => {
      this.onDone(status === 200 && isAnswerOf(workload, this.#call, pieces, length));
    };
  }

  set onFailure(listener: (error: Error) => void) {
    this.#connection.onFailure = listener;
  }

  start(call: number): void {
    this.#call = call;
    this.#connection.send(this.#request(call));
  }

  close(): void {
    this.#connection.close();
  }
}
