#!/usr/bin/env bash
# Prints the Secrets that the manifests ask for, with new passwords, and for --tls with new certificates; nothing is stored.
#
#   k8s/secrets.sh [--tls] [--namespace chimera] | kubectl create -f -
#
# Once for a cluster: 'create' refuses to replace what is there. Needs openssl and kubectl.
set -euo pipefail
umask 077
namespace=chimera
scheme=redis
while [ $# -gt 0 ]; do
  case $1 in
    --tls) scheme=rediss; shift ;;
    --namespace) namespace=${2:?--namespace NAME}; shift 2 ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
  esac
done
acl=$(cd "$(dirname "$0")/.." && pwd)/deploy/redis/users.acl
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Values are given in files: arguments can be read by every user of the machine.
secret() { # name, key=file…
  local name=$1; shift
  echo ---
  kubectl create secret generic "$name" --namespace "$namespace" --dry-run=client --output yaml "${@/#/--from-file=}"
}

cp "$acl" users.acl
for role in admin producer aggregator worker flower; do
  password=$(openssl rand -hex 24)
  hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d' ' -f1)
  # Not ${role^^}: macOS' bash does not know it.
  sed "s/#SHA256_OF_$(printf %s "$role" | tr a-z A-Z)_PASSWORD/#$hash/" users.acl > users.new && mv users.new users.acl
  printf '%s://chimera-%s:%s@redis:6379/0' "$scheme" "$role" "$password" > "$role"
  if [ "$role" = admin ]; then printf %s "$password" > admin; fi
done
printf 'watcher:%s' "$(openssl rand -hex 16)" > auth

secret redis-acl users.acl
secret redis-admin password=admin
for role in producer aggregator worker flower; do secret "broker-$role" "url=$role"; done
secret flower-auth auth

[ "$scheme" = rediss ] || exit 0
# Python 3.13 and newer refuse an authority that does not say what its key is for, and a certificate that does not name it.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=chimera \
  -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.crt 2>/dev/null
certificate() { # name, subject alternative names
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout tls.key -out tls.csr 2>/dev/null
  printf 'subjectAltName=%s\nauthorityKeyIdentifier=keyid\n' "$2" > tls.ext
  openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile tls.ext -out tls.crt 2>/dev/null
  secret "$1-tls" ca.crt tls.crt tls.key
}
certificate redis "DNS:redis,DNS:redis.$namespace,DNS:redis.$namespace.svc"
certificate client DNS:client
