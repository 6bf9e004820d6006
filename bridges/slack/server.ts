import { serve } from '../../core/server-kit/serve.ts';
import { SlackClient } from './client.ts';
import { readSettings } from './settings.ts';
import { addReactionTool } from './tools/add-reaction.ts';
import { findChannelTool, listChannelsTool } from './tools/channels.ts';
import { deleteMessageTool } from './tools/delete-message.ts';
import { channelHistoryTool, threadRepliesTool } from './tools/messages.ts';
import { postMessageTool, replyInThreadTool } from './tools/post-message.ts';
import {
  cancelScheduledMessageTool,
  listScheduledMessagesTool,
  scheduleMessageTool,
} from './tools/scheduled-messages.ts';
import { updateMessageTool } from './tools/update-message.ts';
import { listUsersTool, lookupUserByEmailTool, openDmTool } from './tools/users.ts';

await serve(() => {
  const slack = new SlackClient(readSettings());
  return {
    name: 'slack',
    version: '0.1.0',
    instructions:
      'A Slack workspace, as its bot. Find a channel with find_channel or a person with lookup_user_by_email and open_dm, then post with post_message.',
    tools: [
      postMessageTool(slack),
      replyInThreadTool(slack),
      updateMessageTool(slack),
      deleteMessageTool(slack),
      scheduleMessageTool(slack),
      listScheduledMessagesTool(slack),
      cancelScheduledMessageTool(slack),
      addReactionTool(slack),
      listChannelsTool(slack),
      findChannelTool(slack),
      channelHistoryTool(slack),
      threadRepliesTool(slack),
      listUsersTool(slack),
      lookupUserByEmailTool(slack),
      openDmTool(slack),
    ],
  };
});
