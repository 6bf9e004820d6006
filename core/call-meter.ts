/** Takes the times of a bridge's calls. It stands on the path of a call: its methods are quick and never throw. */
export interface CallMeter {
  /** An attempt waited so long for a worker; 0 where one was free. */
  waited(waitMs: number): void;
  /**
   * An attempt's time in a child has ended: with an answer, or with whatever ended the wait for one.
   * @param errorType what kept it from being a success, as spans and metrics name it
   */
  attempted(tool: string, durationMs: number, errorType: string | undefined, protocolVersion: string | undefined): void;
}
