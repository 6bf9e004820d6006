import type { BridgeManifest } from '../core/manifest.ts';

/** The bridges that come with the service. A manifest is loaded only where its bridge is served. */
export const bridges: Readonly<Record<string, () => Promise<BridgeManifest>>> = {
  calendar: async () => (await import('./calendar/bridge.ts')).default,
  gdrive: async () => (await import('./gdrive/bridge.ts')).default,
  memory: async () => (await import('./memory/bridge.ts')).default,
  postgres: async () => (await import('./postgres/bridge.ts')).default,
  slack: async () => (await import('./slack/bridge.ts')).default,
  stripe: async () => (await import('./stripe/bridge.ts')).default,
  twilio: async () => (await import('./twilio/bridge.ts')).default,
};
