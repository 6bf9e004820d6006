/** Slack's no: `{"ok": false, "error": code}` with status 200. */
export class SlackRefusal extends Error {
  override readonly name = 'SlackRefusal';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}
