import { type Dialect, type DialectName, greet } from './dialect.ts';
import { HttpConnection } from './http-connection.ts';
import { HttpLane } from './http-lane.ts';
import type { Lane } from './lane.ts';
import { expectedText, FIRST_CALL, type Workload } from './workload.ts';

const PROBE = { tool: 'echo', bytes: 100 } as const satisfies Workload;

/** Compares one answer as a whole with what the child must have said. @throws Error where they differ */
export async function verify(
  connection: HttpConnection,
  dialect: Dialect,
  workload: Workload,
  call: number,
): Promise<void> {
  const answer = await connection.ask(dialect.requests(workload)(call));
  if (answer.status !== 200) {
    throw new Error(
      `${workload.tool} was answered ${answer.status}: ${Buffer.concat(answer.pieces).toString().slice(0, 300)}`,
    );
  }
  const wanted = JSON.stringify([{ type: 'text', text: expectedText(workload, call) }]);
  const got = dialect.result(answer) as { readonly content?: unknown };
  if (JSON.stringify(got.content) !== wanted) throw new Error(`${workload.tool} brought back something else`);
}

/** A new client from connection to its first right answer. @throws Error where anything on the way fails */
export async function firstCall(
  name: DialectName,
  port: number,
): Promise<{ connection: HttpConnection; dialect: Dialect }> {
  const connection = await HttpConnection.open(port);
  try {
    const dialect = await greet(name, port, connection);
    await verify(connection, dialect, PROBE, FIRST_CALL);
    return { connection, dialect };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Connections that share one client's session, each a lane. */
export async function openLanes(port: number, dialect: Dialect, workload: Workload, count: number): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (let i = 0; i < count; i++) lanes.push(new HttpLane(await HttpConnection.open(port), dialect, workload));
  return lanes;
}
