-- An event planner's database: the 2027 season of a small agency. Everything follows from the values below, so
-- that two machines hold the same rows. Run once, by the superuser, in an empty database.

begin;

create type event_status as enum ('draft', 'confirmed', 'completed', 'cancelled');
create type rsvp as enum ('pending', 'accepted', 'declined');
create type booking_status as enum ('requested', 'confirmed', 'cancelled');

create table venues (
  id        integer generated always as identity primary key,
  name      text not null unique,
  city      text not null,
  address   text not null,
  capacity  integer not null check (capacity > 0),
  day_rate  numeric(10, 2) not null check (day_rate >= 0),
  amenities text[] not null default '{}'
);
comment on table venues is 'Places that can be hired for an event';
comment on column venues.capacity is 'Most guests the fire regulations allow';
comment on column venues.day_rate is 'Hire per day in EUR, without VAT';

create table events (
  id               integer generated always as identity primary key,
  title            text not null,
  kind             text not null check (kind in ('wedding', 'conference', 'workshop', 'dinner', 'anniversary', 'launch')),
  venue_id         integer not null references venues (id),
  starts_at        timestamptz not null,
  ends_at          timestamptz not null,
  expected_guests  integer not null check (expected_guests >= 0),
  status           event_status not null default 'draft',
  details          jsonb not null default '{}',
  check (ends_at > starts_at)
);
comment on table events is 'What is planned, one row per event';
comment on column events.kind is 'wedding, conference, workshop, dinner, anniversary or launch';
comment on column events.details is 'Dress code, language and other wishes of the host';
create index events_by_start on events (starts_at);
create index events_by_venue on events (venue_id, starts_at);
create index events_open on events (starts_at) where status in ('draft', 'confirmed');

create table guests (
  id         integer generated always as identity primary key,
  full_name  text not null,
  email      text not null unique check (email like '%_@_%'),
  phone      text,
  diet       text not null default 'none' check (diet in ('none', 'vegetarian', 'vegan', 'gluten-free', 'halal', 'kosher')),
  created_at timestamptz not null
);
comment on table guests is 'People who have been invited at least once';
comment on column guests.diet is 'What the caterer must know';

create table invitations (
  event_id     integer not null references events (id) on delete cascade,
  guest_id     integer not null references guests (id) on delete cascade,
  sent_at      timestamptz not null,
  answer       rsvp not null default 'pending',
  answered_at  timestamptz,
  companions   smallint not null default 0 check (companions between 0 and 3),
  primary key (event_id, guest_id),
  check ((answer = 'pending') = (answered_at is null))
);
comment on table invitations is 'Who is invited to what, and what they answered';
comment on column invitations.companions is 'Guests the invited person brings along';
create index invitations_by_guest on invitations (guest_id);

create table vendors (
  id       integer generated always as identity primary key,
  name     text not null unique,
  service  text not null check (service in ('catering', 'music', 'flowers', 'photography', 'lighting', 'transport')),
  email    text not null,
  rating   real check (rating between 0 and 5)
);
comment on table vendors is 'Firms the agency works with';
comment on column vendors.rating is 'Mean of the planners'' marks, 0 to 5';

create table bookings (
  id         bigint generated always as identity primary key,
  event_id   integer not null references events (id) on delete cascade,
  vendor_id  integer not null references vendors (id),
  status     booking_status not null default 'requested',
  price      numeric(12, 2) not null check (price >= 0),
  booked_on  date not null,
  unique (event_id, vendor_id)
);
comment on table bookings is 'Vendors hired for an event';
comment on column bookings.price is 'Agreed price in EUR, without VAT';
create index bookings_by_vendor on bookings (vendor_id);

create table budgets (
  event_id integer primary key references events (id) on delete cascade,
  total    numeric(12, 2) not null check (total > 0),
  currency character(3) not null default 'EUR'
);
comment on table budgets is 'The sum a host has agreed to, one per event';

create table budget_items (
  id        bigint generated always as identity primary key,
  event_id  integer not null references budgets (event_id) on delete cascade,
  category  text not null check (category in ('venue', 'catering', 'music', 'flowers', 'photography', 'lighting', 'transport', 'reserve')),
  planned   numeric(12, 2) not null check (planned >= 0),
  spent     numeric(12, 2) not null default 0 check (spent >= 0),
  unique (event_id, category)
);
comment on table budget_items is 'How a budget is divided, and what has been spent of it';

