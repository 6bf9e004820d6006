/**
 * The three things that are used of `node:http`. An `import` of it would read each of its exports, among them getters
 * that load the fetch client of Node: 13 MiB and 20 ms for what this service does not use.
 */
export const { createServer, IncomingMessage, STATUS_CODES } = process.getBuiltinModule('node:http');
