import type { Looking } from '../look.ts';

/** What every tool of this server is made with: the way to Stripe, and what a look at an earlier call needs. */
export type Toolbox = Looking;
