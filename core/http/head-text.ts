import { STATUS_CODES } from './node-http.ts';

/** What can stand in a field value; anything else could start another header or another answer. */
const VALUE = /^[\t\x20-\x7e]*$/;

let second = 0;
let date = '';

/**
 * The head of an answer as node:http writes it.
 * @param headers name, value, name, value …
 * @param keepAliveSeconds how long the connection is kept; 0: it ends with this answer
 * @throws TypeError where a value holds a control character
 */
export function headText(status: number, headers: readonly string[], keepAliveSeconds: number): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    if (!VALUE.test(value)) throw new TypeError(`the header ${headers[i]} holds a control character`);
    text += `${headers[i]}: ${value}\r\n`;
  }
  const connection = keepAliveSeconds === 0 ? 'close' : `keep-alive\r\nKeep-Alive: timeout=${keepAliveSeconds}`;
  return `${text}Date: ${httpDate()}\r\nConnection: ${connection}\r\n\r\n`;
}

function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return date;
}
