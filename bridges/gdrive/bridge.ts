import type { BridgeManifest } from '../../core/manifest.ts';
import { googleEnvironment, googleSignIn } from '../google/credentials.ts';

const READ = { effect: 'read', deadlineMs: 15_000 } as const;
/** The key is put on what is made; see "Never twice" in the README for why the call stays a `write`. */
const CREATE = { effect: 'write', deadlineMs: 60_000, idempotencyKey: 'optional', reconcile: true } as const;
const SET = { effect: 'idempotent', deadlineMs: 30_000 } as const;

/** Google Drive: finds, reads, makes, moves and shares files. */
const gdrive: BridgeManifest = {
  name: 'gdrive',
  title: 'Google Drive',
  description: 'Finds and reads files in Google Drive; makes folders, documents and files, moves and shares them.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    ...googleEnvironment,
    {
      name: 'GDRIVE_SCOPE',
      required: false,
      secret: false,
      help: 'drive (every file of the account) or drive.file (only files this app made or was given); drive',
    },
    {
      name: 'GDRIVE_SHARED_DRIVE_ID',
      required: false,
      secret: false,
      help: 'id of a shared drive to work in (the last part of its address); unset: My Drive and what is shared with the account',
    },
    {
      name: 'GDRIVE_ALLOW_PUBLIC_LINKS',
      required: false,
      secret: false,
      help: 'true lets share_file open a file to everybody who has its link',
    },
    {
      name: 'GDRIVE_API_URL',
      required: false,
      secret: false,
      help: 'address of a stand-in; leave it unset for Google',
    },
  ],
  signIn: googleSignIn,
  tools: {
    search_files: READ,
    get_file: READ,
    read_file: { effect: 'read', deadlineMs: 30_000 },
    list_permissions: READ,
    create_folder: CREATE,
    create_document: CREATE,
    upload_file: CREATE,
    copy_file: CREATE,
    share_file: { ...CREATE, deadlineMs: 30_000 },
    update_file: { ...SET, deadlineMs: 60_000 },
    move_file: SET,
    trash_file: SET,
  },
  example: { tool: 'search_files', arguments: { nameContains: 'contract', limit: 5 } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default gdrive;
