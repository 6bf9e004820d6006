import type { Principal } from '#core/principal.ts';
import { Allow } from './allow.ts';

/** A principal with the rights of the credential it showed. */
export class Caller implements Principal {
  readonly id: string;
  readonly ratePerMinute: number | undefined;
  readonly #allow: Allow;

  constructor(id: string, allow: Iterable<string>, ratePerMinute: number | undefined) {
    this.id = id;
    this.ratePerMinute = ratePerMinute;
    this.#allow = new Allow(allow);
  }

  mayCall(bridge: string, tool: string): boolean {
    return this.#allow.mayCall(bridge, tool);
  }

  mayUse(bridge: string): boolean {
    return this.#allow.mayUse(bridge);
  }
}
