-- Development: the event planner's rows that the bridge postgres is tried out with, and their two roles.
create database planner;
revoke connect, temporary on database planner from public;
\connect planner
\i /seed/planner.sql
grant connect on database planner to planner_reader, planner_writer;
