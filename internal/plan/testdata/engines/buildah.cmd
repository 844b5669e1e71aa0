user:    podman build -q --runtime /usr/local/sbin/recorder --isolation oci -f /tmp/Containerfile /srv
runtime: tare create --bundle /tmp/buildah0000 --pid-file /tmp/buildah0000/pid buildah-buildah0000 
