#!/usr/bin/env bash
# Writes what compose.yaml needs: .env and secrets/, with fresh passwords. Usage: ./secrets.sh ai.example.org
set -euo pipefail
cd "$(dirname "$0")"
site=${1:?give the name by which browsers reach it, such as ai.example.org}
[ ! -e .env ] || { echo ".env is there already; its passwords are in use." >&2; exit 1; }

umask 077
mkdir -p secrets
chmod 755 secrets
password=$(openssl rand -hex 24)
printf %s "$password" >secrets/database_password
openssl rand -hex 24 >secrets/postgres_password # of PostgreSQL's administrator
printf %s "postgresql://eclair:$password@postgres/eclair" >secrets/database_url
openssl rand -base64 32 >secrets/secret_key
chmod 444 secrets/* # users in the containers read them
cat >.env <<ENV
ECLAIR_SITE=$site
BUCKET_KEY=GK$(openssl rand -hex 12)
BUCKET_SECRET=$(openssl rand -hex 32)
GARAGE_RPC_SECRET=$(openssl rand -hex 32)
SEARXNG_SECRET=$(openssl rand -hex 32)
ENV
