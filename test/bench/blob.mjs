const UNIT = 'He said "C:\\temp\\new" and went on.\nThen a second line, plain ASCII, to the end of it.\n';

/** The body of a blob of exactly that many bytes: ASCII that JSON has to escape about once in ten characters. */
export function blobLine(bytes) {
  return UNIT.repeat(Math.ceil(bytes / UNIT.length)).slice(0, bytes);
}
