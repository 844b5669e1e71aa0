user:    docker buildx build -q -f /tmp/Dockerfile /srv
runtime: tare --log /var/lib/docker/buildkit/executor/runc-log.json --log-format json run --bundle /var/lib/docker/buildkit/executor/c0ffee00c0ffee00c0ffee00c --keep c0ffee00c0ffee00c0ffee00c 
