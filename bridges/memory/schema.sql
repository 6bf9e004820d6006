-- The tables of the memory, version 1. The bridge runs this itself at its first use where its role may create a schema;
-- an administrator may run it instead (README.md). A released version is never changed: another one follows.

create schema if not exists memory_bridge;

create table memory_bridge.version (
  version integer primary key,
  since timestamptz not null default now()
);

create table memory_bridge.entries (
  id uuid primary key default gen_random_uuid(),
  -- Whose it is: the id of the principal that called.
  namespace text not null check (namespace <> ''),
  -- The name that its owner chose; entries without one are told apart by their id.
  key text check (length(key) between 1 and 200),
  text text not null check (octet_length(text) between 1 and 32768),
  tags text[] not null default '{}',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Not shown from then on, and deleted some time later.
  expires_at timestamptz,
  search tsvector not null,
  unique (namespace, key)
);
create index entries_newest on memory_bridge.entries (namespace, created_at desc, id desc);
create index entries_expired on memory_bridge.entries (expires_at) where expires_at is not null;

-- What calls with an idempotency key answered. It outlives the entries: whether a call ran can be told even after what it
-- remembered has been forgotten again.
create table memory_bridge.calls (
  namespace text not null check (namespace <> ''),
  -- A digest over principal, bridge, tool and the caller's key.
  key text not null,
  -- Not jsonb: it is told again as it was, member by member.
  outcome json not null,
  at timestamptz not null default now(),
  primary key (namespace, key)
);
create index calls_old on memory_bridge.calls (at);

-- Every statement names its namespace; should one ever forget to, these policies still show it nothing of others. They
-- hold for the owner of the tables too, but not for superusers.
alter table memory_bridge.entries enable row level security;
alter table memory_bridge.entries force row level security;
alter table memory_bridge.calls enable row level security;
alter table memory_bridge.calls force row level security;
create policy own on memory_bridge.entries
  using (namespace = current_setting('memory_bridge.namespace', true));
create policy own on memory_bridge.calls
  using (namespace = current_setting('memory_bridge.namespace', true));

-- What is over may be deleted by whoever comes by, whosever it was.
create policy sweep_sees on memory_bridge.entries for select
  using (expires_at <= now() and current_setting('memory_bridge.sweeping', true) = 'on');
create policy sweep_deletes on memory_bridge.entries for delete
  using (expires_at <= now() and current_setting('memory_bridge.sweeping', true) = 'on');
create policy sweep_sees on memory_bridge.calls for select
  using (at <= now() - interval '48 hours' and current_setting('memory_bridge.sweeping', true) = 'on');
create policy sweep_deletes on memory_bridge.calls for delete
  using (at <= now() - interval '48 hours' and current_setting('memory_bridge.sweeping', true) = 'on');

-- A hit in the key counts most, then one in a tag, then one in the text.
create function memory_bridge.search_vector(language regconfig, key text, tags text[], text text)
  returns tsvector language sql stable as $$
  select setweight(to_tsvector(language, translate(coalesce(key, ''), '_-/.:', '     ')), 'A')
      || setweight(to_tsvector(language, translate(array_to_string(tags, ' '), '_-/.:', '     ')), 'B')
      || setweight(to_tsvector(language, text), 'D') $$;

insert into memory_bridge.version (version) values (1);
