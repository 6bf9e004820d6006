import type { ToolContext } from '#core/server-kit/tool-context.ts';

/** A resource as `resources/list` shows it. */
export interface ListedResource {
  readonly uri: string;
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
}

/** A family of resources, RFC 6570 level 1. */
export interface ListedResourceTemplate {
  readonly uriTemplate: string;
  readonly name: string;
  readonly description?: string;
  readonly mimeType?: string;
}

/** What a server shows beside its tools. */
export interface Resources {
  readonly templates: readonly ListedResourceTemplate[];
  /** One page; `nextCursor` while there is more. */
  list(
    cursor: string | undefined,
    context: ToolContext,
  ): Promise<{ readonly resources: readonly ListedResource[]; readonly nextCursor?: string }>;
  /** The resource as JSON. @throws ToolError `resource_not_found` */
  read(uri: string, context: ToolContext): Promise<unknown>;
}
