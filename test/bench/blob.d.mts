/** The body of a blob of exactly that many bytes. */
export function blobLine(bytes: number): string;