insert into venues (name, city, address, capacity, day_rate, amenities) values
  ('Orangery at Linden Park', 'Berlin', 'Lindenallee 4', 180, 3200.00, '{garden,"bridal room",parking}'),
  ('Harbour Hall 7', 'Hamburg', 'Am Sandtorkai 71', 650, 7400.00, '{stage,projection,"step-free access"}'),
  ('The Old Printworks', 'Leipzig', 'Spinnereistrasse 12', 320, 4100.00, '{stage,bar,"loading ramp"}'),
  ('Villa Seeblick', 'Konstanz', 'Seestrasse 33', 90, 2850.00, '{garden,"lake view",rooms}'),
  ('Observatory Terrace', 'Munich', 'Sternwartweg 1', 120, 3950.00, '{terrace,bar}'),
  ('Kornhaus Library', 'Bremen', 'Kornstrasse 18', 60, 1400.00, '{projection,"quiet rooms"}'),
  ('Gasworks Arena', 'Dresden', 'Gasanstaltstrasse 8', 1200, 11800.00, '{stage,projection,parking,"green room"}'),
  ('Vineyard Barn', 'Freiburg', 'Rebhang 2', 140, 2300.00, '{garden,kitchen,parking}');

insert into events (title, kind, venue_id, starts_at, ends_at, expected_guests, status, details)
select title, kind, venue_id, start, start + hours * interval '1 hour', guests, status::event_status, details::jsonb
from (values
  ('Spring Product Launch: Aurora Lamps', 'launch', 5, timestamptz '2027-03-04 18:00+01', 4, 110, 'completed', '{"dressCode": "smart", "language": "en"}'),
  ('Cooperative Housing Forum', 'conference', 3, timestamptz '2027-03-19 09:00+01', 9, 240, 'completed', '{"language": "de", "livestream": true}'),
  ('Letterpress Weekend Workshop', 'workshop', 3, timestamptz '2027-04-10 10:00+02', 30, 24, 'confirmed', '{"language": "de", "materialsIncluded": true}'),
  ('Wedding of Hannah Weiss and Jonas Albrecht', 'wedding', 1, timestamptz '2027-05-08 14:00+02', 11, 130, 'confirmed', '{"dressCode": "garden formal", "language": "de", "children": 14}'),
  ('Harbour Logistics Summit', 'conference', 2, timestamptz '2027-05-20 08:30+02', 33, 520, 'confirmed', '{"language": "en", "tracks": 4}'),
  ('Ruby Anniversary of Marta and Piotr Nowak', 'anniversary', 4, timestamptz '2027-06-05 12:00+02', 8, 58, 'confirmed', '{"dressCode": "red accents", "language": "pl"}'),
  ('Midsummer Donors Dinner', 'dinner', 5, timestamptz '2027-06-21 19:00+02', 5, 96, 'confirmed', '{"dressCode": "black tie", "language": "en"}'),
  ('Wedding of Priya Raman and Tom Becker', 'wedding', 8, timestamptz '2027-07-03 11:00+02', 14, 138, 'confirmed', '{"dressCode": "bright colours", "language": "en", "ceremonies": 2}'),
  ('Open Source Harvest', 'conference', 7, timestamptz '2027-09-16 09:00+02', 34, 900, 'draft', '{"language": "en", "tracks": 6, "livestream": true}'),
  ('Archivists Reading Day', 'workshop', 6, timestamptz '2027-09-24 10:00+02', 7, 45, 'draft', '{"language": "de"}'),
  ('Vintage Dinner among the Vines', 'dinner', 8, timestamptz '2027-10-02 18:30+02', 5, 80, 'draft', '{"language": "de", "wine": ["Spaetburgunder", "Gutedel"]}'),
  ('Winter Light Gala', 'dinner', 1, timestamptz '2027-12-11 19:00+01', 6, 160, 'cancelled', '{"dressCode": "black tie", "language": "de"}')
) as season (title, kind, venue_id, start, hours, guests, status, details);

-- 96 people: every given name meets a family name once.
insert into guests (full_name, email, phone, diet, created_at)
select given || ' ' || family,
       lower(given || '.' || family) || '@example.org',
       case when n % 5 = 0 then null else '+49 30 5550' || lpad(n::text, 3, '0') end,
       (array['none', 'none', 'vegetarian', 'none', 'vegan', 'none', 'gluten-free', 'none', 'halal', 'none', 'none', 'kosher'])[1 + n % 12],
       timestamptz '2026-11-02 09:00+01' + n * interval '7 hours 20 minutes'
from (
  select n,
         (array['Amelie', 'Bastian', 'Clara', 'Deniz', 'Elif', 'Felix', 'Greta', 'Hugo', 'Ines', 'Jakob', 'Katarina', 'Lukas',
                'Mira', 'Noah', 'Olga', 'Paul', 'Rosa', 'Samir', 'Thea', 'Umut', 'Vera', 'Wiktor', 'Yara', 'Zoe'])[1 + n % 24] as given,
         (array['Adler', 'Brandt', 'Conrad', 'Demir', 'Engel', 'Fischer', 'Grabowski', 'Hansen', 'Iversen', 'Jansen',
                'Keller', 'Lorenz', 'Marino', 'Novak', 'Okafor', 'Petrov'])[1 + (n * 5 + n / 24) % 16] as family
  from generate_series(0, 95) as n
) as people;

insert into invitations (event_id, guest_id, sent_at, answer, answered_at, companions)
select event_id, guest_id, sent_at, answer::rsvp,
       case when answer <> 'pending' then sent_at + (1 + (guest_id * 3 + event_id) % 20) * interval '1 day' end,
       case when answer = 'accepted' then (guest_id / 3 + event_id) % 3 else 0 end
