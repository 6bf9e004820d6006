import type { Bridge } from '#core/bridge.ts';
import { type CallReport, type TraceContext, traceIdOf } from '#core/call.ts';
import type { Tool } from '#core/mcp/catalog.ts';
import type { Principal } from '#core/principal.ts';
import type { RequestWatch } from '#core/request-end.ts';
import type { Edge } from './edge.ts';
import type { Answer, Exchange } from './exchange.ts';
import { admit, corsHeaders } from './gate.ts';
import { type Problem, type ProblemContext, problemAnswer, toProblem } from './problem.ts';
import { pushReportHeaders } from './report-headers.ts';
import { requestEndOf } from './request-end-of.ts';
import { requestId, traceContext } from './request-headers.ts';

/** One request while it is handled; what is understood of it is filled in, so that a problem can name it. */
export interface Inquiry {
  readonly exchange: Exchange;
  readonly requestId: string;
  /** What goes down with a call: of this request's own span where there is one, else as the caller sent it. */
  readonly trace: TraceContext | undefined;
  /** Set where the request's trace is kept. */
  readonly watch: RequestWatch | undefined;
  /** Which of the addresses it came to, once that is known. */
  address: 'tool' | 'tools' | '/' | '/health' | undefined;
  bridge: Bridge | undefined;
  /** The called tool once it is known to exist. */
  tool: Tool | undefined;
  /** The tool's name as asked for, where it can be one. */
  toolName: string | undefined;
  /** 405: the methods that the address takes. */
  allow: string | undefined;
  /** Who calls, once that is known. */
  principal: Principal | undefined;
  /** What the policies did, once a call has been handed to them. */
  report: CallReport | undefined;
  /** The tool ran and said no. */
  toolFailed: boolean;
  /** What it was answered with, where that is a problem. */
  problem: Problem | undefined;
}

/** Answers one kind of request. @throws BridgeError */
export type Handler = (edge: Edge, inquiry: Inquiry) => Answer | Promise<Answer>;

/**
 * The way of every request, whichever door it came through: admitted, handled, and whatever was thrown
 * turned into a problem. Never rejects.
 * @returns undefined when nobody is left to read an answer
 */
export async function conclude(edge: Edge, exchange: Exchange, handle: Handler): Promise<Answer | undefined> {
  const id = requestId(exchange);
  const given = traceContext(exchange);
  const watch = edge.watch?.(exchange, id, given);
  const inquiry: Inquiry = {
    exchange,
    requestId: id,
    trace: watch === undefined ? given : watch.trace,
    watch,
    address: undefined,
    bridge: undefined,
    tool: undefined,
    toolName: undefined,
    allow: undefined,
    principal: undefined,
    report: undefined,
    toolFailed: false,
    problem: undefined,
  };
  let answer: Answer;
  try {
    admit(edge, exchange);
    answer = await handle(edge, inquiry);
  } catch (error) {
    if (exchange.gone) return counted(edge, inquiry, undefined);
    answer = problemAnswer(problemOf(edge, inquiry, error));
  }
  if (exchange.gone) return counted(edge, inquiry, undefined);
  if (inquiry.bridge?.mode === 'sandbox') answer.headers.push('X-Bridge-Mode', 'sandbox');
  if (edge.allowedOrigins.size > 0) answer.headers.push(...corsHeaders(edge, exchange));
  return counted(edge, inquiry, answer);
}

/** What was thrown as a problem of this request; 500 and above are told to the operator. */
export function problemOf(edge: Edge, inquiry: Inquiry, error: unknown): Problem {
  const context: ProblemContext = {
    requestId: inquiry.requestId,
    bridge: inquiry.bridge?.name,
    tool: inquiry.toolName,
    effect: inquiry.tool?.policy.effect,
    traceId: traceIdOf(inquiry.trace),
    allow: inquiry.allow,
  };
  const problem = toProblem(error, context);
  inquiry.problem = problem;
  if (inquiry.report !== undefined) pushReportHeaders(problem.headers, inquiry.report);
  if (problem.status >= 500) {
    edge.onProblem({ ...context, status: problem.status, code: problem.code, executed: problem.executed, error });
  }
  return problem;
}

function counted(edge: Edge, inquiry: Inquiry, answer: Answer | undefined): Answer | undefined {
  edge.count(answer?.status);
  if (edge.onAnswered !== undefined || inquiry.watch !== undefined) {
    const end = requestEndOf(inquiry, answer?.status);
    inquiry.watch?.ended(end);
    edge.onAnswered?.(end);
  }
  return answer;
}
