-- Makes the database of compose.yaml and its owner, who may do nothing else; psql runs it once, as the administrator.
\set password `cat /run/secrets/database_password`
CREATE ROLE eclair LOGIN PASSWORD :'password';
CREATE DATABASE eclair OWNER eclair ENCODING 'UTF8' TEMPLATE template0;
\connect eclair
CREATE EXTENSION vector;
