import type { drive_v3 } from '@googleapis/drive';
import { z } from '../../core/server-kit/schema.ts';

/** What is asked of Drive for a permission. */
export const PERMISSION_FIELDS = 'id,type,role,emailAddress,domain,displayName,expirationTime,deleted';

/** One permission as the tools tell it. */
export const permissionShape = {
  id: z.string(),
  type: z.enum(['user', 'group', 'domain', 'anyone', 'other']),
  role: z.enum(['owner', 'organizer', 'fileOrganizer', 'writer', 'commenter', 'reader', 'other']),
  email: z.string().nullable().describe('Of a user or group'),
  domain: z.string().nullable(),
  name: z.string().nullable(),
  expiresAt: z.string().nullable().describe('ISO 8601, UTC'),
};

export type PermissionOutput = z.output<z.ZodObject<typeof permissionShape>>;

function oneOf<T extends string>(known: z.ZodEnum<Record<T, T>>, text: string | null | undefined): T | 'other' {
  const parsed = known.safeParse(text);
  return parsed.success ? (parsed.data as T) : 'other';
}

export function toPermission(permission: drive_v3.Schema$Permission): PermissionOutput {
  return {
    id: permission.id ?? '',
    type: oneOf(permissionShape.type, permission.type),
    role: oneOf(permissionShape.role, permission.role),
    email: permission.emailAddress ?? null,
    domain: permission.domain ?? null,
    name: permission.displayName ?? null,
    expiresAt: permission.expirationTime ?? null,
  };
}
