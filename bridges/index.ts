import type { BridgeManifest } from '../core/manifest.ts';

/** The bridges that come with the service. A manifest is loaded only where its bridge is served. */
export const bridges: Readonly<Record<string, () => Promise<BridgeManifest>>> = {
  postgres: async () => (await import('./postgres/bridge.ts')).default,
  slack: async () => (await import('./slack/bridge.ts')).default,
  stripe: async () => (await import('./stripe/bridge.ts')).default,
};
