import type { Replica } from '#core/deploy/replica.ts';
import { shortName } from '#core/deploy/role.ts';

/** One thing that is done to what runs. Between two of them everything may be left as it is, for good. */
export type Step =
  /** Takes away a container that serves nobody. */
  | { readonly do: 'clear'; readonly service: string; readonly replica: Replica; readonly why: 'ended' | 'unhealthy' }
  /** The first containers of services that have none, all at once. */
  | { readonly do: 'create'; readonly services: readonly string[] }
  /** Until replicas that are starting are healthy. */
  | { readonly do: 'await'; readonly service: string; readonly replicas: readonly Replica[] }
  /** Further replicas beside those there are, until they are healthy; undone where they do not become so. */
  | { readonly do: 'start'; readonly service: string; readonly count: number; readonly position?: string }
  /** By SIGTERM, with the time it has to drain; `last`: also when no other serves. */
  | { readonly do: 'stop'; readonly service: string; readonly replica: Replica; readonly last?: true }
  /** A proxy reads its configuration anew, if it finds no mistake in it. */
  | { readonly do: 'reload'; readonly service: string; readonly replica: Replica }
  /** Ends its containers and makes them anew. Calls that need them fail meanwhile. */
  | { readonly do: 'replace'; readonly service: string };

/** The step as a line of a plan. */
export function describeStep(step: Step): string {
  switch (step.do) {
    case 'clear':
      return `${shortName(step.service)}: remove ${step.replica.name}, which ${step.why === 'ended' ? 'has ended' : 'is unhealthy'}`;
    case 'create':
      return `create ${step.services.map(shortName).join(', ')} and wait until healthy`;
    case 'await':
      return `${shortName(step.service)}: wait until ${step.replicas.map(({ name }) => name).join(', ')} is healthy`;
    case 'start':
      return `${label(step)}: start ${step.count} new, beside the others, and wait until healthy`;
    case 'stop':
      return `${shortName(step.service)}: stop ${step.replica.name} (SIGTERM, up to ${step.replica.graceMs / 1000} s to drain)`;
    case 'reload':
      return `${shortName(step.service)}: test its configuration and reload it`;
    case 'replace':
      return `${shortName(step.service)}: make its container anew`;
  }
}

/** `slack 2/3`, or `slack` where there is nothing to count. */
export function label({ service, position }: { readonly service: string; readonly position?: string }): string {
  return position === undefined ? shortName(service) : `${shortName(service)} ${position}`;
}
