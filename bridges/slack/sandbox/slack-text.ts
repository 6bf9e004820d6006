/** What Slack makes of a text when it keeps it: lone `&` is escaped, bare links get angle brackets, emoji become names. */
export function keptText(text: string): string {
  return text
    .replace(/&(?!amp;|lt;|gt;)/g, '&amp;')
    .replace(/(^|[\s(])(https?:\/\/[^\s<>|)]+)/g, '$1<$2>')
    .replaceAll('🎉', ':tada:')
    .replaceAll('✅', ':white_check_mark:');
}
