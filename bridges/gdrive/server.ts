import { serve } from '../../core/server-kit/serve.ts';
import { DriveClient } from './client.ts';
import { readSettings } from './settings.ts';
import { copyFileTool } from './tools/copy-file.ts';
import { createDocumentTool } from './tools/create-document.ts';
import { createFolderTool } from './tools/create-folder.ts';
import { getFileTool } from './tools/get-file.ts';
import { listPermissionsTool } from './tools/list-permissions.ts';
import { moveFileTool } from './tools/move-file.ts';
import { readFileTool } from './tools/read-file.ts';
import { searchFilesTool } from './tools/search-files.ts';
import { shareFileTool } from './tools/share-file.ts';
import { trashFileTool } from './tools/trash-file.ts';
import { updateFileTool } from './tools/update-file.ts';
import { uploadFileTool } from './tools/upload-file.ts';

await serve(() => {
  const drive = new DriveClient(readSettings());
  return {
    name: 'gdrive',
    version: '0.1.0',
    instructions:
      'Files in Google Drive. Find them with search_files, read them with read_file; every other tool takes the id that these tell. Nothing is ever deleted for good.',
    tools: [
      searchFilesTool(drive),
      getFileTool(drive),
      readFileTool(drive),
      createFolderTool(drive),
      createDocumentTool(drive),
      uploadFileTool(drive),
      updateFileTool(drive),
      copyFileTool(drive),
      moveFileTool(drive),
      shareFileTool(drive),
      listPermissionsTool(drive),
      trashFileTool(drive),
    ],
  };
});
