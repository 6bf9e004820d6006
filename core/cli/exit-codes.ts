/** What the command ends with, after `sysexits.h`; a further signal ends it with 128 + its number (see lifecycle.ts). */
export const EXIT = {
  ok: 0,
  /** What was to be compared differs. */
  differs: 1,
  /** The command line itself is wrong. */
  usage: 64,
  /** An address to listen on cannot be had. */
  unavailable: 69,
  /** An error of ours. */
  software: 70,
  /** The configuration is wrong; nothing was started. */
  config: 78,
  /** Asked to stop before anything was served. */
  interrupted: 130,
} as const satisfies Record<string, number>;
