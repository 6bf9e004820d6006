import type { DefinedTool } from '../../../core/server-kit/define-tool.ts';
import { forgetTool } from './forget.ts';
import { listTool } from './list.ts';
import { recallTool } from './recall.ts';
import { rememberTool } from './remember.ts';
import { searchTool } from './search.ts';
import { statsTool } from './stats.ts';
import type { Toolbox } from './toolbox.ts';
import { updateTool } from './update.ts';

/** Every tool of the memory, in the order in which they are listed. */
export function allTools(toolbox: Toolbox): readonly DefinedTool[] {
  return [
    rememberTool(toolbox),
    recallTool(toolbox),
    searchTool(toolbox),
    listTool(toolbox),
    updateTool(toolbox),
    forgetTool(toolbox),
    statsTool(toolbox),
  ];
}
