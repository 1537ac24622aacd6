#!/bin/sh
# Downloads the models that are not in the volume yet, with a server of its own: the one that is measured has no way out.
set -eu

ollama serve >/tmp/serve.log 2>&1 &
server=$!
tries=0
until ollama list >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ] || ! kill -0 "$server" 2>/dev/null; then
    cat /tmp/serve.log >&2
    exit 1
  fi
  sleep 1
done
for model in $OLLAMA_MODEL; do
  if ollama show "$model" >/dev/null 2>&1; then
    echo "$model is there"
  else
    ollama pull "$model"
  fi
done
kill "$server"
wait "$server" || true
