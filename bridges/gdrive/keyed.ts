import type { drive_v3 } from '@googleapis/drive';
import type { Reconciliation } from '../../core/server-kit/define-tool.ts';
import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { DriveClient } from './client.ts';
import { FILE_FIELDS, type FileOutput, toFile } from './file-shape.ts';
import { keyQuery } from './query.ts';

/** Property, seen by this app only, that a file made with a key carries. */
const KEY_PROPERTY = 'mcpBridgeKey';

/** What a new file carries: the call's key, where it has one. */
export function keyProperties({ idempotencyKey }: ToolContext): Pick<drive_v3.Schema$File, 'appProperties'> {
  return idempotencyKey === undefined ? {} : { appProperties: { [KEY_PROPERTY]: idempotencyKey } };
}

/** What a copy carries: the call's own key or none, but never that of the original. */
export function copyProperties(context: ToolContext): Pick<drive_v3.Schema$File, 'appProperties'> {
  // The SDK's types leave out the null that takes a property away.
  return { appProperties: { [KEY_PROPERTY]: (context.idempotencyKey ?? null) as string } };
}

/** The file that was made with the call's key, wherever it lies by now; undefined where there is none or no key. */
export async function findByKey(drive: DriveClient, context: ToolContext): Promise<FileOutput | undefined> {
  const { idempotencyKey } = context;
  if (idempotencyKey === undefined) return undefined;
  const { files } = await drive.read(context, ({ files: api }, options) =>
    api.list(
      {
        q: keyQuery(KEY_PROPERTY, idempotencyKey),
        // People may copy a file together with its properties: the first one is the one that was made.
        orderBy: 'createdTime',
        pageSize: 1,
        fields: `files(${FILE_FIELDS})`,
        ...drive.corpus,
        includeItemsFromAllDrives: true,
        supportsAllDrives: true,
      },
      options,
    ),
  );
  const found = files?.[0];
  return found === undefined ? undefined : toFile(found);
}

/**
 * Makes a file unless the call's key has made it already. With `id`, the file is made under that new id of Drive's own:
 * where the answer got lost, a look at the id tells at once whether it is there.
 */
export async function createOnce(
  drive: DriveClient,
  context: ToolContext,
  create: (id: string | undefined) => Promise<drive_v3.Schema$File>,
  { withId }: { readonly withId: boolean },
): Promise<FileOutput> {
  const earlier = await findByKey(drive, context);
  if (earlier !== undefined) return earlier;
  const id = withId ? await newId(drive, context) : undefined;
  try {
    return toFile(await create(id));
  } catch (error) {
    const settled = id !== undefined && isUnknown(error) ? await lookAt(drive, context, id) : undefined;
    if (settled === undefined) throw error;
    return settled;
  }
}

/** What became of a call that was to make a file. */
export async function reconcileByKey(drive: DriveClient, context: ToolContext): Promise<Reconciliation<FileOutput>> {
  const result = await findByKey(drive, context);
  if (result !== undefined) return { found: 'executed', result };
  // Never "not executed": a listing may lag behind by minutes, and the request may still be on its way.
  return {
    found: 'unknown',
    looked:
      'no file in Drive carries this key; a new file may take some minutes until it can be found, so ask again later',
  };
}

async function newId(drive: DriveClient, context: ToolContext): Promise<string> {
  const { ids } = await drive.read(context, ({ files }, options) => files.generateIds({ count: 1 }, options));
  const id = ids?.[0];
  if (id === undefined) throw new ToolError('vendor_malformed', 'Google Drive gave no id', { retryable: true });
  return id;
}

function isUnknown(error: unknown): boolean {
  return error instanceof ToolError && error.code === 'outcome_unknown';
}

async function lookAt(drive: DriveClient, context: ToolContext, fileId: string): Promise<FileOutput | undefined> {
  try {
    return toFile(
      await drive.read(context, ({ files }, options) =>
        files.get({ fileId, fields: FILE_FIELDS, supportsAllDrives: true }, options),
      ),
    );
  } catch {
    // Not there, or not to be asked: the first answer stands.
    return undefined;
  }
}
