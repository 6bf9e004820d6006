import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Json = Readonly<Record<string, unknown>>;

const FOLDER = join(
  dirname(createRequire(import.meta.url).resolve('@twilio-alpha/mcp/package.json')),
  'twilio-oai/spec/json',
);

/** OpenAPI 3.0's `nullable` in the words of JSON Schema, and references that name their document. */
function asJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asJsonSchema);
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) return { $ref: `twilio${value.$ref}` };
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, asJsonSchema(member)]),
  );
  if (nullable !== true || typeof rest.type !== 'string') return rest;
  const nullableEnum = Array.isArray(rest.enum) ? { enum: [...rest.enum, null] } : {};
  return { ...rest, type: [rest.type, 'null'], ...nullableEnum };
}

/** One of Twilio's own API documents. */
export class TwilioDocument {
  readonly #document: Json;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  /** @param name e.g. `api_v2010` */
  constructor(name: string) {
    this.#document = asJsonSchema(JSON.parse(readFileSync(join(FOLDER, `twilio_${name}.json`), 'utf8'))) as Json;
    this.#ajv.addFormat('date-time-rfc-2822', /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000$/);
    this.#ajv.addFormat('date-time', /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/);
    this.#ajv.addFormat('phone-number', /^(?:whatsapp:)?\+\d+$|^[A-Za-z0-9 ]+$/);
    this.#ajv.addFormat('uri', /^(?:https:\/\/|\/)/);
    for (const other of ['uri-map', 'currency', 'http-method', 'phone-number-capabilities', 'int64', 'double']) {
      this.#ajv.addFormat(other, true);
    }
    this.#ajv.addSchema({ $id: 'twilio', ...this.#document });
  }

  /** What is answered at an address, with every member that is described there. */
  answer(path: string, method: string, status: number): ValidateFunction {
    const { responses } = this.#operation(path, method) as { readonly responses: Json };
    const { content } = responses[status] as { readonly content: Json };
    const { schema } = content['application/json'] as { readonly schema: Json };
    return this.#ajv.compile(this.#inPlace(schema));
  }

  /** The names a request to an address may send. */
  formNames(path: string, method: string): readonly string[] {
    const { requestBody } = this.#operation(path, method) as { readonly requestBody: { readonly content: Json } };
    const form = requestBody.content['application/x-www-form-urlencoded'] as {
      readonly schema: { readonly properties: Json };
    };
    return Object.keys(form.schema.properties);
  }

  #operation(path: string, method: string): unknown {
    return (this.#document.paths as Readonly<Record<string, Json>>)[path]?.[method];
  }

  /** The schema with the resource it names put in place, of which nothing may be missing or made up. */
  #inPlace(schema: Json): Json {
    if (typeof schema.$ref === 'string') {
      const name = schema.$ref.split('/').at(-1) ?? '';
      const named =
        (this.#document.components as { readonly schemas: Readonly<Record<string, Json>> }).schemas[name] ?? {};
      return named.type === 'object' ? this.#whole(named) : schema;
    }
    if (schema.type === 'array') return { ...schema, items: this.#inPlace(schema.items as Json) };
    return schema.properties === undefined ? schema : this.#whole(schema);
  }

  #whole(schema: Json): Json {
    const properties = Object.entries(schema.properties as Readonly<Record<string, Json>>).map(
      ([name, member]) => [name, this.#inPlace(member)] as const,
    );
    return {
      ...schema,
      properties: Object.fromEntries(properties),
      required: properties.map(([name]) => name),
      additionalProperties: false,
    };
  }
}
