/** What the engine says of a container's life; all but the first three serve nobody and never will by themselves. */
export type ContainerState = 'running' | 'restarting' | 'paused' | 'created' | 'exited' | 'dead' | 'removing';

/** What its health check says; `none` where it has none. */
export type Health = 'healthy' | 'starting' | 'unhealthy' | 'none';

/** One container of a service. */
export interface Replica {
  readonly id: string;
  readonly name: string;
  /** Grows with each replica of the service that is started. */
  readonly number: number;
  readonly state: ContainerState;
  readonly health: Health;
  /** How often the engine has started it again after it ended. */
  readonly restarts: number;
  /** Of the settings it was made from. */
  readonly configHash: string;
  /** The name it was made under; that may be another image's by now. */
  readonly image: string;
  readonly imageId: string;
  /** What it has between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

/** What is to run under a name, and what does. */
export interface Service {
  readonly name: string;
  readonly wanted: {
    readonly count: number;
    readonly image: string;
    /** Undefined where this engine does not have the image. */
    readonly imageId: string | undefined;
    readonly configHash: string;
  };
  readonly replicas: readonly Replica[];
}

const LIVING: ReadonlySet<ContainerState> = new Set(['running', 'restarting', 'paused']);

/** Whether its process is there, or about to be again. */
export function isLiving({ state }: Replica): boolean {
  return LIVING.has(state);
}

/** Whether it takes calls now, as far as can be told from outside. */
export function isServing({ state, health }: Replica): boolean {
  return state === 'running' && (health === 'healthy' || health === 'none');
}

/** Whether its image or its settings are other than a replica made now would have. */
export function isOld({ imageId, configHash }: Replica, { wanted }: Service): boolean {
  return configHash !== wanted.configHash || (wanted.imageId !== undefined && imageId !== wanted.imageId);
}
