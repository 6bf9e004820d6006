-- Run once, when the volume is new. Nobody may connect but to a database of their own.
revoke connect, temporary on database postgres, template1 from public;

create role audit login connection limit 100;
create database audit owner audit;
revoke connect, temporary on database audit from public;

-- The memory's server makes its own schema; what it needs is in bridges/memory/README.md.
create role memory_keeper login connection limit 100;
create database memory;
revoke connect, temporary on database memory from public;
grant connect, create on database memory to memory_keeper;
