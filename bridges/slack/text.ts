import { ToolError } from '../../core/server-kit/tool-error.ts';

const BROADCAST = /<!(?:channel|here|everyone|subteam\^[A-Z0-9]+)(?:\|[^>]*)?>/;

/** Slack rings everybody in the channel for these. @throws ToolError `broadcast_not_allowed` */
export function requireQuiet(text: string, notifyEveryone: boolean): void {
  if (notifyEveryone || !BROADCAST.test(text)) return;
  throw new ToolError('broadcast_not_allowed', 'the text mentions a whole channel or group; nothing was sent', {
    hint: 'Take <!channel>, <!here>, <!everyone> and group mentions out, or say notifyEveryone: true where it is meant',
  });
}

/**
 * What is left to read of a text, without what Slack makes of it when it keeps it: it escapes `&`, `<` and `>`, puts
 * links into angle brackets and writes emoji as names.
 */
function readable(text: string): string {
  return text
    .replace(/<((?:https?|mailto|tel):[^|>]*)(?:\|[^>]*)?>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replace(/(?:mailto|tel):/g, '')
    .replace(/:[a-z0-9_+'-]{1,100}:/g, '')
    .replace(/\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f/gu, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Whether Slack's text is what was sent. */
export function sameText(kept: string | undefined, sent: string): boolean {
  return kept === sent || readable(kept ?? '') === readable(sent);
}
