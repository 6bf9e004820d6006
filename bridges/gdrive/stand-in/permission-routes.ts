import type { Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { selected } from './fields.ts';
import { page } from './pages.ts';
import { Refusal } from './refusal.ts';
import { permissionResource } from './resources.ts';
import type { DriveState, StoredFile, StoredPermission } from './state.ts';

const DEFAULT_FIELDS = 'kind,id,type,role';
const MAX_PAGE = 100;

/** Who has access to a file. */
export function permissionRoutes(drive: DriveState, files: string): readonly Route[] {
  const answer = (permission: StoredPermission, { query }: SandboxRequest): SandboxAnswer => ({
    status: 200,
    body: selected(permissionResource(permission), query.get('fields'), DEFAULT_FIELDS),
  });
  return [
    {
      method: 'GET',
      path: `${files}/:id/permissions`,
      answer: ({ query }, { id = '' }) => {
        const size = Math.min(Number(query.get('pageSize') ?? MAX_PAGE), MAX_PAGE);
        const { members, nextPageToken } = page(drive.permissions(drive.get(id)), query, size);
        const body = {
          kind: 'drive#permissionList',
          permissions: members.map(permissionResource),
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
        return {
          status: 200,
          body: selected(body, query.get('fields'), `kind,nextPageToken,permissions(${DEFAULT_FIELDS})`),
        };
      },
    },
    {
      method: 'POST',
      path: `${files}/:id/permissions`,
      answer: (request, { id = '' }) => answer(share(drive, drive.get(id), request), request),
    },
    {
      method: 'PATCH',
      path: `${files}/:id/permissions/:permission`,
      answer: (request, { id = '', permission = '' }) => {
        const found = own(drive.get(id), permission);
        const { role } = request.json() as { readonly role?: string };
        if (found.role === 'owner') throw new Refusal(403, 'forbidden', "The owner's role cannot be changed.");
        found.role = checkedRole(role);
        return answer(found, request);
      },
    },
    {
      method: 'DELETE',
      path: `${files}/:id/permissions/:permission`,
      answer: (_request, { id = '', permission = '' }) => {
        const file = drive.get(id);
        file.permissions.splice(file.permissions.indexOf(own(file, permission)), 1);
        return { status: 204 };
      },
    },
  ];
}

function own(file: StoredFile, id: string): StoredPermission {
  const found = file.permissions.find((permission) => permission.id === id);
  if (found === undefined) throw new Refusal(404, 'notFound', `Permission not found: ${id}.`);
  return found;
}

function checkedRole(role: string | undefined): string {
  if (role === 'owner') throw new Refusal(403, 'forbidden', 'The transferOwnership parameter must be enabled.');
  if (role !== 'reader' && role !== 'commenter' && role !== 'writer') {
    throw new Refusal(400, 'invalid', 'The specified role is invalid or not supported.');
  }
  return role;
}

function share(drive: DriveState, file: StoredFile, request: SandboxRequest): StoredPermission {
  const { type, role, emailAddress, domain } = request.json() as Partial<StoredPermission>;
  const wanted = { type: type ?? '', role: checkedRole(role) };
  const notify = request.query.get('sendNotificationEmail') !== 'false';
  switch (type) {
    case 'user':
    case 'group': {
      if (emailAddress === undefined || !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(emailAddress)) {
        throw new Refusal(
          400,
          'invalidSharingRequest',
          'Bad Request. User message: "You are trying to invite nobody."',
        );
      }
      const displayName = emailAddress.split('@')[0] ?? '';
      const permission = drive.grant(file, { ...wanted, emailAddress, displayName });
      const message = request.query.get('emailMessage') ?? undefined;
      if (notify) drive.mail({ to: emailAddress, fileId: file.id, message });
      return permission;
    }
    case 'domain':
      if (domain === undefined) throw new Refusal(400, 'invalid', 'The domain is missing.');
      return drive.grant(file, { ...wanted, domain, displayName: domain });
    case 'anyone':
      return drive.grant(file, wanted);
    default:
      throw new Refusal(400, 'invalid', 'The permission type field is required.');
  }
}