from (
  select e.id as event_id, g.id as guest_id, e.starts_at - interval '70 days' as sent_at,
         case when e.status = 'draft' then 'pending'
              else (array['accepted', 'accepted', 'declined', 'accepted', 'pending', 'accepted'])[1 + (g.id * 5 + g.id / 4 + e.id * 3) % 6] end as answer
  from events e
  join guests g on (g.id * 7 + g.id / 6 + e.id * 11) % 4 = 0
  where e.status <> 'cancelled'
) as invited;

insert into vendors (name, service, email, rating) values
  ('Feldkueche', 'catering', 'bestellung@feldkueche.example', 4.7),
  ('Saffron & Rye', 'catering', 'hello@saffronrye.example', 4.4),
  ('Nordlicht Quartett', 'music', 'booking@nordlicht.example', 4.8),
  ('DJ Kassandra', 'music', 'kassandra@decks.example', 4.1),
  ('Bluetenwerk', 'flowers', 'atelier@bluetenwerk.example', 4.9),
  ('Studio Halbschatten', 'photography', 'termine@halbschatten.example', 4.6),
  ('Lichtung Event Lighting', 'lighting', 'office@lichtung.example', 4.3),
  ('Elbe Shuttle', 'transport', 'dispo@elbeshuttle.example', 3.9),
  ('Table Nine', 'catering', 'events@tablenine.example', 4.2),
  ('Paperwhite Florals', 'flowers', 'studio@paperwhite.example', null);

insert into bookings (event_id, vendor_id, status, price, booked_on)
select e.id, v.id,
       (case when e.status = 'cancelled' then 'cancelled'
             when e.status = 'draft' then 'requested'
             when (e.id + v.id) % 7 = 0 then 'requested'
             else 'confirmed' end)::booking_status,
       round((case v.service when 'catering' then 38.5 * e.expected_guests when 'music' then 1450 + 2.2 * e.expected_guests
              when 'photography' then 1980 when 'flowers' then 320 + 6.4 * e.expected_guests
              when 'lighting' then 900 + 3.1 * e.expected_guests else 640 + 1.7 * e.expected_guests end)::numeric, 2),
       (e.starts_at - interval '120 days')::date + v.id
from events e
join vendors v on (v.id * 3 + e.id) % 5 < 2;

insert into budgets (event_id, total)
select e.id, round((v.day_rate * 1.5 + e.expected_guests * 92 + 2500)::numeric, -2)
from events e
join venues v on v.id = e.venue_id;

insert into budget_items (event_id, category, planned, spent)
select b.event_id, share.category, round(b.total * share.part, 2),
       case when e.status = 'completed' then round(b.total * share.part * (0.9 + (b.event_id % 3) * 0.06), 2)
            when e.status = 'confirmed' and share.category in ('venue', 'catering') then round(b.total * share.part * 0.5, 2)
            else 0 end
from budgets b
join events e on e.id = b.event_id
cross join (values ('venue', 0.26), ('catering', 0.42), ('music', 0.09), ('flowers', 0.07), ('photography', 0.08), ('reserve', 0.08))
  as share (category, part);

create view upcoming_events as
select e.id, e.title, e.kind, v.name as venue, v.city, e.starts_at, e.expected_guests, e.status
from events e
join venues v on v.id = e.venue_id
where e.status in ('draft', 'confirmed');
comment on view upcoming_events is 'Events that are neither over nor called off, with their venue';

create view guest_counts as
select e.id as event_id, e.title,
       count(*) filter (where i.answer = 'accepted') as accepted,
       count(*) filter (where i.answer = 'declined') as declined,
       count(*) filter (where i.answer = 'pending') as pending,
       coalesce(sum(1 + i.companions) filter (where i.answer = 'accepted'), 0) as seats
from events e
left join invitations i on i.event_id = e.id
group by e.id, e.title;
comment on view guest_counts is 'Answers per event; seats counts companions too';

-- The roles of bridges/postgres/README.md: one that can only look, one that can change rows and nothing else.
do $$
begin
  if not exists (select from pg_roles where rolname = 'planner_reader') then
    create role planner_reader login connection limit 20;
  end if;
  if not exists (select from pg_roles where rolname = 'planner_writer') then
    create role planner_writer login connection limit 10;
  end if;
end
$$;
revoke all on schema public from public;
grant usage on schema public to planner_reader, planner_writer;
grant select on all tables in schema public to planner_reader, planner_writer;
grant insert, update, delete on all tables in schema public to planner_writer;
alter role planner_reader set default_transaction_read_only = on;

-- What a reader could do to other callers or to the log without writing a row.
revoke execute on function pg_terminate_backend(integer, bigint) from public;
revoke execute on function pg_logical_emit_message(boolean, text, text, boolean) from public;
revoke execute on function pg_logical_emit_message(boolean, text, bytea, boolean) from public;

commit;

analyze;
