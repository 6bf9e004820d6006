-- Production: passwords come from the secret files, read by psql itself, so that they stand in no argv and no environment.
-- What fails is not logged with its text.
set log_min_error_statement = panic;
\set audit `cat /run/secrets/audit_database_password`
\set memory `cat /run/secrets/memory_database_password`
alter role audit password :'audit';
alter role memory_keeper password :'memory';
