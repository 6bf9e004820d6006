/** A shared store in numbers, for `/status` and `/metrics`. */
export interface RedisNumbers {
  readonly state: string;
  readonly outages: number;
  readonly timeouts: number;
  /** Operations refused at once, because it was known to be away. */
  readonly refused: number;
  /** Calls counted against quotas, by where: `local` only while it was away. */
  readonly quotas: { readonly shared: number; readonly local: number };
}

/** The audit in numbers. */
export interface AuditNumbers {
  readonly buffered: number;
  readonly written: number;
  readonly dropped: number;
  readonly away: boolean;
}

/** Members of `/status`: plain data, whatever the services count. */
export interface ServicesReport {
  readonly stores: 'memory' | 'redis';
  readonly memory?: object;
  readonly redis?: RedisNumbers;
  readonly audit: 'off' | AuditNumbers;
  /** `none`: anybody may call. */
  readonly auth: 'none' | { readonly refused: Readonly<Record<string, number>> };
}
